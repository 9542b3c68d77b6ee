/* SPDX-License-Identifier: PostgreSQL */
#include "worker/pass.h"

#include "base/mem.h"
#include "worker/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A slice ends when it has so many bytes, or was read from so many: a pass for few rejects finds
 * little to send, and should still be able to end early. */
#define SLICE_BYTES ((size_t)64 * 1024)
#define SLICE_READ_BYTES ((int64_t)4 * 1024 * 1024)

struct pass {
    const struct input *input;
    struct chunk chunk;
    enum pass_kind kind;
    struct digest *digest;    /* of a part, and what lies before it; NULL: it is a whole chunk */
    struct refusals refusals; /* none for rows */
    size_t refused;           /* so many of them are behind */
    int64_t most_rejects;
    struct scanner *scanner;
    struct fields *fields;
    bool begun;
    bool header_ahead; /* the next record is the header */
    int64_t line;      /* of the last record */
    int64_t line_end;  /* offset behind it */
    int64_t middle;    /* the record after which the range is halved, and the offset behind it */
    int64_t middle_end;
    struct pass_counts counts;
    struct encoded out;
};

static struct pass *pass_new(const struct input *input, const struct chunk *chunk,
                             enum pass_kind kind, int64_t most_rejects)
{
    const struct profile *profile = &input->job->profile;
    struct pass *pass = NEW(struct pass);

    pass->input = input;
    pass->chunk = *chunk;
    pass->kind = kind;
    pass->most_rejects = most_rejects;
    pass->scanner = input_scanner(input, chunk->start_offset, chunk->end_offset);
    scanner_hash_start(pass->scanner);
    pass->fields = fields_new(profile->delimiter, profile->quote);
    pass->header_ahead = profile->header && chunk->start_offset == 0;
    pass->line = chunk->first_line - 1;
    pass->middle = chunk->first_line + (chunk->last_line - chunk->first_line) / 2;
    return pass;
}

struct pass *pass_rows(const struct input *input, const struct chunk *chunk, int64_t most_rejects)
{
    return pass_new(input, chunk, PASS_ROWS, most_rejects);
}

struct pass *pass_part(const struct input *input, const struct chunk *part, int64_t most_rejects,
                       const struct digest *before)
{
    struct pass *pass = pass_new(input, part, PASS_ROWS, most_rejects);

    pass->digest = digest_new();
    digest_copy(pass->digest, before);
    scanner_feed(pass->scanner, pass->digest);
    return pass;
}

struct pass *pass_rejects(const struct input *input, const struct chunk *chunk,
                          struct refusals refusals)
{
    struct pass *pass = pass_new(input, chunk, PASS_REJECTS, INT64_MAX);

    pass->refusals = refusals;
    return pass;
}

void pass_free(struct pass *pass)
{
    if (!pass)
        return;
    scanner_free(pass->scanner);
    digest_free(pass->digest);
    fields_free(pass->fields);
    encoded_fini(&pass->out);
    refusals_fini(&pass->refusals);
    free(pass);
}

const struct digest *pass_digest(const struct pass *pass)
{
    return pass->digest;
}

const struct pass_counts *pass_counts(const struct pass *pass)
{
    return &pass->counts;
}

enum pass_kind pass_kind(const struct pass *pass)
{
    return pass->kind;
}

const struct chunk *pass_chunk(const struct pass *pass)
{
    return &pass->chunk;
}

bool pass_cut(const struct pass *pass, struct chunk *first, struct chunk *second)
{
    int64_t last = pass->middle_end > 0 ? pass->middle : pass->line;

    *first = *second = pass->chunk;
    if (last < first->first_line || last >= first->last_line)
        return false;
    first->last_line = last;
    first->end_offset = pass->middle_end > 0 ? pass->middle_end : pass->line_end;
    first->final = false;
    second->first_line = last + 1;
    second->start_offset = first->end_offset;
    return true;
}

void pass_count_reject(struct pass_counts *counts, int64_t line)
{
    if (counts->rejects < PASS_FIRST_REJECTS)
        counts->first_rejects[counts->rejects] = line;
    counts->rejects++;
    counts->reject_line = line;
}

void pass_counts_add(struct pass_counts *counts, const struct pass_counts *part)
{
    for (int64_t i = 0; i < part->rejects && counts->rejects + i < PASS_FIRST_REJECTS; i++)
        counts->first_rejects[counts->rejects + i] = part->first_rejects[i];
    counts->rows += part->rows;
    counts->rejects += part->rejects;
    if (part->rejects > 0) {
        counts->reject_line = part->reject_line;
        snprintf(counts->reject_reason, PASS_REASON_BYTES, "%s", part->reject_reason);
    }
}

/* "3, 5, 8" */
static void list_rejects(const struct pass_counts *counts, char *out, size_t size)
{
    size_t used = 0;

    for (int64_t i = 0; i < counts->rejects && i < PASS_FIRST_REJECTS; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)counts->first_rejects[i]);
}

