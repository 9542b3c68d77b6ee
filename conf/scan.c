/* SPDX-License-Identifier: PostgreSQL */
/* Line by line, as inih will see it: a line that begins in the first column is a section or a key,
 * an indented one goes on with the value before. A refused section or key takes the lines that
 * belong to it along, or inih would give them to the one before. */
#include "conf/scan.h"

#include "base/mem.h"
#include "base/text.h"
#include "conf/read.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum state { ABSENT, GOOD, REFUSED };

struct walk {
    const char *file;
    struct report *report;
    size_t line;
    enum state section_state;
    enum state key_state; /* of the last key in this section */
    char section[SCAN_LINE_MAX_BYTES + 1];
    char key[SCAN_LINE_MAX_BYTES + 1];
};

static void refuse(const struct walk *walk, const char *key, const struct error *err)
{
    struct place place = {walk->file, walk->line, walk->section, key};

    report_add(walk->report, &place, err);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static struct scan_piece trim(const char *data, size_t size)
{
    while (size > 0 && is_blank(data[0])) {
        data++;
        size--;
    }
    while (size > 0 && is_blank(data[size - 1]))
        size--;
    return (struct scan_piece){data, size};
}

static void keep(char *to, struct scan_piece from)
{
    size_t size = from.size < SCAN_LINE_MAX_BYTES ? from.size : SCAN_LINE_MAX_BYTES;

    memcpy(to, from.data, size);
    to[size] = '\0';
}

/* A number sign between blanks: for inih a part of the value, for people a comment. */
static bool is_number_sign(struct scan_piece piece, size_t at)
{
    return piece.data[at] == '#' && at + 1 < piece.size && is_blank(piece.data[at + 1]);
}

/* A blank and a semicolon, which for inih begin a comment, or what looks as much like one; NULL
 * when there is none. */
static const char *find_comment(struct scan_piece piece)
{
    for (size_t i = 1; i < piece.size; i++)
        if (is_blank(piece.data[i - 1]) && (piece.data[i] == ';' || is_number_sign(piece, i)))
            return piece.data + i;
    return NULL;
}

/* ---- bytes that no line may have ---- */

static int check_byte(const char *data, size_t at, struct error *err)
{
    unsigned char byte = (unsigned char)data[at];

    if (byte == '\t' || (byte >= 0x20 && byte != 0x7F))
        return 0;
    if (byte == '\r') {
        error_set(err, ERR_CONFIG, "a carriage return in the line (byte %zu)", at + 1);
        return error_hint(err, "end lines with LF or CR LF");
    }
    error_set(err, ERR_CONFIG, "a control character in the line (byte %zu is 0x%02X)", at + 1,
              byte);
    return error_hint(err, "write printable text only");
}

static int check_text(struct scan_piece line, struct error *err)
{
    static const char *const invisible[] = {"\xEF\xBB\xBF", "\xC2\xA0", "\xE3\x80\x80"};
    size_t valid = text_utf8_valid(line.data, line.size);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < line.size; i++)
        rc = check_byte(line.data, i, err);
    if (rc < 0)
        return rc;
    if (valid < line.size) {
        error_set(err, ERR_CONFIG, "the line is not UTF-8 (byte %zu)", valid + 1);
        return error_hint(err, "save the file as UTF-8");
    }
    for (size_t i = 0; i < COUNT_OF(invisible); i++)
        if (line.size >= strlen(invisible[i]) &&
            memcmp(line.data, invisible[i], strlen(invisible[i])) == 0) {
            error_set(err, ERR_CONFIG, "the line begins with an invisible character");
            return error_hint(err, "begin it with a letter, or indent it with blanks");
        }
    return 0;
}

static int check_line(struct scan_piece line, struct error *err)
{
    if (line.size <= SCAN_LINE_MAX_BYTES)
        return check_text(line, err);
    error_set(err, ERR_CONFIG, "the line is %zu bytes long, which is more than %d", line.size,
              SCAN_LINE_MAX_BYTES);
    return error_hint(err, "write the rest of the value on indented lines below");
}

/* ---- kinds of lines ---- */

static int check_section(struct scan_piece line, const char *end, struct error *err)
{
    if (!end) {
        error_set(err, ERR_CONFIG, "the section's name has no ] behind it");
        return error_hint(err, "write [NAME] on a line of its own");
    }
    struct scan_piece name = {line.data + 1, (size_t)(end - line.data) - 1};
    if (name.size > SCAN_NAME_MAX_BYTES) {
        error_set(err, ERR_CONFIG, "the section's name is %zu bytes long", name.size);
        return error_hint(err, "write at most %d bytes between [ and ]", SCAN_NAME_MAX_BYTES);
    }
    if (name.size == 0 || trim(name.data, name.size).size < name.size || find_comment(name)) {
        error_set(err, ERR_CONFIG, "[%.*s] is no section", (int)name.size, name.data);
        return error_hint(err, "write [NAME], without blanks around the name or a semicolon in it");
    }
    return 0;
}

