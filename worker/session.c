/* SPDX-License-Identifier: PostgreSQL */
#include "worker/session.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/pause.h"
#include "base/pool.h"
#include "db/kept.h"
#include "ipc/job.h"
#include "ipc/messages.h"
#include "ipc/stream.h"
#include "worker/confine.h"
#include "worker/forker.h"
#include "worker/load.h"
#include "worker/proof.h"
#include "worker/rollback.h"

#include <stdlib.h>
#include <unistd.h>

/* How often it is looked whether the last message is out, if it was not at once. */
#define FLUSH_MS 5

/* How long the thread pool may take, after the last message, to let go of what it reads. What it
 * reads for has been closed: nothing is lost when the process does not wait for it. */
#define GRACE_MS 200

/* Whoever is fenced out has, as a rule, been stopped by its own supervisor, which is about to tell
 * it to roll back: so long it waits for that before it ends. */
#define FENCED_MS 500

struct session {
    uv_loop_t *loop;
    struct ipc_stream *stream;
    struct job job;
    struct db_kept *kept;      /* NULL: none */
    struct load *load;         /* NULL unless it loads */
    struct rollback *rollback; /* NULL unless it rolls back */
    struct proof *proof;       /* NULL unless it verifies */
    bool confined;             /* it cannot connect any more */
    bool ending;               /* `end` is sent */
    bool loaded;               /* with that outcome */
    uv_timer_t timer;
};

/* ---- the end ---- */

int session_exit_code(const struct session *session)
{
    bool leaves_all_well = !session->kept || db_kept_at_rest(session->kept);

    return session->loaded && leaves_all_well ? EXIT_DONE : EXIT_SPENT;
}

/* No destructor: libuv's would wait for the thread pool. */
static void on_grace_over(uv_timer_t *timer)
{
    _exit(session_exit_code(CONTAINER_OF(timer, struct session, timer)));
}

/* Closes the stream when `end` is in the kernel's hands. */
static void on_flush(uv_timer_t *timer)
{
    struct session *session = CONTAINER_OF(timer, struct session, timer);

    if (ipc_stream_queued_bytes(session->stream) > 0) {
        uv_timer_start(timer, on_flush, FLUSH_MS, 0);
        return;
    }
    ipc_stream_close(session->stream);
    session->stream = NULL;
    uv_timer_start(timer, on_grace_over, GRACE_MS, 0);
    uv_unref((uv_handle_t *)timer);
}

static void let_go(struct session *session)
{
    load_close(session->load);
    session->load = NULL;
    rollback_close(session->rollback);
    session->rollback = NULL;
    proof_close(session->proof);
    session->proof = NULL;
}

static void send_end(struct session *session, const struct ending *ending)
{
    log_line(LOG_LEVEL_DEBUG, session->job.tracker, "ends outcome=%s",
             outcome_name(ending->outcome));
    PAUSE("worker.before_end");
    session->ending = true;
    session->loaded = ending->outcome == OUTCOME_LOADED;
    ipc_stream_send(session->stream, ending_encode(ending));
    uv_timer_start(&session->timer, on_flush, 0, 0);
}

static void on_stays_fenced(uv_timer_t *timer)
{
    const struct ending fenced = {.outcome = OUTCOME_FENCED};

    send_end(CONTAINER_OF(timer, struct session, timer), &fenced);
}

static void on_load_ended(void *arg, const struct ending *ending)
{
    struct session *session = arg;
    struct ending kept = *ending; /* it may be a part of what is let go of */

    let_go(session);
    if (kept.outcome == OUTCOME_FENCED)
        uv_timer_start(&session->timer, on_stays_fenced, FENCED_MS, 0);
    else
        send_end(session, &kept);
}

/* A rollback, or a proof. */
static void on_ended(void *arg, const struct ending *ending)
{
    struct ending kept = *ending;

    let_go(arg);
    send_end(arg, &kept);
}

/* ---- how it goes ---- */

/* No file and no connection is opened from here on. */
static void confine(struct session *session)
{
    session->confined = session->job.confine;
    if (session->confined)
        confine_all(session->job.tracker);
}

static void report_ready(struct session *session, int64_t size)
{
    json_t *message = ipc_new(IPC_READY);

    json_object_set_new(message, "size", json_integer(size));
    ipc_stream_send(session->stream, message);
}

static void report(struct session *session, enum ipc_kind kind, int64_t line, int64_t offset,
                   int64_t rows, int64_t rejects)
{
    json_t *message = ipc_new(kind);

    json_object_set_new(message, "line", json_integer(line));
    json_object_set_new(message, "offset", json_integer(offset));
    json_object_set_new(message, "rows", json_integer(rows));
    json_object_set_new(message, "rejects", json_integer(rejects));
    ipc_stream_send(session->stream, message);
}

static void on_load_ready(void *arg, int64_t size)
{
    report_ready(arg, size);
}

