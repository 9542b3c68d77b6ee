/* SPDX-License-Identifier: PostgreSQL */
#include "worker/proof.h"

#include "base/log.h"
#include "base/mem.h"
#include "db/proof.h"
#include "worker/outcome.h"
#include "worker/sweep.h"
#include "worker/walk.h"

#include <stdlib.h>

#define PAGE 256 /* checkpoints that are read at once */

/* An upload is swept in one pass, over a second connection, where that pays and all its checkpoints
 * may be kept (of 1 TiB in chunks of the default size); else walked. */
#define SMALL_BYTES ((int64_t)4 * 1024 * 1024)
#define MOST_CHUNKS ((size_t)32768)

/* The stages follow one another in this file's order, read from its end: connected, snapshot,
 * checkpoints, a second connection, file open, swept, counted; and whenever that does not come out
 * equal, or cannot be done: walked. When the file is open nothing is opened or connected any more:
 * then a worker confines itself. */
struct proof {
    uv_loop_t *loop;
    const struct job *job;
    const struct proof_events *events;
    void *arg;
    struct db_conn *conn;
    struct db_conn *stream; /* of the rows, in the same snapshot */
    char *snapshot;
    struct input *input;

    struct checkpoint *chunks;
    size_t count;
    struct sweep *sweep; /* NULL: none is under way */
    int64_t rejects;     /* found by it */
    struct walk *walk;   /* NULL: none is under way */

    uv_work_t work; /* opening: in the thread pool */
    bool works;
    int work_rc;
    struct error work_error;
    bool ended, closed;
};

static void proof_free(struct proof *proof)
{
    input_leave(proof->input);
    free(proof->chunks);
    free(proof->snapshot);
    free(proof);
}

void proof_close(struct proof *proof)
{
    if (!proof || proof->closed)
        return;
    proof->closed = true;
    db_conn_close(proof->conn);
    db_conn_close(proof->stream);
    sweep_close(proof->sweep);
    walk_close(proof->walk);
    if (!proof->works)
        proof_free(proof);
}

static void end(struct proof *proof, const struct ending *ending)
{
    if (proof->ended || proof->closed)
        return;
    proof->ended = true;
    proof->events->on_ended(proof->arg, ending);
}

static void end_by_database(void *arg, const struct db_error *err)
{
    struct ending ending = outcome_of(err);

    end(arg, &ending);
}

/* ---- the walk ---- */

static void walk(struct proof *proof)
{
    log_line(LOG_LEVEL_DEBUG, proof->job->tracker, "walks the chunks");
    db_conn_close(proof->stream);
    proof->stream = NULL;
    sweep_close(proof->sweep);
    proof->sweep = NULL;
    proof->walk =
        walk_new(proof->loop, proof->job, proof->conn, proof->input, proof->events, proof->arg);
}

/* ---- the sweep ---- */

static void on_rejects_counted(void *arg, int64_t count, const struct db_error *err)
{
    static const struct ending equal = {.outcome = OUTCOME_EQUAL};
    struct proof *proof = arg;

    if (err)
        end_by_database(proof, err);
    else if (count != proof->rejects)
        walk(proof);
    else
        end(proof, &equal);
}

static void on_equal(void *arg, int64_t rejects)
{
    struct proof *proof = arg;
    const struct checkpoint *last = &proof->chunks[proof->count - 1];

    proof->rejects = rejects;
    if (last->final && proof->input->source.identity.size != last->end_offset)
        walk(proof);
    else
        proof_rejects(proof->conn, proof->job->tracker, on_rejects_counted, proof);
}

static void on_astray(void *arg)
{
    walk(arg);
}

static void on_progress(void *arg, const struct point *point)
{
    const struct proof *proof = arg;

    proof->events->on_progress(proof->arg, point);
}

static const struct sweep_events sweep_events = {on_progress, on_equal, on_astray, end_by_database};

/* ---- the file ---- */

