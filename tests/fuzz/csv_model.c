/* SPDX-License-Identifier: PostgreSQL */
#include "tests/fuzz/csv_model.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define REASON_BYTES 128

static bool is_line_end(char byte)
{
    return byte == '\n' || byte == '\r';
}

/* Behind the field at `at`; *after: text follows its closing quote; SIZE_MAX: a quote stays open.
 */
static size_t end_of_field(const struct csv_rules *r, size_t at, bool *after)
{
    size_t opened = at;

    *after = false;
    if (at < r->size && r->data[at] == r->quote) {
        for (at++;; at += 2) { /* over a doubled quote */
            while (at < r->size && r->data[at] != r->quote && at - opened < r->max_record)
                at++;
            if (at >= r->size || at - opened >= r->max_record)
                return SIZE_MAX;
            if (at + 1 == r->size || r->data[at + 1] != r->quote)
                break;
        }
        at++;
        *after = at < r->size && r->data[at] != r->delimiter && !is_line_end(r->data[at]);
        if (*after) /* to the end of the line, whatever there is */
            while (at < r->size && !is_line_end(r->data[at]))
                at++;
        return at;
    }
    while (at < r->size && r->data[at] != r->delimiter && !is_line_end(r->data[at]))
        at++;
    return at;
}

int csv_model_next(const struct csv_rules *r, size_t at, struct csv_record *record)
{
    if (at == 0 && r->size >= 3 && memcmp(r->data, "\xEF\xBB\xBF", 3) == 0)
        at = 3;
    while (at < r->size && is_line_end(r->data[at]))
        at++;
    if (at == r->size)
        return 0;
    *record = (struct csv_record){.start = at};
    while (true) {
        size_t field = at;
        at = end_of_field(r, at, &record->text_after_quote);
        if (at == SIZE_MAX) {
            record->start = field;
            return -1;
        }
        if (at == r->size || is_line_end(r->data[at]))
            break;
        at++; /* the delimiter */
    }
    record->length = at - record->start;
    record->complete = at < r->size && !(r->data[at] == '\r' && at + 1 == r->size);
    bool cr = at < r->size && r->data[at] == '\r';
    if (at < r->size)
        at++;
    if (cr && at < r->size && r->data[at] == '\n')
        at++;
    record->end = at;
    return 1;
}

long csv_model_field(const struct csv_rules *r, const struct csv_record *record, size_t index,
                     char *out)
{
    size_t at = record->start;
    size_t end = record->start + record->length;
    bool after;
    long size = 0;

    for (; index > 0; index--) {
        at = end_of_field(r, at, &after);
        if (at >= end)
            return -1;
        at++;
    }
    size_t stop = end_of_field(r, at, &after);
    bool quoted = at < stop && r->data[at] == r->quote;
    for (size_t i = quoted ? at + 1 : at; i < (quoted ? stop - 1 : stop); i++) {
        out[size++] = r->data[i];
        i += quoted && r->data[i] == r->quote; /* the second of two */
    }
    return size;
}

/* Bytes of the character at s, as the table of RFC 3629 has them; 0: none. */
static size_t utf8_character(const unsigned char *s, size_t left)
{
    static const struct {
        unsigned char first, last; /* of the first byte */
        unsigned char low, high;   /* of the second */
        size_t size;
    } forms[] = {
        {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t size = forms[i].size;
        if (s[0] < forms[i].first || s[0] > forms[i].last)
            continue;
        if (size > left || (size > 1 && (s[1] < forms[i].low || s[1] > forms[i].high)))
            return 0;
        for (size_t at = 2; at < size; at++)
            if (s[at] < 0x80 || s[at] > 0xBF)
                return 0;
        return size;
    }
    return 0;
}

/* The first byte, from 1, that is NUL or begins no character; 0: there is none. */
static size_t bad_byte(const char *data, size_t size, bool *nul)
{
    size_t n;

    for (size_t at = 0; at < size; at += n) {
        n = utf8_character((const unsigned char *)data + at, size - at);
        *nul = data[at] == '\0';
        if (n == 0 || *nul)
            return at + 1;
    }
    return 0;
}

static size_t count_fields(const struct csv_rules *r, const struct csv_record *record)
{
    size_t end = record->start + record->length;
    size_t count = 1;
    bool after;

    for (size_t at = record->start; (at = end_of_field(r, at, &after)) < end; at++)
        count++;
    return count;
}

bool csv_model_refuses(const struct csv_rules *r, const struct csv_record *record, size_t count,
                       bool more, char *reason)
{
    bool nul;

    if (record->length > r->max_record) {
        snprintf(reason, REASON_BYTES, "longer than max_record (%zu bytes)", r->max_record);
        return true;
    }
    if (record->text_after_quote) {
        snprintf(reason, REASON_BYTES, "text after a closing quote");
        return true;
    }
    size_t bad = bad_byte(r->data + record->start, record->length, &nul);
    if (bad > 0) {
        snprintf(reason, REASON_BYTES,
                 nul ? "a NUL byte at byte %zu of the record"
                     : "not UTF-8 at byte %zu of the record",
                 bad);
        return true;
    }
    size_t found = count_fields(r, record);
    if (found == count || (more && found > count))
        return false;
    snprintf(reason, REASON_BYTES, "%zu field%s instead of %s%zu", found, found == 1 ? "" : "s",
             more ? "at least " : "", count);
    return true;
}