static void on_progress(void *arg, const struct point *point)
{
    report(arg, IPC_PROGRESS, point->chunk.last_line, point->chunk.end_offset, point->rows,
           point->rejects);
}

static void on_load_settled(void *arg)
{
    confine(arg);
}

static const struct load_events load_events = {on_load_ready, on_load_settled, on_progress,
                                               on_load_ended};

static void on_rollback_connected(void *arg)
{
    struct session *session = arg;

    confine(session);
    if (session->job.mode == JOB_ROLLBACK)
        report_ready(session, 0);
}

static void on_step(void *arg, const struct checkpoint *left)
{
    const struct checkpoint none = {0};

    if (!left)
        left = &none;
    report(arg, IPC_ROLLING, left->last_line, left->end_offset, left->rows_total,
           left->rejects_total);
}

static const struct rollback_events rollback_events = {on_rollback_connected, on_step, on_ended};

static void on_proof_ready(void *arg, int64_t size)
{
    confine(arg);
    report_ready(arg, size);
}

static const struct proof_events proof_events = {on_proof_ready, on_progress, on_ended};

/* ---- what to do ---- */

/* A worker has one. */
static const char *file_of(void *arg, int64_t tracker)
{
    const struct session *session = arg;

    (void)tracker;
    return session->job.path;
}

static void begin(struct session *session)
{
    const struct job *job = &session->job;
    struct ending ending = {.outcome = OUTCOME_TROUBLE}; /* it may pass */

    log_set_files(file_of, session);
    if (job->confine)
        confine_writing();
    if (pool_start(session->loop, &ending.error) < 0)
        send_end(session, &ending);
    else if (job->mode == JOB_LOAD)
        session->load = load_new(session->loop, job, session->kept, &load_events, session);
    else if (job->mode == JOB_VERIFY)
        session->proof = proof_new(session->loop, job, &proof_events, session);
    else
        session->rollback =
            rollback_new(session->loop, job, job->epoch, job->token, &rollback_events, session);
}

/* The epoch has changed hands: what is under way could not be committed any more, and is rolled
 * back by the end of its connections. What is in is then taken out over new ones; whoever cannot
 * make any more leaves that to the worker that comes after it. */
static void take_rollback(struct session *session, const json_t *message)
{
    const struct ending finished = {.outcome = OUTCOME_FINISHED};

    PAUSE("worker.told_rollback");
    uv_timer_stop(&session->timer);
    let_go(session);
    if (session->confined) {
        send_end(session, &finished);
        return;
    }
    session->rollback = rollback_new(session->loop, &session->job, ipc_int(message, "epoch", 0),
                                     ipc_int(message, "token", 0), &rollback_events, session);
}

static int take_message(struct session *session, const json_t *message, struct error *err)
{
    enum ipc_kind kind;
    int rc = ipc_check(message, TO_WORKER, &kind, err);

    if (rc < 0)
        return rc;
    if (kind == IPC_JOB)
        return error_set(err, ERR_PROTOCOL, "a worker has one job, and was given a second");
    if (kind == IPC_ROLLBACK)
        take_rollback(session, message);
    else if (session->load)
        load_finish(session->load); /* what else there is has nothing to finish early */
    return 0;
}

static void on_message(void *arg, const json_t *message)
{
    struct session *session = arg;
    struct error err;

    if (session->ending || take_message(session, message, &err) == 0)
        return;
    log_error(session->job.tracker, &err, "the supervisor's message is wrong");
    _exit(EXIT_FAILED); /* a bug of ours; to the supervisor a crash */
}

/* Nobody is there to load for: connections are closed with the process. */
static void on_stream_end(void *arg, const struct error *err)
{
    struct session *session = arg;

    if (err)
        log_error(session->job.tracker, err, "the supervisor cannot be heard any more");
    _exit(EXIT_FAILED);
}

static const struct ipc_events stream_events = {on_message, on_stream_end};

int session_new(uv_loop_t *loop, int fd, const struct job *job, struct db_kept *kept,
                struct session **out, struct error *err)
{
    struct session *session = NEW(struct session);

    session->loop = loop;
    session->job = *job;
    session->kept = kept;
    session->stream = ipc_stream_new(loop, IPC_MESSAGE_MAX_BYTES, &stream_events, session);
    uv_timer_init(loop, &session->timer);
    int rc = uv_pipe_open(ipc_stream_pipe(session->stream), fd);
    if (rc < 0)
        return error_set(err, ERR_SYSTEM, "descriptor %d is no socket: %s", fd, uv_strerror(rc));
    rc = ipc_stream_start(session->stream, err);
    if (rc < 0)
        return rc;
    *out = session;
    begin(session);
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct session *session = CONTAINER_OF(handle, struct session, timer);

    job_fini(&session->job);
    free(session);
}

void session_close(struct session *session)
{
    log_set_files(NULL, NULL);
    uv_close((uv_handle_t *)&session->timer, on_timer_closed);
}
