/* SPDX-License-Identifier: PostgreSQL */
#include "csv/splitter.h"

#include "base/mem.h"
#include "csv/scanner.h"

#include <stdlib.h>

/* For less it is not worth it to have one lane more. */
#define LEAST_SHARE (INT64_C(8) << 20)

/* How the file is cut for several lanes: a whole chunk has `lanes` parts; the first ones have one,
 * two, ..., and so have the last, backwards. */
struct plan {
    int64_t lanes;
    int64_t done;          /* chunks */
    int64_t chunks, parts; /* that are left; 0: of no plan, all chunks have chunk_bytes */
};

struct splitter {
    struct scanner *scanner;
    int64_t size; /* of the file */
    int64_t chunk_bytes;
    struct plan plan;
    bool header_ahead; /* the next record is the header */
    struct chunk last;
};

struct splitter *splitter_new(const struct source *source, char delimiter, char quote, bool header,
                              int64_t max_record, int64_t chunk_bytes, const struct chunk *last)
{
    struct splitter *s = NEW(struct splitter);

    if (last->chunk_no > 0)
        s->last = *last;
    s->scanner = scanner_new(source, delimiter, quote, max_record, s->last.end_offset, -1);
    scanner_hash_start(s->scanner);
    s->size = source->identity.size;
    s->chunk_bytes = chunk_bytes;
    s->header_ahead = header && s->last.chunk_no == 0;
    return s;
}

void splitter_free(struct splitter *s)
{
    if (!s)
        return;
    scanner_free(s->scanner);
    free(s);
}

void splitter_feed(struct splitter *s, struct digest *whole)
{
    scanner_feed(s->scanner, whole);
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t rest_of(const struct splitter *s)
{
    return s->size - s->last.end_offset;
}

void splitter_share(struct splitter *s, size_t most_lanes)
{
    int64_t lanes = least((int64_t)most_lanes, rest_of(s) / LEAST_SHARE);

    if (lanes < 2)
        return;
    int64_t rounds = divide_up(rest_of(s), lanes * s->chunk_bytes);
    s->plan = (struct plan){
        .lanes = lanes, .chunks = lanes * rounds + lanes - 1, .parts = lanes * lanes * rounds};
}

static int64_t bytes_of_next(struct splitter *s)
{
    struct plan *plan = &s->plan;

    if (plan->chunks == 0)
        return s->chunk_bytes;
    int64_t parts = least(plan->lanes, least(plan->done + 1, plan->chunks));
    int64_t bytes = divide_up(rest_of(s) * parts, plan->parts);
    plan->done++;
    plan->chunks--;
    plan->parts -= parts;
    return bytes;
}

int splitter_next(struct splitter *s, struct chunk *chunk, struct error *err)
{
    struct record record;
    int64_t bytes = bytes_of_next(s);
    int rc = 0;

    if (s->last.final)
        return 0;
    *chunk = (struct chunk){
        .chunk_no = s->last.chunk_no + 1,
        .first_line = s->last.last_line + 1,
        .last_line = s->last.last_line,
        .start_offset = s->last.end_offset,
    };
    while ((rc = scanner_next(s->scanner, &record, err)) > 0) {
        if (s->header_ahead) {
            s->header_ahead = false;
            continue;
        }
        chunk->last_line++;
        if (record.end_offset - chunk->start_offset >= bytes)
            break;
    }
    if (rc < 0)
        return rc;
    chunk->end_offset = scanner_offset(s->scanner);
    chunk->final = chunk->end_offset >= s->size;
    scanner_hash(s->scanner, chunk->hash);
    s->last = *chunk;
    return 1;
}