static void on_open(uv_work_t *work)
{
    struct proof *proof = CONTAINER_OF(work, struct proof, work);

    proof->work_rc = input_open(proof->input, &proof->work_error);
}

static void begin_comparing(struct proof *proof)
{
    proof->events->on_ready(proof->arg, proof->input->source.identity.size);
    if (proof->stream)
        proof->sweep = sweep_new(proof->loop, proof->job, proof->conn, proof->stream, proof->input,
                                 proof->chunks, proof->count, &sweep_events, proof);
    else
        walk(proof);
}

static void on_open_done(uv_work_t *work, int status)
{
    struct proof *proof = CONTAINER_OF(work, struct proof, work);

    (void)status; /* it is never cancelled */
    proof->works = false;
    if (proof->closed) {
        proof_free(proof);
    } else if (proof->work_rc < 0) {
        const struct ending failed = {.outcome = OUTCOME_FAILED, .error = proof->work_error};
        end(proof, &failed);
    } else if (!proof->ended) {
        begin_comparing(proof);
    }
}

static void open_file(struct proof *proof)
{
    proof->works = true;
    uv_queue_work(proof->loop, &proof->work, on_open, on_open_done);
}

/* ---- the second connection; what comes in its way is no reason to fail ---- */

static void do_without(struct proof *proof)
{
    db_conn_close(proof->stream);
    proof->stream = NULL;
    if (!proof->works && !proof->ended)
        open_file(proof);
}

static void on_joined(void *arg, const struct db_error *err)
{
    if (err)
        do_without(arg);
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

    if (proof->sweep)
        end_by_database(proof, err);
    else
        do_without(proof);
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

/* ---- the checkpoints ---- */

static bool adds_up(const struct checkpoint *before, const struct checkpoint *chunk)
{
    return checkpoint_follows(before, chunk) &&
           chunk->rows_total == before->rows_total + chunk->row_count &&
           chunk->rejects_total == before->rejects_total + chunk->reject_count;
}

static bool may_connect_twice(const struct proof *proof)
{
    return proof->job->lanes > 1;
}

/* Whether it may, and what is in is a chain, all of it known, and worth it. */
static bool may_sweep(const struct proof *proof)
{
    struct checkpoint before = {.chunk_no = 0};

    if (!may_connect_twice(proof) || proof->count >= MOST_CHUNKS)
        return false;
    for (size_t i = 0; i < proof->count; before = proof->chunks[i++])
        if (!adds_up(&before, &proof->chunks[i]))
            return false;
    return proof->count > 1 || before.end_offset >= SMALL_BYTES;
}

static void read_page(struct proof *proof);

static void on_page(void *arg, const struct checkpoint *checkpoints, size_t count,
                    const struct db_error *err)
{
    struct proof *proof = arg;

    if (err) {
        end_by_database(proof, err);
        return;
    }
    proof->chunks = mem_resize(proof->chunks, proof->count + count + 1, sizeof *proof->chunks);
    for (size_t i = 0; i < count; i++)
        proof->chunks[proof->count++] = checkpoints[i];
    if (count > 0 && may_connect_twice(proof) && proof->count < MOST_CHUNKS)
        read_page(proof);
    else if (may_sweep(proof))
        proof_export(proof->conn, on_exported, proof);
    else if (proof->count > 0)
        open_file(proof);
    else
        walk(proof); /* that there is nothing, for which no file is needed */
}

static void read_page(struct proof *proof)
{
    int64_t last = proof->count > 0 ? proof->chunks[proof->count - 1].chunk_no : 0;

    checkpoints_read(proof->conn, proof->job->tracker, last, PAGE, on_page, proof);
}

/* ---- the first connection ---- */

static void on_begun(void *arg, const struct db_error *err)
{
    if (err)
        end_by_database(arg, err);
    else
        read_page(arg);
}

static void on_conn_ready(void *arg)
{
    const struct proof *proof = arg;

    proof_begin(proof->conn, on_begun, arg);
}

static const struct db_events conn_events = {on_conn_ready, end_by_database};

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
