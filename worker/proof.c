/* SPDX-License-Identifier: PostgreSQL */
#include "worker/proof.h"

#include "base/mem.h"
#include "db/proof.h"
#include "worker/outcome.h"
#include "worker/part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 64          /* checkpoints that are read at once */
#define BEYOND 100       /* rows of a part that are read beyond one a record */
#define NONE INT64_C(-1) /* no record */

/* The stages follow one another in this file's order, read from its end: connected, snapshot,
 * checkpoints, file open, (a chunk, its parts: read, rows, rejects, compared), counted. */
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
    struct proof_row *found; /* the rows of the part, copied, until its rejects are there */
    size_t found_count;
    char *found_bytes;
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
    free(proof->found);
    free(proof->found_bytes);
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
    part_compare(proof->part, proof->found, proof->found_count, rejects, mine, &differences);
    if (differences.count > 0) {
        differ(proof, differences.first, differences.text);
        return;
    }
    proof->rows += (int64_t)proof->found_count;
    proof->rejects += (int64_t)mine;
    end_part(proof);
}

/* Takes a copy: the answer's rows are borrowed, and the rejects are still to come. */
static void keep_rows(struct proof *proof, const struct proof_row *rows, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += rows[i].name_bytes + rows[i].email_bytes;
    free(proof->found);
    free(proof->found_bytes);
    proof->found = mem_new(count, sizeof *proof->found);
    proof->found_bytes = mem_new(bytes + 1, 1);
    proof->found_count = count;
    char *to = proof->found_bytes;
    for (size_t i = 0; i < count; i++) {
        struct proof_row *row = &proof->found[i];
        *row = rows[i];
        if (row->name)
            row->name = memcpy(to, row->name, row->name_bytes);
        to += row->name_bytes;
        if (row->email)
            row->email = memcpy(to, row->email, row->email_bytes);
        to += row->email_bytes;
    }
}

static void on_rows(void *arg, const struct proof_row *rows, size_t count,
                    const struct db_error *err)
{
    struct proof *proof = arg;

    if (err) {
        end_by_database(proof, err);
        return;
    }
    keep_rows(proof, rows, count);
    tracker_rejects(proof->conn, proof->job->tracker, part_first(proof->part) - 1,
                    part_count(proof->part) + 1, on_part_rejects, proof);
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
    int64_t first = part_first(proof->part);
    int64_t last = part_last(proof->part);
    proof_rows(proof->conn, proof->job->tracker, first, last, last - first + 1 + BEYOND, on_rows,
               proof);
}

static void read_part(struct proof *proof)
{
    queue_work(proof, on_part, on_part_done);
}

/* ---- the chunks ---- */

static void read_page(struct proof *proof);

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
    read_part(proof);
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

static void on_conn_ready(void *arg)
{
    struct proof *proof = arg;

    proof_begin(proof->conn, on_begun, proof);
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
