/* SPDX-License-Identifier: PostgreSQL */
#include "worker/proof.h"

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

/* The stages follow one another in this file's order, read from its end: connected,
 * summarised, snapshot, checkpoints, file open, (a chunk, its parts: read, rows, rejects,
 * compared), counted. */
struct proof {
    uv_loop_t *loop;
    const struct job *job;
    const struct proof_events *events;
    void *arg;
    struct db_conn *conn;
    struct input *input;
    bool open; /* the file is */

    struct checkpoint page[PAGE];
    size_t page_count, page_at;
    struct checkpoint last; /* the last that was compared; chunk_no 0: none */
    int64_t rows, rejects;  /* found so far */

    struct reader *reader; /* of the chunk in hand, or NULL */
    struct part *part;
    struct found found; /* rows that are not compared yet */
    size_t asked;       /* for so many at once */
    bool all_fetched;   /* of the chunk's rows */
    bool chunk_ends;

    uv_work_t work; /* opening, reading: in the thread pool */
    bool works;
    int work_rc;
    struct error work_error;
    bool ended, closed;
};

static void proof_free(struct proof *proof)
{
    reader_free(proof->reader);
    part_free(proof->part);
    found_fini(&proof->found);
    input_leave(proof->input);
    free(proof);
}

void proof_close(struct proof *proof)
{
    if (!proof || proof->closed)
        return;
    proof->closed = true;
    db_conn_close(proof->conn);
    if (!proof->works)
        proof_free(proof);
}

/* ---- the end ---- */

static void end(struct proof *proof, const struct ending *ending)
{
    if (proof->ended || proof->closed)
        return;
    proof->ended = true;
    proof->events->on_ended(proof->arg, ending);
}

static void end_by_database(struct proof *proof, const struct db_error *err)
{
    struct ending ending = outcome_of(err);

    end(proof, &ending);
}

static void fail(struct proof *proof, const struct error *err)
{
    const struct ending ending = {.outcome = OUTCOME_FAILED, .error = *err};

    end(proof, &ending);
}

/* `line` NONE: it is about no record. */
static void differ(struct proof *proof, int64_t line, const char *detail)
{
    const struct job *job = proof->job;
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
    fail(proof, &err);
}

/* ---- the count ---- */

static void on_counted(void *arg, const struct proof_count *count, const struct db_error *err)
{
    struct proof *proof = arg;
    const struct ending equal = {.outcome = OUTCOME_EQUAL};
    char detail[256];

    if (err) {
        end_by_database(proof, err);
    } else if (count->has_stranger) {
        snprintf(detail, sizeof detail,
                 "The table has a row of record %lld, the upload ends at record %lld.",
                 (long long)count->stranger, (long long)proof->last.last_line);
        differ(proof, count->stranger, detail);
    } else if (count->rows != proof->rows || count->rejects != proof->rejects) {
        snprintf(detail, sizeof detail,
                 "All records are there, but the whole table has %lld rows and %lld rejects of "
                 "this upload, and its indexes lead to %lld and %lld.",
                 (long long)count->rows, (long long)count->rejects, (long long)proof->rows,
                 (long long)proof->rejects);
        differ(proof, NONE, detail);
    } else {
        end(proof, &equal);
    }
}

static void count_all(struct proof *proof)
{
    char detail[128];

    if (proof->last.final && proof->open &&
        proof->input->source.identity.size != proof->last.end_offset) {
        snprintf(detail, sizeof detail, "The file has %lld bytes, %lld of them are uploaded.",
                 (long long)proof->input->source.identity.size, (long long)proof->last.end_offset);
        differ(proof, NONE, detail);
        return;
    }
    proof_count(proof->conn, proof->job->tracker, proof->last.last_line, on_counted, proof);
}

/* ---- the thread pool ---- */

static void queue_work(struct proof *proof, uv_work_cb run, uv_after_work_cb done)
{
    proof->works = true;
    uv_queue_work(proof->loop, &proof->work, run, done);
}

/* What was run has ended well; false: nobody is interested any more, or it has failed and the proof
 * may be gone. */
