/* SPDX-License-Identifier: PostgreSQL */
#include "csv/encoding.h"

#include "base/mem.h"
#include "base/shell.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* How many units of a file without a BOM are looked at. */
#define UNITS_MAX 128

/* iconv's plain "UTF-16" reads the BOM and leaves it out. Of UTF-32 first: its little-endian BOM
 * begins with that of UTF-16. */
static const struct {
    char bytes[5];
    size_t size;
    const char *encoding;
} boms[] = {
    {"\xFF\xFE\0\0", 4, "UTF-32"},
    {"\0\0\xFE\xFF", 4, "UTF-32"},
    {"\xFF\xFE", 2, "UTF-16"},
    {"\xFE\xFF", 2, "UTF-16"},
};

/* Without a BOM: in each unit of so many bytes only the one at `text` is not NUL. */
static const struct {
    size_t unit;
    size_t text;
    const char *encoding;
} patterns[] = {
    {4, 0, "UTF-32LE"},
    {4, 3, "UTF-32BE"},
    {2, 0, "UTF-16LE"},
    {2, 1, "UTF-16BE"},
};

/* Two units at least; of a longer text, letters beyond Latin-1 may break the pattern now and
 * then: three units in four are enough, and a NUL in the place of the text is too many. */
static bool has_pattern(const char *data, size_t size, size_t unit, size_t text)
{
    size_t units = size / unit < UNITS_MAX ? size / unit : UNITS_MAX;
    size_t matching = 0;

    for (size_t i = 0; i < units; i++) {
        bool match = true;
        for (size_t at = 0; at < unit; at++)
            match = match && (data[i * unit + at] != '\0') == (at == text);
        if (data[i * unit + text] == '\0')
            return false;
        matching += match;
    }
    return units >= 2 && matching * 4 >= units * 3;
}

const char *encoding_of(const char *data, size_t size)
{
    for (size_t i = 0; i < COUNT_OF(boms); i++)
        if (size >= boms[i].size && memcmp(data, boms[i].bytes, boms[i].size) == 0)
            return boms[i].encoding;
    for (size_t i = 0; i < COUNT_OF(patterns); i++)
        if (has_pattern(data, size, patterns[i].unit, patterns[i].text))
            return patterns[i].encoding;
    return NULL;
}

/* orders.csv becomes orders.utf8.csv. The caller frees. */
static char *converted_name(const char *path)
{
    const char *name = strrchr(path, '/');
    const char *dot = strrchr(path, '.');

    if (!dot || (name && dot <= name + 1))
        dot = path + strlen(path);
    return mem_format("%.*s.utf8%s", (int)(dot - path), path, dot);
}

static int hint_iconv(struct error *err, const char *opening, const char *encoding,
                      const char *path)
{
    char *converted = converted_name(path);
    char *from = shell_word(path);
    char *to = shell_word(converted);

    if (strlen(from) + strlen(to) + 120 < sizeof err->hint)
        error_hint(err, "%s: iconv -f %s -t UTF-8 %s > %s", opening, encoding, from, to);
    else /* a command that is cut would do harm */
        error_hint(err, "%s: iconv -f %s -t UTF-8 FILE > FILE.utf8", opening, encoding);
    free(to);
    free(from);
    free(converted);
    return -(int)err->code;
}

int encoding_refuse_file(const char *path, const char *encoding, struct error *err)
{
    error_set(err, ERR_FILE_ENCODING, "\"%s\" is in %.6s, not in UTF-8", path, encoding);
    return hint_iconv(err, "Convert it", encoding, path);
}

/* Windows-1252 is Latin-1 with characters in place of control codes, and has five gaps. */
static const char *guess(const char *data, size_t size)
{
    static const char gaps[] = "\x81\x8D\x8F\x90\x9D";

    for (size_t i = 0; i < size; i++)
        if (data[i] != '\0' && strchr(gaps, data[i]))
            return "ISO-8859-1";
    return "WINDOWS-1252";
}

int encoding_refuse(const char *path, const char *what, const char *data, size_t size,
                    struct error *err)
{
    size_t valid = text_utf8_valid(data, size);

    if (valid == size) {
        error_set(err, ERR_FILE_ENCODING, "%s of \"%s\" has a NUL byte", what, path);
        return error_hint(err, "A CSV file is text; upload one that is.");
    }
    error_set(err, ERR_FILE_ENCODING, "%s of \"%s\" is not UTF-8", what, path);
    error_detail(err, "Its byte %zu is 0x%02X.", valid + 1, (unsigned char)data[valid]);
    const char *encoding = guess(data, size);
    return hint_iconv(err,
                      encoding[0] == 'W' ? "If it is in Windows-1252 or Latin-1, convert it"
                                         : "If it is in Latin-1, convert it",
                      encoding, path);
}
