/* SPDX-License-Identifier: PostgreSQL */
#include "csv/packed.h"

#include "base/mem.h"
#include "base/shell.h"

#include <stdlib.h>
#include <string.h>

/* No text in UTF-8 begins so but with those of bzip2 and PDF, and no CSV file with these. Source:
 * magic(5) of file(1). */
static const struct {
    char bytes[11];
    size_t size;
    const char *form, *unpack; /* the command; NULL: there is none that is sure to help */
} forms[] = {
    {"\x1F\x8B", 2, "packed by gzip", "gunzip"},
    {"\x28\xB5\x2F\xFD", 4, "packed by zstd", "unzstd"},
    {"\xFD\x37zXZ", 6, "packed by xz", "unxz"},
    {"BZh91AY&SY", 10, "packed by bzip2", "bunzip2"},
    {"PK\x03\x04", 4, "a zip archive, or a workbook or document of an office program", NULL},
    {"\xD0\xCF\x11\xE0", 4, "a workbook or document of an office program", NULL},
    {"%PDF-", 5, "a PDF document", NULL},
};

int packed_check(const char *path, const char *data, size_t size, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        if (size < forms[i].size || memcmp(data, forms[i].bytes, forms[i].size) != 0)
            continue;
        error_set(err, ERR_FILE_ENCODING, "\"%s\" is no CSV file, but %s", path, forms[i].form);
        if (!forms[i].unpack)
            return error_hint(err, "Export or unpack it as CSV in UTF-8, and upload that.");
        char *word = shell_word(path);
        error_hint(err, "Unpack it, and upload what it holds: %s -k %s", forms[i].unpack, word);
        free(word);
        return -(int)err->code;
    }
    return 0;
}