static bool take_work(struct proof *proof)
{
    proof->works = false;
    if (proof->closed) {
        proof_free(proof);
        return false;
    }
    if (proof->ended)
        return false;
    if (proof->work_rc < 0) {
        fail(proof, &proof->work_error);
        return false;
    }
    return true;
}

/* ---- a part ---- */

static void read_part(struct proof *proof);
static void next_chunk(struct proof *proof);

static void report(struct proof *proof)
{
    const struct point point = {
        .chunk = {.chunk_no = proof->page[proof->page_at].chunk_no,
                  .last_line = part_last(proof->part),
                  .end_offset = part_end(proof->part)},
        .rows = proof->rows,
        .rejects = proof->rejects,
    };

    proof->events->on_progress(proof->arg, &point);
}

/* The chunk's records are compared; its checkpoint has counted them. */
static void end_part(struct proof *proof)
{
    const struct checkpoint *chunk = &proof->page[proof->page_at];
    char detail[160];

    if (part_count(proof->part) > 0)
        report(proof);
    if (!proof->chunk_ends) {
        read_part(proof);
        return;
    }
    if (chunk->rows_total != proof->rows || chunk->rejects_total != proof->rejects) {
        snprintf(detail, sizeof detail,
                 "Up to chunk %lld the checkpoints count %lld rows and %lld rejects, the table has "
                 "%lld and %lld.",
                 (long long)chunk->chunk_no, (long long)chunk->rows_total,
                 (long long)chunk->rejects_total, (long long)proof->rows,
                 (long long)proof->rejects);
        differ(proof, NONE, detail);
        return;
    }
    proof->last = *chunk;
    proof->page_at++;
    next_chunk(proof);
}

static void on_part_rejects(void *arg, const struct tracker_reject *rejects, size_t count,
                            const struct db_error *err)
{
    struct proof *proof = arg;
    struct differences differences = {.count = 0};
    size_t mine = 0;

    if (err) {
        end_by_database(proof, err);
        return;
    }
    while (mine < count && rejects[mine].line <= part_last(proof->part))
        mine++;
    size_t there = found_until(&proof->found, part_last(proof->part));
    part_compare(proof->part, proof->found.rows, there, rejects, mine, &differences);
    if (differences.count > 0) {
        differ(proof, differences.first, differences.text);
        return;
    }
    proof->rows += (int64_t)there;
    found_drop(&proof->found, there);
    proof->rejects += (int64_t)mine;
    end_part(proof);
}

/* The rows of the part are there, and perhaps some of the next. */
static void read_rejects(struct proof *proof)
{
    tracker_rejects(proof->conn, proof->job->tracker, part_first(proof->part) - 1,
                    part_count(proof->part) + 1, on_part_rejects, proof);
}

static void read_rows(struct proof *proof);

static void on_rows(void *arg, const struct proof_row *rows, size_t count,
                    const struct db_error *err)
{
    struct proof *proof = arg;

    if (err) {
        end_by_database(proof, err);
        return;
    }
    proof->all_fetched = count < proof->asked;
    found_add(&proof->found, rows, count);
    read_rows(proof);
}

/* As many as the part should have, and one of the next: it shows that no more come. Many more than
 * it should have differ, however many. */
static void read_rows(struct proof *proof)
{
    size_t due = (size_t)part_count(proof->part);
    size_t there = found_until(&proof->found, part_last(proof->part));
    bool complete = proof->all_fetched || there < proof->found.count || there > due + BEYOND;

    if (complete) {
        read_rejects(proof);
        return;
    }
    proof->asked = there < due ? due - there + 1 : BEYOND;
    proof_fetch(proof->conn, proof->asked, on_rows, proof);
}

static void on_part(uv_work_t *work)
{
    struct proof *proof = CONTAINER_OF(work, struct proof, work);

    proof->work_rc = part_read(proof->part, proof->reader, &proof->work_error);
}

static void on_part_done(uv_work_t *work, int status)
{
    struct proof *proof = CONTAINER_OF(work, struct proof, work);

    (void)status; /* it is never cancelled */
    if (!take_work(proof))
        return;
    proof->chunk_ends = proof->work_rc == 0;
    if (part_count(proof->part) == 0) {
        end_part(proof);
        return;
    }
    read_rows(proof);
}