/* What stands behind the name is refused, but does not make the section another one. */
static void scan_section(struct walk *walk, struct scan_piece line, struct scan_line *out)
{
    const char *end = memchr(line.data, ']', line.size);
    struct error err;

    walk->section[0] = '\0';
    walk->key_state = ABSENT;
    walk->section_state = REFUSED;
    if (check_section(line, end, &err) < 0) {
        refuse(walk, NULL, &err);
        return;
    }
    out->kind = SCAN_SECTION;
    out->name = (struct scan_piece){line.data + 1, (size_t)(end - line.data) - 1};
    walk->section_state = GOOD;
    keep(walk->section, out->name);
    if (end + 1 < line.data + line.size) {
        error_set(&err, ERR_CONFIG, "text behind the section's name");
        error_hint(&err, "write [%s] on a line of its own, comments and keys on others",
                   walk->section);
        refuse(walk, NULL, &err);
    }
}

/* `comment` is where it begins. */
static int refuse_comment(const char *comment, struct error *err)
{
    error_set(err, ERR_CONFIG,
              *comment == ';' ? "a blank and a semicolon, which would end the value"
                              : "a number sign between blanks, as if a comment began");
    return error_hint(err, "write a comment on a line of its own, and a value without them");
}

static int check_key(struct scan_piece line, const char *sign, struct error *err)
{
    if (!sign) {
        error_set(err, ERR_CONFIG, "the line is neither a section nor a key with its value");
        return error_hint(err, "write KEY = VALUE, the rest of a value on indented lines");
    }
    struct scan_piece name = trim(line.data, (size_t)(sign - line.data));
    if (name.size == 0) {
        error_set(err, ERR_CONFIG, "there is no key before the %c", *sign);
        return error_hint(err, "write KEY = VALUE");
    }
    if (name.size > SCAN_NAME_MAX_BYTES) {
        error_set(err, ERR_CONFIG, "the key is %zu bytes long", name.size);
        return error_hint(err, "write a key of at most %d bytes", SCAN_NAME_MAX_BYTES);
    }
    if (*sign == ':') {
        error_set(err, ERR_CONFIG, "a colon where an equals sign has to be");
        return error_hint(err, "write %.*s = VALUE", (int)name.size, name.data);
    }
    return 0;
}

static const char *find_sign(struct scan_piece line)
{
    for (size_t i = 0; i < line.size; i++)
        if (line.data[i] == '=' || line.data[i] == ':')
            return line.data + i;
    return NULL;
}

/* The key's name, as far as it is one that can be said. */
static void take_name(struct walk *walk, struct scan_piece line, const char *sign,
                      struct scan_line *out)
{
    struct scan_piece name = trim(line.data, sign ? (size_t)(sign - line.data) : 0);

    if (name.size > SCAN_NAME_MAX_BYTES || text_utf8_valid(name.data, name.size) < name.size)
        name.size = 0;
    keep(walk->key, name);
    if (walk->section_state == GOOD)
        out->name = name;
}

/* A lone semicolon is a value that nobody can mistake. For inih the blank before it would begin a
 * comment, so it is given the line without. */
static void close_up(struct scan_piece *value, const char *sign)
{
    char *from = (char *)(uintptr_t)value->data;
    char *to = (char *)(uintptr_t)(sign + 1);

    if (value->size != 1 || *from != ';')
        return;
    *from = ' ';
    *to = ';';
    value->data = to;
}

static void scan_key(struct walk *walk, struct scan_piece line, struct scan_line *out)
{
    const char *sign = find_sign(line);
    struct error err;

    take_name(walk, line, sign, out);
    walk->key_state = REFUSED;
    if (check_key(line, sign, &err) < 0) {
        refuse(walk, walk->key, &err);
        return;
    }
    out->value = trim(sign + 1, (size_t)(line.data + line.size - sign) - 1);
    close_up(&out->value, sign);
    const char *comment = find_comment(line);
    if (comment) {
        refuse_comment(comment, &err);
        refuse(walk, walk->key, &err);
        return;
    }
    walk->key_state = GOOD;
    out->kind = SCAN_KEY;
}

static int check_more(const struct walk *walk, struct scan_piece value, struct error *err)
{
    if (walk->key_state == ABSENT) {
        error_set(err, ERR_CONFIG, "an indented line, and no key before it that it could go on");
        return error_hint(err, "begin keys and sections in the first column");
    }
    if (value.size > 0 && value.data[0] == '[') {
        error_set(err, ERR_CONFIG, "an indented section, which would be part of the value before");
        return error_hint(err, "begin a section in the first column, and a value that begins with "
                               "[ on the line of its key");
    }
    const char *comment = find_comment(value);
    return comment ? refuse_comment(comment, err) : 0;
}

