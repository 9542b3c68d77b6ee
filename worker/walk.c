/* SPDX-License-Identifier: PostgreSQL */
#include "worker/walk.h"

#include "base/mem.h"
#include "db/proof.h"
#include "worker/found.h"
#include "worker/outcome.h"
#include "worker/part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 64          /* checkpoints that are read at once */
#define BEYOND 100       /* rows beyond one a record: no more are read */
#define NONE INT64_C(-1) /* no record */

/* The stages follow one another in this file's order, read from its end: summarised, snapshot,
 * checkpoints, (a chunk, its parts: read, rejects, rows, compared), counted. */
struct walk {
    uv_loop_t *loop;
    const struct job *job;
    const struct proof_events *events;
    void *arg;
    struct db_conn *conn;
    struct input *input;

    struct checkpoint page[PAGE];
    size_t page_count, page_at;
    struct checkpoint last; /* the last that was compared; chunk_no 0: none */
    int64_t rows, rejects;  /* found so far */

    struct reader *reader; /* of the chunk in hand, or NULL */
    struct part *part;
    struct found *found; /* rows that are not compared yet */
    size_t asked;        /* for so many at once */
    bool all_fetched;    /* of the chunk's rows */
    bool chunk_ends;
    struct differences differences; /* found in the chunk, whose hash is not known yet */

    uv_work_t work; /* part_read, in the thread pool */
    bool works;
    int work_rc;
    struct error work_error;
    bool ended, closed;
};

static void walk_free(struct walk *walk)
{
    reader_free(walk->reader);
    part_free(walk->part);
    found_free(walk->found);
    input_leave(walk->input);
    free(walk);
}

void walk_close(struct walk *walk)
{
    if (!walk || walk->closed)
        return;
    walk->closed = true;
    if (!walk->works)
        walk_free(walk);
}

/* ---- the end ---- */

static void end(struct walk *walk, const struct ending *ending)
{
    if (walk->ended || walk->closed)
        return;
    walk->ended = true;
    walk->events->on_ended(walk->arg, ending);
}

static void end_by_database(struct walk *walk, const struct db_error *err)
{
    struct ending ending = outcome_of(err);

    end(walk, &ending);
}

static void fail(struct walk *walk, const struct error *err)
{
    const struct ending ending = {.outcome = OUTCOME_FAILED, .error = *err};

    end(walk, &ending);
}

/* `line` NONE: it is about no record. */
static void differ(struct walk *walk, int64_t line, const char *detail)
{
    const struct job *job = walk->job;
    struct error err;

    if (line == NONE)
        error_set(&err, ERR_DIFFERS, "the table does not hold what \"%s\" says", job->path);
    else
        error_set(&err, ERR_DIFFERS,
                  "the table does not hold what \"%s\" says, from record %lld on", job->path,
                  (long long)line);
    error_detail(&err, "%s", detail);
    char *command = outcome_command(job, NULL);
    error_hint(&err,
               "Somebody has changed the table, or it is damaged. To upload the file anew: "
               "uploadctl forget --rows %" PRId64 ", then %s",
               job->tracker, command);
    free(command);
    fail(walk, &err);
}

/* ---- the count ---- */

static void on_counted(void *arg, const struct proof_count *count, const struct db_error *err)
{
    struct walk *walk = arg;
    const struct ending equal = {.outcome = OUTCOME_EQUAL};
    char detail[256];

    if (err) {
        end_by_database(walk, err);
    } else if (count->has_stranger) {
        snprintf(detail, sizeof detail,
                 "The table has a row of record %lld, the upload ends at record %lld.",
                 (long long)count->stranger, (long long)walk->last.last_line);
        differ(walk, count->stranger, detail);
    } else if (count->rows != walk->rows || count->rejects != walk->rejects) {
        snprintf(detail, sizeof detail,
                 "All records are there, but the whole table has %lld rows and %lld rejects of "
                 "this upload, and its indexes lead to %lld and %lld.",
                 (long long)count->rows, (long long)count->rejects, (long long)walk->rows,
                 (long long)walk->rejects);
        differ(walk, NONE, detail);
    } else {
        end(walk, &equal);
    }
}