static void read_part(struct proof *proof)
{
    queue_work(proof, on_part, on_part_done);
}

/* ---- the chunks ---- */

static void read_page(struct proof *proof);

static void on_opened(void *arg, const struct db_error *err)
{
    if (err)
        end_by_database(arg, err);
    else
        read_part(arg);
}

static void begin_chunk(struct proof *proof)
{
    const struct checkpoint *chunk = &proof->page[proof->page_at];
    char detail[128];

    if (proof->last.final || chunk->chunk_no != proof->last.chunk_no + 1 ||
        chunk->first_line != proof->last.last_line + 1 ||
        chunk->start_offset != proof->last.end_offset) {
        snprintf(detail, sizeof detail, "The chain of checkpoints is broken before chunk %lld.",
                 (long long)chunk->chunk_no);
        differ(proof, proof->last.last_line + 1, detail);
        return;
    }
    reader_free(proof->reader);
    proof->reader = reader_new(proof->input, chunk);
    found_fini(&proof->found);
    proof->all_fetched = false;
    proof_open(proof->conn, proof->job->tracker, chunk->first_line, chunk->last_line, on_opened,
               proof);
}

/* ---- the file ---- */

static void on_open(uv_work_t *work)
{
    struct proof *proof = CONTAINER_OF(work, struct proof, work);
    const struct job *job = proof->job;
    struct input *input = proof->input;

    proof->work_rc =
        source_open(&input->source, job->path, job->allow, job->allow_count, &proof->work_error);
    if (proof->work_rc == 0)
        proof->work_rc = layout_read(&input->layout, &input->source, &job->profile, job->max_record,
                                     &proof->work_error);
}

static void on_open_done(uv_work_t *work, int status)
{
    struct proof *proof = CONTAINER_OF(work, struct proof, work);

    (void)status; /* it is never cancelled */
    if (!take_work(proof))
        return;
    proof->open = true;
    proof->events->on_ready(proof->arg, proof->input->source.identity.size);
    begin_chunk(proof);
}

/* The file is opened for the first chunk: where there is none, it is not needed. */
static void next_chunk(struct proof *proof)
{
    if (proof->page_at == proof->page_count)
        read_page(proof);
    else if (proof->open)
        begin_chunk(proof);
    else
        queue_work(proof, on_open, on_open_done);
}

/* ---- the checkpoints ---- */

static void on_page(void *arg, const struct checkpoint *checkpoints, size_t count,
                    const struct db_error *err)
{
    struct proof *proof = arg;

    if (err) {
        end_by_database(proof, err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        proof->page[i] = checkpoints[i];
    proof->page_count = count;
    proof->page_at = 0;
    if (count > 0)
        next_chunk(proof);
    else
        count_all(proof);
}

static void read_page(struct proof *proof)
{
    checkpoints_read(proof->conn, proof->job->tracker, proof->last.chunk_no, PAGE, on_page, proof);
}

/* ---- the connection ---- */

static void on_begun(void *arg, const struct db_error *err)
{
    if (err)
        end_by_database(arg, err);
    else
        read_page(arg);
}

static void on_summarized(void *arg, const struct db_error *err)
{
    struct proof *proof = arg;

    if (err)
        end_by_database(proof, err);
    else
        proof_begin(proof->conn, on_begun, proof);
}

/* What is not summarised yet would be read again for each part. */
static void on_conn_ready(void *arg)
{
    struct proof *proof = arg;

    target_summarize(proof->conn, on_summarized, proof);
}

static void on_conn_lost(void *arg, const struct db_error *err)
{
    end_by_database(arg, err);
}

static const struct db_events conn_events = {on_conn_ready, on_conn_lost};

struct proof *proof_new(uv_loop_t *loop, const struct job *job, const struct proof_events *events,
                        void *arg)
{
    struct proof *proof = NEW(struct proof);
    const struct db_settings settings = {.conninfo = job->conninfo,
                                         .schema = job->schema,
                                         .application_name = job->application_name};

    proof->loop = loop;
    proof->job = job;
    proof->events = events;
    proof->arg = arg;
    proof->input = input_new(job);
    proof->part = part_new();
    proof->conn = db_conn_new(loop, &settings, &conn_events, proof);
    return proof;
}
