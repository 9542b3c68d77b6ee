/* SPDX-License-Identifier: PostgreSQL */
#include "tests/fuzz/csv_world.h"

#include "base/mem.h"
#include "tests/fuzz/copy_reader.h"
#include "tests/fuzz/fuzz.h"
#include "worker/pass.h"

#include <string.h>

/* How often a chunk is halved. */
#define CUTS_MAX 2

/* What the server is to have said of a record that it refuses. */
static const char said[] = "the server does not like it";
static const char sqlstate[] = "23514";

/* ---- the records ---- */

size_t world_first_index(const struct world *w)
{
    return w->job.profile.header && w->count > 0 ? 1 : 0;
}

const struct csv_record *world_record(const struct world *w, int64_t line)
{
    return &w->records[world_first_index(w) + (size_t)line - 1];
}

bool world_is_good(const struct world *w, const struct csv_record *record,
                   char reason[FIELDS_REASON_BYTES])
{
    const struct layout *layout = &w->input->layout;

    return !csv_model_refuses(&w->rules, record, (size_t)layout->count, layout->more, reason);
}

void world_demand_field(const struct world *w, const struct csv_record *record, size_t index,
                        const char *data, size_t size)
{
    long wanted = csv_model_field(&w->rules, record, index, w->text);

    DEMAND(wanted >= 0 && (size_t)wanted == size);
    DEMAND(size == 0 || memcmp(data, w->text, size) == 0);
}

/* ---- the passes ---- */

static bool is_refused(const struct world *w, int64_t line)
{
    return w->choices.refused > 0 && line % w->choices.refused == 0;
}

/* All slices of a pass, one behind the other. */
static void run_pass(struct pass *pass, struct encoded *all)
{
    const char *data;
    struct error err;
    size_t size;
    int rc;

    do {
        rc = pass_next(pass, &data, &size, &err);
        DEMAND(rc >= 0);
        all->data = mem_resize(all->data, all->size + size, 1);
        if (size > 0)
            memcpy(all->data + all->size, data, size);
        all->size += size;
    } while (rc > 0);
}

static void compare_bytes(struct copy_reader *reader, const char *wanted, size_t size)
{
    size_t found;
    const char *bytes = copy_reader_bytes(reader, &found);

    DEMAND(bytes && found == size && (size == 0 || memcmp(bytes, wanted, size) == 0));
}

/* The rows of the records [first, last], and nothing behind them. */
static void compare_rows(const struct world *w, const struct encoded *all, int64_t first,
                         int64_t last, const struct pass_counts *counts)
{
    struct copy_reader reader;
    char reason[FIELDS_REASON_BYTES];
    int64_t rows = 0;

    copy_reader_begin(&reader, all->data, all->size);
    for (int64_t line = first; line <= last; line++) {
        const struct csv_record *record = world_record(w, line);
        if (!world_is_good(w, record, reason))
            continue;
        DEMAND(copy_reader_tuple(&reader, 2 + PROFILE_COLUMNS));
        DEMAND(copy_reader_bigint(&reader) == w->job.tracker);
        DEMAND(copy_reader_bigint(&reader) == line);
        for (int i = 0; i < PROFILE_COLUMNS; i++) {
            size_t size;
            const char *value = copy_reader_bytes(&reader, &size);
            DEMAND(value);
            world_demand_field(w, record, (size_t)w->input->layout.index[i], value, size);
        }
        rows++;
    }
    DEMAND(!copy_reader_tuple(&reader, 0));
    DEMAND(counts->rows == rows && counts->rows + counts->rejects == last - first + 1);
}

/* The rows of a chunk, or of a part that is so many cuts away from one; then of its own parts. The
 * last of them are what they were cut from: their bytes are added to `digest`. */
static void check_rows(const struct world *w, const struct chunk *chunk, int cuts,
                       struct digest *digest)
{
    struct pass *pass = cuts > 0 ? pass_part(w->input, chunk, INT64_MAX, digest)
                                 : pass_rows(w->input, chunk, INT64_MAX);
    struct encoded all = {0};
    struct chunk first;
    struct chunk second;

    run_pass(pass, &all);
    compare_rows(w, &all, chunk->first_line, chunk->last_line, pass_counts(pass));
    bool cut = pass_cut(pass, &first, &second);
    bool last = !cut || cuts == CUTS_MAX || w->choices.refused == 0;
    if (last && cuts > 0)
        digest_copy(digest, pass_digest(pass));
    encoded_fini(&all);
    pass_free(pass);
    DEMAND(cut == (chunk->last_line > chunk->first_line));
    if (last)
        return;
    DEMAND(first.first_line == chunk->first_line && second.last_line == chunk->last_line);
    DEMAND(first.last_line + 1 == second.first_line && first.last_line >= first.first_line);
    check_rows(w, &first, cuts + 1, digest);
    check_rows(w, &second, cuts + 1, digest);
    if (cuts > 0)
        return;
    unsigned char hash[DIGEST_BYTES];
    digest_read(digest, hash);
    DEMAND(memcmp(hash, chunk->hash, sizeof hash) == 0);
}

/* The rejects: the records that are bad, and the good ones that the server has refused. */
void world_demand_rejects(const struct world *w, const struct chunk *chunk)
{
    struct refusals refusals = {0};
    struct encoded all = {0};
    struct copy_reader reader;
    struct error server;
    char reason[FIELDS_REASON_BYTES];

    error_set(&server, ERR_DATABASE, "%s", said);
    error_sqlstate(&server, sqlstate);
    for (int64_t line = chunk->first_line; line <= chunk->last_line; line++)
        if (is_refused(w, line) && world_is_good(w, world_record(w, line), reason))
            refusals_add(&refusals, line, &server);
    struct pass *pass = pass_rejects(w->input, chunk, refusals);
    run_pass(pass, &all);
    copy_reader_begin(&reader, all.data, all.size);
    for (int64_t line = chunk->first_line; line <= chunk->last_line; line++) {
        const struct csv_record *record = world_record(w, line);
        bool good = world_is_good(w, record, reason);
        size_t kept = record->length < w->rules.max_record ? record->length : w->rules.max_record;
        size_t size;
        if (good && !is_refused(w, line))
            continue;
        DEMAND(copy_reader_tuple(&reader, 7));
        DEMAND(copy_reader_bigint(&reader) == w->job.tracker);
        DEMAND(copy_reader_bigint(&reader) == line);
        DEMAND(copy_reader_bigint(&reader) == (int64_t)record->start);
        DEMAND(copy_reader_bigint(&reader) == (int64_t)record->length);
        compare_bytes(&reader, good ? said : reason, strlen(good ? said : reason));
        if (good)
            compare_bytes(&reader, sqlstate, strlen(sqlstate));
        else
            DEMAND(!copy_reader_bytes(&reader, &size));
        compare_bytes(&reader, w->rules.data + record->start, kept);
    }
    DEMAND(!copy_reader_tuple(&reader, 0));
    encoded_fini(&all);
    pass_free(pass);
}

void world_demand_rows(const struct world *w, const struct chunk *chunk)
{
    struct digest *digest = digest_new();

    check_rows(w, chunk, 0, digest);
    digest_free(digest);
}