/* What was uploaded of it is there. */
static void differ_by_growth(struct walk *walk)
{
    struct error err;

    error_set(&err, ERR_DIFFERS, "\"%s\" has grown since it was uploaded", walk->job->path);
    error_detail(&err,
                 "It has %lld bytes, %lld of them are uploaded, and their rows are all there.",
                 (long long)walk->input->source.identity.size, (long long)walk->last.end_offset);
    error_hint(&err, "Put what is new, with a header, into a file of its own, and upload that.");
    fail(walk, &err);
}

static void count_all(struct walk *walk)
{
    if (walk->last.final && walk->input->source.identity.size != walk->last.end_offset) {
        differ_by_growth(walk);
        return;
    }
    proof_count(walk->conn, walk->job->tracker, walk->last.last_line, on_counted, walk);
}

/* ---- a part ---- */

static void read_part(struct walk *walk);
static void next_chunk(struct walk *walk);

static void report(struct walk *walk)
{
    const struct point point = {
        .chunk = {.chunk_no = walk->page[walk->page_at].chunk_no,
                  .last_line = part_last(walk->part),
                  .end_offset = part_end(walk->part)},
        .rows = walk->rows,
        .rejects = walk->rejects,
    };

    walk->events->on_progress(walk->arg, &point);
}

/* The chunk's records are compared; its checkpoint has counted them. */
static void end_part(struct walk *walk)
{
    const struct checkpoint *chunk = &walk->page[walk->page_at];
    char detail[160];

    if (part_count(walk->part) > 0)
        report(walk);
    if (!walk->chunk_ends) {
        read_part(walk);
        return;
    }
    if (chunk->rows_total != walk->rows || chunk->rejects_total != walk->rejects) {
        snprintf(detail, sizeof detail,
                 "Up to chunk %lld the checkpoints count %lld rows and %lld rejects, the table has "
                 "%lld and %lld.",
                 (long long)chunk->chunk_no, (long long)chunk->rows_total,
                 (long long)chunk->rejects_total, (long long)walk->rows, (long long)walk->rejects);
        differ(walk, NONE, detail);
        return;
    }
    walk->last = *chunk;
    walk->page_at++;
    next_chunk(walk);
}

/* It may be the file that has changed: that is known at the chunk's end. */
static void end_different(struct walk *walk)
{
    if (walk->chunk_ends)
        differ(walk, walk->differences.first, walk->differences.text);
    else
        read_part(walk);
}

/* The rows of the part are there, and perhaps some of the next. */
static void compare(struct walk *walk)
{
    size_t there = found_until(walk->found, part_last(walk->part));

    part_compare(walk->part, found_rows(walk->found, there), there, &walk->differences);
    if (walk->differences.count > 0) {
        end_different(walk);
        return;
    }
    found_drop(walk->found, there);
    walk->rows += (int64_t)there;
    walk->rejects += part_rejects(walk->part);
    end_part(walk);
}

static void read_rows(struct walk *walk);

