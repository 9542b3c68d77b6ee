/* SPDX-License-Identifier: PostgreSQL */
#include "csv/fields.h"

#include "base/mem.h"
#include "base/text.h"
#include "csv/find.h"

#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How much libcsv's own buffer grows at once, up to the longest field. */
#define GROWTH_BYTES ((size_t)16 * 1024)

struct fields {
    struct csv_parser parser;
    char delimiter;
    const struct layout *layout; /* only its fields are kept, in `taken`; NULL: all, in `all` */
    struct field *taken;
    struct field *all;
    size_t room;  /* of `all` */
    size_t count; /* fields of the record so far */
    char *text;   /* the values of fields that libcsv parsed, one behind the other */
    size_t used;
    size_t size;
};

/* Blanks are part of a field. */
static int is_space(unsigned char byte)
{
    (void)byte;
    return 0;
}

static void *resize(void *old, size_t size)
{
    return mem_resize(old, size, 1);
}

struct fields *fields_new(char delimiter, char quote)
{
    struct fields *f = NEW(struct fields);

    if (csv_init(&f->parser, 0) != 0)
        abort(); /* only for a parser that is NULL */
    csv_set_delim(&f->parser, (unsigned char)delimiter);
    csv_set_quote(&f->parser, (unsigned char)quote);
    csv_set_space_func(&f->parser, is_space);
    csv_set_realloc_func(&f->parser, resize);
    csv_set_blk_size(&f->parser, GROWTH_BYTES);
    f->delimiter = delimiter;
    return f;
}

void fields_free(struct fields *f)
{
    if (!f)
        return;
    csv_free(&f->parser);
    free(f->all);
    free(f->text);
    free(f);
}

/* Keeps a field where the caller wants it. */
static void keep(struct fields *f, const char *data, size_t size)
{
    size_t at = f->count++;

    if (!f->layout) {
        if (at == f->room) {
            f->room = f->room ? 2 * f->room : 16;
            f->all = mem_resize(f->all, f->room, sizeof *f->all);
        }
        f->all[at] = (struct field){data, size};
        return;
    }
    for (int i = 0; i < PROFILE_COLUMNS; i++)
        if ((size_t)f->layout->index[i] == at)
            f->taken[i] = (struct field){data, size};
}

/* libcsv's field: its buffer is the next field's too, so the value is copied. */
static void on_field(void *data, size_t size, void *arg)
{
    struct fields *f = arg;
    char *value = f->text + f->used;

    memcpy(value, data, size);
    f->used += size;
    keep(f, value, size);
}

/* The values of a record are together no longer than the record, so `text` does not move. */
static void split_quoted(struct fields *f, const struct record *record)
{
    if (f->size < record->size) {
        f->size = record->size < 2 * f->size ? 2 * f->size : record->size;
        f->text = mem_resize(f->text, f->size, 1);
    }
    f->used = 0;
    csv_parse(&f->parser, record->data, record->size, on_field, NULL, f);
    csv_fini(&f->parser, on_field, NULL, f);
}

/* Without a quoted field there is nothing to take away: the values lie in the record. */
static void split_plain(struct fields *f, const struct record *record)
{
    const char *end = record->data + record->size;

    for (const char *p = record->data;; p++) {
        const char *delimiter = find_one(p, end, f->delimiter);
        keep(f, p, (size_t)(delimiter - p));
        if (delimiter == end)
            break;
        p = delimiter;
    }
}

static void split(struct fields *f, const struct record *record)
{
    f->count = 0;
    if (record->quoted)
        split_quoted(f, record);
    else
        split_plain(f, record);
}

size_t fields_split(struct fields *f, const struct record *record, const struct field **values)
{
    f->layout = NULL;
    split(f, record);
    *values = f->all;
    return f->count;
}

/* All bytes are ASCII and none is NUL: eight at a time, for this is what most records are. */
static bool is_plain_ascii(const char *data, size_t size)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t hits = 0;
    uint64_t word;

    for (; size >= sizeof word; data += sizeof word, size -= sizeof word) {
        memcpy(&word, data, sizeof word);
        hits |= word | (word - ones); /* the high bit of a byte: not ASCII, or NUL */
    }
    word = ones;
    memcpy(&word, data, size);
    return ((hits | word | (word - ones)) & high) == 0;
}

/* The text of a reject that every byte of the record can cause; true when there is none. */
static bool check_bytes(const struct record *record, char *reason)
{
    if (is_plain_ascii(record->data, record->size))
        return true;
    size_t valid = text_utf8_valid(record->data, record->size);
    const char *nul = memchr(record->data, 0, valid);
    if (nul)
        snprintf(reason, FIELDS_REASON_BYTES, "a NUL byte at byte %zu of the record",
                 (size_t)(nul - record->data) + 1);
    else if (valid < record->size)
        snprintf(reason, FIELDS_REASON_BYTES, "not UTF-8 at byte %zu of the record", valid + 1);
    else
        return true;
    return false;
}

static void say_too_long(char reason[FIELDS_REASON_BYTES], size_t max_record)
{
    snprintf(reason, FIELDS_REASON_BYTES, "longer than max_record (%zu bytes)", max_record);
}

bool fields_were_too_long(const char *reason, size_t kept)
{
    char said[FIELDS_REASON_BYTES];

    say_too_long(said, kept);
    return strcmp(reason, said) == 0;
}

bool fields_take(struct fields *f, const struct record *record, const struct layout *layout,
                 struct field taken[PROFILE_COLUMNS], char reason[FIELDS_REASON_BYTES])
{
    switch (record->fault) {
    case RECORD_WELL_FORMED:
        break;
    case RECORD_TEXT_AFTER_QUOTE:
        snprintf(reason, FIELDS_REASON_BYTES, "text after a closing quote");
        return false;
    case RECORD_TOO_LONG:
        say_too_long(reason, record->size);
        return false;
    }
    if (!check_bytes(record, reason))
        return false;
    f->layout = layout;
    f->taken = taken;
    split(f, record);
    size_t wanted = (size_t)layout->count;
    if (f->count == wanted || (layout->more && f->count > wanted))
        return true;
    snprintf(reason, FIELDS_REASON_BYTES, "%zu field%s instead of %s%zu", f->count,
             f->count == 1 ? "" : "s", layout->more ? "at least " : "", wanted);
    return false;
}
