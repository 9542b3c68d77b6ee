/* SPDX-License-Identifier: PostgreSQL */
#include "csv/scanner.h"

#include "base/mem.h"
#include "csv/digest.h"
#include "csv/find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES ((size_t)256 * 1024)

static const char bom[] = {'\xEF', '\xBB', '\xBF'};

/* What the next byte is a part of. */
enum state {
    PLAIN,   /* an unquoted field, or the start of any */
    QUOTED,  /* a quoted field, its quote open */
    CLOSING, /* the byte behind a quote in a quoted field, which says what the quote was */
    TEXT     /* text after a closing quote, up to the line end */
};

/* buf[0, filled) are bytes of the file, of which the one at index i lies at base + i. Only of a
 * record that has become too long this does not hold for its beginning: its first max_record
 * bytes are kept, those behind are dropped as they are passed. */
struct scanner {
    const struct source *source;
    int64_t max_record;
    int64_t end; /* of the range */
    size_t read_bytes;
    char delimiter;
    char quote;
    enum state state;
    bool quoted;       /* a field of this record is */
    int64_t quoted_at; /* offset of the quote that opened last */
    int64_t start;     /* offset of this record */
    size_t first;      /* index of this record; of the next, equal to pos, between two */
    size_t pos;        /* index of the next byte to look at */
    size_t filled;
    size_t size;
    char *buf;
    int64_t base;
    struct digest *hash;  /* of this stretch; NULL: not asked for */
    struct digest *whole; /* borrowed; NULL: not asked for */
    int64_t hashed;       /* offset of the first byte that is not hashed */
};

static bool is_line_end(char byte)
{
    return byte == '\n' || byte == '\r';
}

struct scanner *scanner_new(const struct source *source, char delimiter, char quote,
                            int64_t max_record, int64_t start, int64_t end)
{
    struct scanner *s = NEW(struct scanner);

    s->source = source;
    s->delimiter = delimiter;
    s->quote = quote;
    s->max_record = max_record;
    s->base = start;
    s->end = end < 0 || end > source->identity.size ? source->identity.size : end;
    s->read_bytes = READ_BYTES;
    if (start < s->end && s->end - start < (int64_t)READ_BYTES) /* no larger buffer than that */
        s->read_bytes = (size_t)(s->end - start);
    return s;
}

void scanner_free(struct scanner *s)
{
    if (!s)
        return;
    digest_free(s->hash);
    free(s->buf);
    free(s);
}

void scanner_read_bytes(struct scanner *s, size_t bytes)
{
    s->read_bytes = bytes;
}

int64_t scanner_offset(const struct scanner *s)
{
    return s->base + (int64_t)s->pos;
}

void scanner_hash_start(struct scanner *s)
{
    if (!s->hash)
        s->hash = digest_new();
    digest_clear(s->hash);
    s->hashed = scanner_offset(s);
}

void scanner_feed(struct scanner *s, struct digest *whole)
{
    s->whole = whole;
}

/* Hashes what is not yet hashed of the bytes before this index. */
static void hash_up_to(struct scanner *s, size_t index)
{
    int64_t bytes = s->base + (int64_t)index - s->hashed;

    if (!s->hash || bytes <= 0)
        return;
    digest_add(s->hash, s->buf + index - bytes, (size_t)bytes);
    if (s->whole)
        digest_add(s->whole, s->buf + index - bytes, (size_t)bytes);
    s->hashed += bytes;
}

void scanner_hash(struct scanner *s, unsigned char hash[SOURCE_HASH_BYTES])
{
    hash_up_to(s, s->pos);
    digest_read(s->hash, hash);
    digest_clear(s->hash);
}

/* Takes passed bytes out of the buffer: those at [from, to). */
static void drop(struct scanner *s, size_t from, size_t to)
{
    if (from == to)
        return;
    hash_up_to(s, to);
    memmove(s->buf + from, s->buf + to, s->filled - to);
    s->filled -= to - from;
    s->pos -= to - from;
    s->base += (int64_t)(to - from);
}

/* Makes room behind `filled`: what is before the record goes; of one too long, what is behind
 * max_record goes but for the byte before pos, which says whether a quote at pos opens a field. */