static void on_rows(void *arg, const struct proof_row *rows, size_t count,
                    const struct db_error *err)
{
    struct walk *walk = arg;

    if (err) {
        end_by_database(walk, err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        found_add(walk->found, &rows[i]);
    walk->all_fetched = count < walk->asked;
    read_rows(walk);
}

/* As many as the part should have, and one of the next: it shows that no more come. Many more than
 * it should have differ, however many. */
static void read_rows(struct walk *walk)
{
    size_t due = part_due(walk->part);
    size_t there = found_until(walk->found, part_last(walk->part));
    bool complete = walk->all_fetched || there < found_count(walk->found) || there > due + BEYOND;

    if (complete) {
        compare(walk);
        return;
    }
    walk->asked = there < due ? due - there + 1 : BEYOND;
    proof_fetch(walk->conn, walk->asked, on_rows, walk);
}

static void on_part_rejects(void *arg, const struct tracker_reject *rejects, size_t count,
                            const struct db_error *err)
{
    struct walk *walk = arg;

    if (err) {
        end_by_database(walk, err);
        return;
    }
    part_take_rejects(walk->part, rejects, count);
    read_rows(walk);
}

static void read_rejects(struct walk *walk)
{
    part_ask_rejects(walk->part, walk->conn, walk->job->tracker, on_part_rejects, walk);
}

static void on_part(uv_work_t *work)
{
    struct walk *walk = CONTAINER_OF(work, struct walk, work);

    walk->work_rc = part_read(walk->part, walk->reader, &walk->work_error);
}

static void on_part_done(uv_work_t *work, int status)
{
    struct walk *walk = CONTAINER_OF(work, struct walk, work);

    (void)status; /* it is never cancelled */
    walk->works = false;
    walk->chunk_ends = walk->work_rc == 0;
    if (walk->closed)
        walk_free(walk);
    else if (walk->ended)
        return;
    else if (walk->work_rc < 0)
        fail(walk, &walk->work_error);
    else if (walk->differences.count > 0)
        end_different(walk);
    else if (part_count(walk->part) == 0)
        end_part(walk);
    else
        read_rejects(walk);
}

static void read_part(struct walk *walk)
{
    walk->works = true;
    uv_queue_work(walk->loop, &walk->work, on_part, on_part_done);
}

/* ---- the chunks ---- */

static void read_page(struct walk *walk);

static void on_opened(void *arg, const struct db_error *err)
{
    if (err)
        end_by_database(arg, err);
    else
        read_part(arg);
}

static void begin_chunk(struct walk *walk)
{
    const struct checkpoint *chunk = &walk->page[walk->page_at];
    char detail[128];

    if (!checkpoint_follows(&walk->last, chunk)) {
        snprintf(detail, sizeof detail, "The chain of checkpoints is broken before chunk %lld.",
                 (long long)chunk->chunk_no);
        differ(walk, walk->last.last_line + 1, detail);
        return;
    }
    reader_free(walk->reader);
    walk->reader = reader_new(walk->input, chunk);
    found_clear(walk->found);
    walk->all_fetched = false;
    proof_open(walk->conn, walk->job->tracker, chunk->first_line, chunk->last_line, on_opened,
               walk);
}

static void next_chunk(struct walk *walk)
{
    if (walk->page_at == walk->page_count)
        read_page(walk);
    else
        begin_chunk(walk);
}

/* ---- the checkpoints ---- */

static void on_page(void *arg, const struct checkpoint *checkpoints, size_t count,
                    const struct db_error *err)
{
    struct walk *walk = arg;

    if (err) {
        end_by_database(walk, err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        walk->page[i] = checkpoints[i];
    walk->page_count = count;
    walk->page_at = 0;
    if (count > 0)
        next_chunk(walk);
    else
        count_all(walk);
}

static void read_page(struct walk *walk)
{
    checkpoints_read(walk->conn, walk->job->tracker, walk->last.chunk_no, PAGE, on_page, walk);
}

/* ---- the snapshot ---- */

static void on_begun(void *arg, const struct db_error *err)
{
    if (err)
        end_by_database(arg, err);
    else
        read_page(arg);
}

static void on_summarized(void *arg, const struct db_error *err)
{
    struct walk *walk = arg;

    if (err)
        end_by_database(walk, err);
    else
        proof_begin(walk->conn, on_begun, walk);
}

/* What is not summarised yet would be read again for each chunk. */
static void on_left(void *arg, const struct db_error *err)
{
    struct walk *walk = arg;

    if (err)
        end_by_database(walk, err);
    else
        target_summarize(walk->conn, on_summarized, walk);
}

struct walk *walk_new(uv_loop_t *loop, const struct job *job, struct db_conn *conn,
                      struct input *input, const struct proof_events *events, void *arg)
{
    struct walk *walk = NEW(struct walk);

    walk->loop = loop;
    walk->job = job;
    walk->conn = conn;
    walk->input = input_use(input);
    walk->events = events;
    walk->arg = arg;
    walk->part = part_new();
    walk->found = found_new();
    chunk_rollback(conn, on_left, walk);
    return walk;
}