static void scan_more(struct walk *walk, struct scan_piece line, struct scan_line *out)
{
    struct error err;

    if (walk->key_state == REFUSED)
        return;
    out->value = trim(line.data, line.size);
    if (check_more(walk, out->value, &err) < 0)
        refuse(walk, walk->key_state == GOOD ? walk->key : NULL, &err);
    else
        out->kind = SCAN_MORE;
}

/* ---- the walk ---- */

static bool refuse_outside(struct walk *walk)
{
    struct error err;

    if (walk->section_state == ABSENT) {
        error_set(&err, ERR_CONFIG, "the line stands before any section");
        error_hint(&err, "write a [SECTION] above it");
        refuse(walk, NULL, &err);
    }
    return walk->section_state != GOOD;
}

/* What a line would have been, had it not been refused for its bytes. */
static void refuse_line(struct walk *walk, struct scan_piece line, struct scan_line *out,
                        const struct error *err)
{
    bool begins = (unsigned char)line.data[0] < 0x80; /* a key that can be said */
    const char *sign = begins ? find_sign(line) : NULL;
    bool comment = line.data[0] == '#' || line.data[0] == ';';
    bool has_key = walk->section_state == GOOD && walk->key_state != ABSENT;

    if (line.data[0] == '[') {
        walk->section_state = REFUSED;
        walk->section[0] = '\0';
        has_key = false;
    } else if (!is_blank(line.data[0]) && !comment) {
        walk->key_state = REFUSED;
        take_name(walk, line, sign, out);
        has_key = walk->section_state == GOOD;
    }
    refuse(walk, has_key && !comment ? walk->key : NULL, err);
}

static void scan_line(struct walk *walk, struct scan_piece line, struct scan_line *out)
{
    struct scan_piece inner = trim(line.data, line.size);
    struct error err;

    walk->line++;
    if (check_line(line, &err) < 0)
        refuse_line(walk, line, out, &err);
    else if (inner.size == 0 || inner.data[0] == '#' || inner.data[0] == ';')
        return;
    else if (line.data[0] == '[')
        scan_section(walk, inner, out);
    else if (refuse_outside(walk))
        return;
    else if (is_blank(line.data[0]))
        scan_more(walk, line, out);
    else
        scan_key(walk, inner, out);
}

/* Ends the line where inih shall see it end: a section behind its ], all that is none at once. */
static void terminate(struct scan_line *line, char *text, size_t size)
{
    if (line->kind == SCAN_SECTION)
        size = line->name.size + 2;
    text[size] = '\0';
    line->text = line->kind == SCAN_NOTHING ? "" : text;
}

/* The file's bytes; 0 when there are none to go through, and the report says why. */
static size_t take_file(struct scan *scan, const struct walk *walk)
{
    struct error err;
    size_t size = 0;
    int rc = read_whole(walk->file, SCAN_FILE_MAX_BYTES, &scan->data, &size, &err);

    if (rc == 0 && size >= 2 &&
        (memcmp(scan->data, "\xFF\xFE", 2) == 0 || memcmp(scan->data, "\xFE\xFF", 2) == 0)) {
        rc = error_set(&err, ERR_CONFIG, "the file is in UTF-16");
        error_hint(&err, "save it as UTF-8");
    }
    if (rc == 0)
        return size;
    refuse(walk, NULL, &err);
    return 0;
}

/* Doubles the room for lines whenever it is full: when their number is a power of two. */
static struct scan_line *add_line(struct scan *scan)
{
    if ((scan->count & (scan->count - 1)) == 0)
        scan->lines =
            mem_resize(scan->lines, scan->count ? scan->count * 2 : 1, sizeof *scan->lines);
    return &scan->lines[scan->count++];
}

void scan_init(struct scan *scan, const char *file, struct report *report)
{
    struct walk walk = {.file = file, .report = report};

    *scan = (struct scan){0};
    size_t size = take_file(scan, &walk);
    size_t at = size >= 3 && memcmp(scan->data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (at < size) {
        char *text = scan->data + at;
        const char *end = memchr(text, '\n', size - at);
        size_t all = end ? (size_t)(end - text) : size - at;
        size_t used = end && all > 0 && text[all - 1] == '\r' ? all - 1 : all;
        struct scan_line *line = add_line(scan);
        *line = (struct scan_line){.kind = SCAN_NOTHING};
        scan_line(&walk, (struct scan_piece){text, used}, line);
        terminate(line, text, used);
        at += all + 1;
    }
}

void scan_fini(struct scan *scan)
{
    free(scan->data);
    free(scan->lines);
    *scan = (struct scan){0};
}