static void make_room(struct scanner *s)
{
    size_t most = (size_t)s->max_record;

    drop(s, 0, s->first);
    s->first = 0;
    if (s->pos > most + 1)
        drop(s, most, s->pos - 1);
    if (s->filled < s->size)
        return;
    size_t limit = most + 2 + s->read_bytes;
    size_t size = s->size ? 2 * s->size : s->read_bytes;
    s->size = size < limit ? size : limit;
    s->buf = mem_resize(s->buf, s->size, 1);
}

/* Reads on: 1, or 0 at the end of the range. Indexes change. */
static int read_on(struct scanner *s, struct error *err)
{
    int64_t at = s->base + (int64_t)s->filled;
    size_t got;

    if (at == s->end)
        return 0;
    make_room(s);
    size_t want = s->size - s->filled;
    if (want > s->read_bytes)
        want = s->read_bytes;
    if (at < s->end && (int64_t)want > s->end - at)
        want = (size_t)(s->end - at);
    int rc = source_read(s->source, at, s->buf + s->filled, want, &got, err);
    if (rc < 0)
        return rc;
    s->filled += got;
    return got > 0;
}

/* Passes over a BOM at the beginning of the file. */
static int pass_bom(struct scanner *s, struct error *err)
{
    int rc = 1;

    while (s->filled < sizeof bom && rc > 0)
        rc = read_on(s, err);
    if (rc >= 0 && s->filled >= sizeof bom && memcmp(s->buf, bom, sizeof bom) == 0)
        s->pos = sizeof bom;
    return rc;
}

/* Passes over empty lines up to the first byte of a record: 1, or 0 at the end of the range.
 * They are whatever line ends stand here; which ones make up one line does not matter. */
static int begin(struct scanner *s, struct error *err)
{
    int rc;

    if (s->base == 0 && s->pos == 0 && (rc = pass_bom(s, err)) < 0)
        return rc;
    while (true) {
        while (s->pos < s->filled && is_line_end(s->buf[s->pos]))
            s->pos++;
        s->first = s->pos;
        if (s->pos < s->filled)
            break;
        if ((rc = read_on(s, err)) <= 0)
            return rc;
    }
    s->start = scanner_offset(s);
    s->state = PLAIN;
    s->quoted = false;
    return 1;
}

/* The quoted field has taken max_record bytes before the quote at p, or the end of the buffer. */
static bool open_too_long(const struct scanner *s, const char *p)
{
    return s->base + (p - s->buf) - s->quoted_at >= s->max_record;
}

/* The first line end or quote that is not part of a field's text; steps into quoted fields. */
static const char *pass_plain(struct scanner *s, const char *p, const char *end)
{
    const char *record = s->buf + s->first;

    p = find_any(p, end, '\n', '\r', s->quote);
    if (p == end || *p != s->quote)
        return p;
    if (p == record || p[-1] == s->delimiter) {
        s->state = QUOTED;
        s->quoted = true;
        s->quoted_at = s->base + (p - s->buf);
    }
    return p + 1;
}

/* The byte behind a quote in a quoted field. */
static const char *pass_closing(struct scanner *s, const char *p)
{
    if (is_line_end(*p))
        return p;
    if (*p == s->quote)
        s->state = QUOTED;
    else if (*p == s->delimiter)
        s->state = PLAIN;
    else
        s->state = TEXT;
    return p + 1;
}

/* Looks for the record's line end in the buffer: 1, pos is at it; 0, more bytes are needed;
 * -1, a quote is open for too long. */
static int find_line_end(struct scanner *s)
{
    const char *p = s->buf + s->pos;
    const char *end = s->buf + s->filled;

    while (p < end) {
        if (s->state == QUOTED) {
            p = find_one(p, end, s->quote);
            if (open_too_long(s, p))
                return -1;
            if (p == end)
                break;
            s->state = CLOSING;
            p++;
            continue;
        }
        if (s->state == PLAIN)
            p = pass_plain(s, p, end);
        else if (s->state == CLOSING)
            p = pass_closing(s, p);
        else
            p = find_any(p, end, '\n', '\r', '\n');
        if (s->state != QUOTED && p < end && is_line_end(*p)) {
            s->pos = (size_t)(p - s->buf);
            return 1;
        }
    }
    s->pos = s->filled;
    return 0;
}