int pass_refuse_rejects(const struct input *input, const struct pass_counts *counts,
                        struct error *err)
{
    char *command = outcome_command(input->job, NULL);
    char lines[PASS_FIRST_REJECTS * 24];

    list_rejects(counts, lines, sizeof lines);
    error_set(err, ERR_REJECT_LIMIT, "\"%s\" has more than %lld rejects", input->source.path,
              (long long)input->job->profile.reject_limit);
    error_detail(err,
                 "The last that was found is record %lld: %s. The chunk of records that it lies in "
                 "is not in, nor are the rejects of that chunk kept; the first of them: %s.",
                 (long long)counts->reject_line, counts->reject_reason, lines);
    error_hint(
        err,
        "Allow more (reject_limit of its profile's section, or else of [upload]; " HINT_RELOAD
        "), and go on with: %s; or mend the file: behind the rows that are kept, and go on "
        "just so, or anywhere, and begin anew with --restart.",
        command);
    free(command);
    return -(int)err->code;
}

int pass_refuse_unstable(const struct input *input, const struct chunk *chunk, struct error *err)
{
    error_set(err, ERR_FILE_UNSTABLE, "\"%s\" changed while it was read", input->source.path);
    error_detail(err, "The bytes from offset %lld to %lld, read again, were others.",
                 (long long)chunk->start_offset, (long long)chunk->end_offset);
    return error_hint(err, "Upload it again when what writes to it has finished.");
}

static int take_reject(struct pass *pass, const struct record *record, const char *sqlstate,
                       struct error *err)
{
    struct pass_counts *counts = &pass->counts;

    pass_count_reject(counts, pass->line);
    if (pass->kind == PASS_REJECTS)
        encode_reject(&pass->out, pass->input->job->tracker, pass->line, record,
                      counts->reject_reason, sqlstate);
    else if (counts->rejects > pass->most_rejects)
        return pass_refuse_rejects(pass->input, counts, err);
    return 1;
}

/* What the server has refused of the record in hand; NULL: it is in. */
static const struct refusal *refusal_of(struct pass *pass)
{
    const struct refusals *refusals = &pass->refusals;

    if (pass->refused == refusals->count || refusals->list[pass->refused].line != pass->line)
        return NULL;
    return &refusals->list[pass->refused++];
}

static void be_behind(struct pass *pass, const struct record *record)
{
    pass->line++;
    pass->line_end = record->end_offset;
    if (pass->line == pass->middle)
        pass->middle_end = record->end_offset;
}

static int take(struct pass *pass, const struct record *record, struct error *err)
{
    struct field values[PROFILE_COLUMNS];

    if (pass->header_ahead) {
        pass->header_ahead = false;
        return 1;
    }
    if (pass->line == pass->chunk.last_line)
        return pass_refuse_unstable(pass->input, &pass->chunk, err);
    be_behind(pass, record);
    if (!fields_take(pass->fields, record, &pass->input->layout, values,
                     pass->counts.reject_reason))
        return take_reject(pass, record, NULL, err);
    const struct refusal *refusal = refusal_of(pass);
    if (refusal) {
        snprintf(pass->counts.reject_reason, PASS_REASON_BYTES, "%s", refusal->reason);
        return take_reject(pass, record, refusal->sqlstate, err);
    }
    pass->counts.rows++;
    if (pass->kind == PASS_ROWS)
        encode_row(&pass->out, pass->input->job->tracker, pass->line, values);
    return 1;
}

/* The range is read: it was what the splitter saw. */
static int finish(struct pass *pass, struct error *err)
{
    unsigned char hash[SOURCE_HASH_BYTES];

    scanner_hash(pass->scanner, hash);
    if (pass->line != pass->chunk.last_line ||
        scanner_offset(pass->scanner) != pass->chunk.end_offset ||
        (!pass->digest && memcmp(hash, pass->chunk.hash, sizeof hash) != 0))
        return pass_refuse_unstable(pass->input, &pass->chunk, err);
    encode_tail(&pass->out);
    return 0;
}

/* Not full; behind the last record only the end is still to come. */
static bool takes_more(const struct pass *pass, int64_t start)
{
    return pass->line == pass->chunk.last_line ||
           (pass->out.size < SLICE_BYTES &&
            scanner_offset(pass->scanner) - start < SLICE_READ_BYTES);
}

int pass_next(struct pass *pass, const char **data, size_t *size, struct error *err)
{
    int64_t start = scanner_offset(pass->scanner);
    struct record record;
    int rc;

    pass->out.size = 0;
    if (!pass->begun)
        encode_head(&pass->out);
    pass->begun = true;
    do {
        if ((rc = scanner_next(pass->scanner, &record, err)) > 0)
            rc = take(pass, &record, err);
    } while (rc > 0 && takes_more(pass, start));
    if (rc == 0)
        rc = finish(pass, err);
    *data = pass->out.data;
    *size = pass->out.size;
    return rc;
}
