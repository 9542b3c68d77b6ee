/* SPDX-License-Identifier: PostgreSQL */
#include "worker/proof.h"

#include "base/mem.h"
#include "db/proof.h"
#include "worker/comparison.h"
#include "worker/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 64          /* checkpoints that are read at once */
#define NONE INT64_C(-1) /* no record */
#define SMALL_BYTES ((int64_t)4 * 1024 * 1024)

/* The stages follow one another in this file's order, read from its end: connected, summarised,
 * snapshot, checkpoints, a second connection, file open, (chunks), counted. */
struct proof {
    uv_loop_t *loop;
    const struct job *job;
    const struct proof_events *events;
    void *arg;
    struct db_conn *conn;
    struct db_conn *stream; /* of the rows, in the same snapshot; NULL: there is none */
    char *snapshot;         /* which it joins */
    struct input *input;
    bool open; /* the file is */

    struct checkpoint page[PAGE];
    size_t page_count, page_at;
    struct checkpoint last;        /* the last that was compared; chunk_no 0: none */
    int64_t rows, rejects;         /* up to it */
    struct comparison *comparison; /* NULL until the file is open */

    uv_work_t work; /* opening: in the thread pool */
    bool works;
    int work_rc;
    struct error work_error;
    bool ended, closed;
};

static void proof_free(struct proof *proof)
{
    input_leave(proof->input);
    free(proof->snapshot);
    free(proof);
}

void proof_close(struct proof *proof)
{
    if (!proof || proof->closed)
        return;
    proof->closed = true;
    comparison_close(proof->comparison);
    db_conn_close(proof->conn);
    db_conn_close(proof->stream);
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

/* ---- the chunks ---- */

static void next_chunk(struct proof *proof);

static void report(struct proof *proof, const struct compared *found)
{
    const struct point point = {
        .chunk = {.chunk_no = found->chunk.chunk_no,
                  .last_line = found->last_line,
                  .end_offset = found->end_offset},
        .rows = proof->rows + found->rows,
        .rejects = proof->rejects + found->rejects,
    };

    proof->events->on_progress(proof->arg, &point);
}

static void on_part(void *arg)
{
    struct proof *proof = arg;

    report(proof, comparison_found(proof->comparison));
}

/* The chunk's records are compared; its checkpoint has counted them. */
static void on_equal(void *arg)
{
    struct proof *proof = arg;
    const struct compared *found = comparison_found(proof->comparison);
    const struct checkpoint *chunk = &found->chunk;
    char detail[160];

    proof->rows += found->rows;
    proof->rejects += found->rejects;
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

static void on_differs(void *arg, const struct differences *differences)
{
    differ(arg, differences->first, differences->text);
}

static void on_failed(void *arg, const struct error *err)
{
    fail(arg, err);
}

static void on_database(void *arg, const struct db_error *err)
{
    end_by_database(arg, err);
}

static const struct comparison_events comparison_events = {on_part, on_equal, on_differs, on_failed,
                                                           on_database};

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
    comparison_begin(proof->comparison, chunk);
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
    proof->works = false;
    if (proof->closed) {
        proof_free(proof);
    } else if (proof->work_rc < 0) {
        fail(proof, &proof->work_error);
    } else if (!proof->ended) {
        proof->open = true;
        proof->comparison = comparison_new(proof->loop, proof->job, proof->conn, proof->stream,
                                           proof->input, &comparison_events, proof);
        proof->events->on_ready(proof->arg, proof->input->source.identity.size);
        begin_chunk(proof);
    }
}

static void open_file(struct proof *proof)
{
    proof->works = true;
    uv_queue_work(proof->loop, &proof->work, on_open, on_open_done);
}

/* ---- the second connection; what comes in its way is no reason to fail ---- */

static void do_without_stream(struct proof *proof)
{
    db_conn_close(proof->stream);
    proof->stream = NULL;
    open_file(proof);
}

static void on_joined(void *arg, const struct db_error *err)
{
    if (err)
        do_without_stream(arg);
    else
        open_file(arg);
}

static void on_stream_ready(void *arg)
{
    struct proof *proof = arg;

    proof_join(proof->stream, proof->snapshot, on_joined, proof);
}

static void on_stream_lost(void *arg, const struct db_error *err)
{
    struct proof *proof = arg;

    if (proof->open || proof->works)
        end_by_database(proof, err);
    else
        do_without_stream(proof);
}

static struct db_conn *connect_as(struct proof *proof, const struct db_events *events)
{
    const struct db_settings settings = {.conninfo = proof->job->conninfo,
                                         .schema = proof->job->schema,
                                         .application_name = proof->job->application_name};

    return db_conn_new(proof->loop, &settings, events, proof);
}

static const struct db_events stream_events = {on_stream_ready, on_stream_lost};

static void on_exported(void *arg, const char *name, const struct db_error *err)
{
    struct proof *proof = arg;

    if (err) {
        end_by_database(proof, err);
        return;
    }
    proof->snapshot = mem_dup(name);
    proof->stream = connect_as(proof, &stream_events);
}

/* Before the first chunk. The file is not needed where there is none; nor is a second connection
 * for a single chunk that is small. */
static void begin(struct proof *proof)
{
    const struct checkpoint *first = &proof->page[0];
    bool small = proof->page_count == 1 && first->end_offset < SMALL_BYTES;

    if (proof->job->lanes > 1 && !small)
        proof_export(proof->conn, on_exported, proof);
    else
        open_file(proof);
}

static void read_page(struct proof *proof);

static void next_chunk(struct proof *proof)
{
    if (proof->page_at == proof->page_count)
        read_page(proof);
    else if (proof->open)
        begin_chunk(proof);
    else
        begin(proof);
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

    proof->loop = loop;
    proof->job = job;
    proof->events = events;
    proof->arg = arg;
    proof->input = input_new(job);
    proof->conn = connect_as(proof, &conn_events);
    return proof;
}