/* The line of the file, from 1, that the byte at this offset stands in. */
static int line_of(const struct scanner *s, int64_t offset, int64_t *line, struct error *err)
{
    char *buf = mem_new(READ_BYTES, 1);
    bool cr = false;
    int rc = 0;

    *line = 1;
    for (int64_t at = 0; at < offset;) {
        size_t got;
        size_t want = offset - at < (int64_t)READ_BYTES ? (size_t)(offset - at) : READ_BYTES;
        if ((rc = source_read(s->source, at, buf, want, &got, err)) < 0)
            break;
        for (size_t i = 0; i < got; i++) {
            *line += buf[i] == '\r' || (buf[i] == '\n' && !cr);
            cr = buf[i] == '\r';
        }
        at += (int64_t)got;
    }
    free(buf);
    return rc;
}

static int refuse_range(const struct scanner *s, struct error *err)
{
    error_set(err, ERR_FILE_UNSTABLE, "\"%s\" changed while it was read", s->source->path);
    return error_detail(err, "No record ends at byte offset %lld any more.", (long long)s->end);
}

/* The quote that is open is not closed in time. */
static int refuse_quote(const struct scanner *s, bool at_end, struct error *err)
{
    char where[80] = "";
    int64_t line;
    int rc = line_of(s, s->quoted_at, &line, err);

    if (rc < 0)
        return rc;
    if (!at_end)
        snprintf(where, sizeof where, " within max_record (%lld bytes)", (long long)s->max_record);
    error_set(err, ERR_FILE_QUOTE,
              "the quote that opens in line %lld, byte offset %lld, of \"%s\" "
              "is not closed%s",
              (long long)line, (long long)s->quoted_at, s->source->path, where);
    error_detail(err, "The record begins at byte offset %lld.", (long long)s->start);
    return error_hint(err,
                      "Mend the file: close the quote; or, where it is meant as text, put the "
                      "field in quotes and double every quote within%s.",
                      at_end ? ""
                             : "; or, if the field is as long as that, allow it by max_record "
                               "in section [upload]");
}

/* The record ends with the bytes in the buffer, without a line end. */
static int end_without_line_end(struct scanner *s, struct error *err)
{
    if (s->end < s->source->identity.size)
        return refuse_range(s, err);
    return s->state == QUOTED ? refuse_quote(s, true, err) : 0;
}

/* Finds where the record in hand ends: pos is at its line end (1), or at the end of the
 * file (0). */
static int finish(struct scanner *s, struct error *err)
{
    while (true) {
        int rc = find_line_end(s);
        if (rc > 0)
            return rc;
        if (rc < 0)
            return refuse_quote(s, false, err);
        if ((rc = read_on(s, err)) < 0)
            return rc;
        if (rc == 0)
            return end_without_line_end(s, err);
    }
}

/* Passes over the line end at pos: whether another byte of the file shows that it is whole. */
static int pass_line_end(struct scanner *s, bool *complete, struct error *err)
{
    bool cr = s->buf[s->pos] == '\r';

    *complete = true;
    if (cr && s->pos + 1 == s->filled) { /* an LF may follow */
        int rc = read_on(s, err);
        if (rc < 0)
            return rc;
        *complete = rc > 0 || s->end < s->source->identity.size;
    }
    s->pos++;
    if (cr && s->pos < s->filled && s->buf[s->pos] == '\n')
        s->pos++;
    return 0;
}

int scanner_next(struct scanner *s, struct record *record, struct error *err)
{
    int rc = begin(s, err);

    if (rc <= 0 || (rc = finish(s, err)) < 0)
        return rc;
    *record = (struct record){
        .start_offset = s->start,
        .length = scanner_offset(s) - s->start,
        .quoted = s->quoted,
        .fault = s->state == TEXT ? RECORD_TEXT_AFTER_QUOTE : RECORD_WELL_FORMED,
    };
    if (record->length > s->max_record)
        record->fault = RECORD_TOO_LONG;
    record->size = (size_t)(record->fault == RECORD_TOO_LONG ? s->max_record : record->length);
    if (rc > 0 && (rc = pass_line_end(s, &record->complete, err)) < 0)
        return rc;
    record->data = s->buf + s->first; /* pass_line_end may have moved it */
    record->end_offset = scanner_offset(s);
    s->first = s->pos;
    return 1;
}

int scanner_is_inside(const struct source *source, int64_t offset, bool *inside, struct error *err)
{
    char around[2];
    size_t got;
    int rc = source_read(source, offset - 1, around, sizeof around, &got, err);

    *inside = rc == 0 && got == sizeof around && !is_line_end(around[0]) && !is_line_end(around[1]);
    return rc;
}
