/* SPDX-License-Identifier: PostgreSQL */
#include "worker/sift.h"

#include "base/mem.h"
#include "base/pause.h"
#include "worker/outcome.h"
#include "worker/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An index takes more: a third of a page, of 8 KiB mostly. */
#define TOO_LARGE_LEAST_BYTES 512

struct sift {
    uv_loop_t *loop;
    struct db_conn *conn;
    struct input *input;
    on_sifted answer;
    void *arg;
    struct chunk chunk;
    int64_t most_rejects;
    struct digest *digest; /* of all parts that are done */
    struct chunk *parts;   /* still to be tried: the next is the last of them */
    size_t count, room;
    struct transfer *transfer; /* of the part in hand; NULL between two */
    struct pass_counts counts;
    struct refusals refusals;
};

static void push(struct sift *s, const struct chunk *part)
{
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 32;
        s->parts = mem_resize(s->parts, s->room, sizeof *s->parts);
    }
    s->parts[s->count++] = *part;
}

/* A part without records: what is refused of it, by a trigger of the statement, is the fault of
 * none. */
static void push_nothing(struct sift *s, const struct chunk *chunk)
{
    struct chunk nothing = *chunk;

    nothing.last_line = nothing.first_line - 1;
    nothing.start_offset = nothing.end_offset;
    push(s, &nothing);
}

static void end(struct sift *s, const struct db_error *err)
{
    s->answer(s->arg, err);
}

/* The one record of a part is refused. */
static int refuse(struct sift *s, const struct chunk *part, const struct db_error *why,
                  struct error *err)
{
    pass_count_reject(&s->counts, part->first_line);
    snprintf(s->counts.reject_reason, PASS_REASON_BYTES, "%s", why->error.message);
    refusals_add(&s->refusals, part->first_line, &why->error);
    return s->counts.rejects > s->most_rejects ? pass_refuse_rejects(s->input, &s->counts, err) : 0;
}

/* ---- the parts ---- */

static void on_part_done(void *arg, const struct db_error *err);

/* Together they were what the splitter saw. */
static void end_well(struct sift *s)
{
    unsigned char hash[DIGEST_BYTES];
    struct db_error failed;
    struct error err;

    digest_read(s->digest, hash);
    if (memcmp(hash, s->chunk.hash, sizeof hash) == 0) {
        end(s, NULL);
        return;
    }
    pass_refuse_unstable(s->input, &s->chunk, &err);
    failed = outcome_own(&err);
    end(s, &failed);
}

static void try_next(void *arg, const struct db_error *err)
{
    struct sift *s = arg;

    if (err) {
        end(s, err);
        return;
    }
    if (s->count == 0) {
        end_well(s);
        return;
    }
    PAUSE("sift.before_part");
    struct chunk part = s->parts[--s->count];
    struct pass *pass = pass_part(s->input, &part, s->most_rejects - s->counts.rejects, s->digest);
    s->transfer = transfer_new(s->loop, s->conn, s->input, pass, on_part_done, s);
}

/* The server has come to an end of its own, for no index has too little room for so short a record.
 * Taken for the records' fault, it would make rejects of all that follow. */
static bool is_servers_limit(const struct chunk *part, const struct db_error *why)
{
    return strcmp(why->error.sqlstate, MEANING_TOO_LARGE) == 0 &&
           part->end_offset - part->start_offset < TOO_LARGE_LEAST_BYTES;
}

/* What the server refused: cut in two, or found. False: it goes no further, because of `failed`. */
static bool take_refused(struct sift *s, const struct db_error *why, struct db_error *failed)
{
    const struct pass *pass = transfer_pass(s->transfer);
    const struct chunk *part = pass_chunk(pass);
    struct chunk first, second;
    struct error err;

    *failed = *why; /* what is neither a part that can be cut nor a record is no record's fault */
    if (why->meaning != DB_DATA)
        return false;
    if (pass_cut(pass, &first, &second)) {
        push(s, &second);
        push(s, &first);
        return true;
    }
    if (part->first_line < part->last_line || pass_counts(pass)->rows == 0)
        return false;
    if (is_servers_limit(part, why)) {
        failed->meaning = DB_DENIED;
        failed->error.code = ERR_DATABASE;
        return false;
    }
    digest_copy(s->digest, pass_digest(pass));
    if (refuse(s, part, why, &err) == 0)
        return true;
    *failed = outcome_own(&err);
    return false;
}

static void on_part_done(void *arg, const struct db_error *err)
{
    struct sift *s = arg;
    const struct pass *pass = transfer_pass(s->transfer);
    struct db_error failed;
    bool goes_on = true;

    if (err) {
        goes_on = take_refused(s, err, &failed);
    } else {
        digest_copy(s->digest, pass_digest(pass));
        pass_counts_add(&s->counts, pass_counts(pass));
    }
    transfer_close(s->transfer);
    s->transfer = NULL;
    if (!goes_on)
        end(s, &failed);
    else if (err)
        savepoint_return(s->conn, try_next, s);
    else
        savepoint_advance(s->conn, try_next, s);
}

struct sift *sift_new(uv_loop_t *loop, struct db_conn *conn, struct input *input,
                      const struct chunk *chunk, int64_t most_rejects, on_sifted answer, void *arg)
{
    struct sift *s = NEW(struct sift);

    s->loop = loop;
    s->conn = conn;
    s->input = input;
    s->answer = answer;
    s->arg = arg;
    s->chunk = *chunk;
    s->most_rejects = most_rejects;
    s->digest = digest_new();
    push(s, chunk);
    push_nothing(s, chunk);
    savepoint_set(conn, try_next, s);
    return s;
}

const struct pass_counts *sift_counts(const struct sift *s)
{
    return &s->counts;
}

struct refusals sift_take_refusals(struct sift *s)
{
    struct refusals taken = s->refusals;

    s->refusals = (struct refusals){.count = 0};
    return taken;
}

void sift_close(struct sift *s)
{
    if (!s)
        return;
    transfer_close(s->transfer);
    refusals_fini(&s->refusals);
    digest_free(s->digest);
    free(s->parts);
    free(s);
}
