/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/process.h"

#include "base/log.h"
#include "base/mem.h"
#include "ipc/messages.h"
#include "ipc/stream.h"
#include "supervisor/orphans.h"
#include "supervisor/spawn.h"
#include "supervisor/timer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A worker that has said its last word, or closed its socket, has nothing left to do but to exit.
 */
#define EXIT_PATIENCE_MS 5000

/* How long one that is done is there for another job, and how long all in all. Its session is, too:
 * what is set for role or database counts for a new one. */
#define IDLE_MS 1000
#define LIFE_MS 60000

struct workers {
    uv_loop_t *loop;
    uv_signal_t *orphans;
    struct worker *idle; /* the last first */
    bool closed;
};

struct worker {
    struct workers *workers;
    struct worker *next_idle;
    uv_process_t process;
    uv_timer_t *timer; /* of its exit, or of being idle; NULL: neither */
    struct ipc_stream *stream;
    struct ipc_stream *forker; /* over which it gets its jobs */
    uint64_t born_ms;
    const struct worker_events *events; /* NULL once abandoned, and while it is idle */
    void *arg;
    int64_t tracker;
    struct ending ending;
    int64_t exit_code; /* once exited */
    int signal;        /* that ended it; 0: none */
    bool exited, stream_ended, forker_ended, said_end;
    bool said_idle; /* whoever did the job is gone */
    bool told;      /* more than its job */
    bool killed;
};

static void on_process_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct worker, process));
}

static void leave_idle(struct worker *worker)
{
    struct worker **at = &worker->workers->idle;

    for (; *at; at = &(*at)->next_idle) {
        if (*at != worker)
            continue;
        *at = worker->next_idle;
        return;
    }
}

static void close_streams(struct worker *worker)
{
    ipc_stream_close(worker->stream);
    worker->stream = NULL;
    ipc_stream_close(worker->forker);
    worker->forker = NULL;
}

/* What can be told of one that did not say how it ended. */
static void explain_crash(const struct worker *worker, struct error *err)
{
    if (worker->signal) {
        error_set(err, ERR_INTERNAL, "the worker was ended by signal %d (%s)", worker->signal,
                  strsignal(worker->signal));
        if (worker->signal == SIGKILL)
            error_hint(err, "If nobody killed it, the system did for want of memory, and the "
                            "kernel's log (dmesg) says so. " HINT_MEMORY);
        else if (worker->signal == SIGSYS)
            error_hint(err, "It did what no worker has a reason for, and was stopped (confine). "
                            "A file that is made for that is one cause; a library of this machine "
                            "that cannot live with it another: then set [supervisor] confine = no. "
                            "The kernel's audit log has the number of the system call.");
        else
            error_hint(err, "Please report this, with the supervisor's log.");
    } else if (worker->exit_code == EXIT_MEMORY) {
        error_set(err, ERR_MEMORY, "the worker had no memory left");
        error_hint(err, HINT_MEMORY);
    } else {
        error_set(err, ERR_INTERNAL, "the worker ended with exit code %lld, and did not say why",
                  (long long)worker->exit_code);
        error_hint(err, "See what the supervisor's log has of it.");
    }
}

/* The order of exit and ends of streams is not guaranteed: it has ended when all were seen. */
static void end_if_gone(struct worker *worker)
{
    if (!worker->exited || !worker->stream_ended || !worker->forker_ended)
        return;
    if (!worker->said_end) {
        worker->ending.outcome = OUTCOME_CRASHED;
        explain_crash(worker, &worker->ending.error);
    }
    close_streams(worker);
    timer_close(worker->timer);
    worker->timer = NULL;
    if (worker->events)
        worker->events->on_ended(worker->arg, &worker->ending);
    uv_close((uv_handle_t *)&worker->process, on_process_closed);
}

static void on_exit_seen(uv_process_t *process, int64_t status, int signal)
{
    struct worker *worker = CONTAINER_OF(process, struct worker, process);

    leave_idle(worker);
    worker->exited = true;
    worker->exit_code = status;
    worker->signal = signal;
    log_line(LOG_LEVEL_DEBUG, worker->tracker, "worker ended pid=%d status=%d signal=%d",
             process->pid, (int)status, signal);
    end_if_gone(worker);
}

static void on_exit_overdue(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    log_line(LOG_LEVEL_WARNING, worker->tracker, "a worker does not exit; it is killed pid=%d",
             worker->process.pid);
    worker_kill(worker);
}

static void set_timer(struct worker *worker, uv_timer_cb at, uint64_t after_ms)
{
    if (!worker->timer)
        worker->timer = timer_new(worker->process.loop, worker);
    uv_timer_start(worker->timer, at, after_ms, 0);
}

static void expect_exit(struct worker *worker)
{
    set_timer(worker, on_exit_overdue, EXIT_PATIENCE_MS);
}

static void refuse_stream(struct worker *worker, const struct error *err)
{
    if (!err)
        return;
    log_error(worker->tracker, err, "a worker's messages are broken; it is killed pid=%d",
              worker->process.pid);
    worker_kill(worker);
}

static void on_forker_end(void *arg, const struct error *err)
{
    struct worker *worker = arg;

    refuse_stream(worker, err);
    leave_idle(worker);
    worker->forker_ended = true;
    end_if_gone(worker);
}

static void on_stream_end(void *arg, const struct error *err)
{
    struct worker *worker = arg;

    refuse_stream(worker, err);
    leave_idle(worker);
    worker->stream_ended = true;
    if (!worker->exited)
        expect_exit(worker);
    end_if_gone(worker);
}

/* ---- one that is idle ---- */

/* By the end of its socket. */
static void dismiss(struct worker *worker)
{
    leave_idle(worker);
    close_streams(worker);
    worker->stream_ended = worker->forker_ended = true;
    expect_exit(worker);
    end_if_gone(worker);
}

static void on_idle_for_long(uv_timer_t *timer)
{
    dismiss(timer->data);
}

/* What it has been told besides its job may have come behind its end, and would be taken for the
 * next one's. */
static bool may_go_on(const struct worker *worker)
{
    uint64_t age_ms = uv_now(worker->workers->loop) - worker->born_ms;

    return !worker->told && !worker->killed && !worker->exited && !worker->stream_ended &&
           !worker->forker_ended && age_ms < LIFE_MS && !worker->workers->closed;
}

/* The process that did the job is gone. The next job may come from within on_ended. */
static void be_idle(struct worker *worker)
{
    const struct worker_events *ended = worker->events;
    struct ending ending = worker->ending;

    if (!ended || !worker->said_idle || !worker->said_end)
        return; /* of two sockets, which is read first is not known */
    worker->events = NULL;
    if (may_go_on(worker)) {
        worker->next_idle = worker->workers->idle;
        worker->workers->idle = worker;
        set_timer(worker, on_idle_for_long, IDLE_MS);
    } else {
        dismiss(worker);
    }
    ended->on_ended(worker->arg, &ending);
}

/* ---- what it says ---- */

static struct worker_report report_of(const json_t *message)
{
    return (struct worker_report){
        .line = ipc_int(message, "line", 0),
        .offset = ipc_int(message, "offset", 0),
        .rows = ipc_int(message, "rows", 0),
        .rejects = ipc_int(message, "rejects", 0),
    };
}

static int take_message(struct worker *worker, const json_t *message, struct error *err)
{
    enum ipc_kind kind;
    struct worker_report report;
    int rc = ipc_check(message, FROM_WORKER, &kind, err);

    if (rc < 0)
        return rc;
    if (kind == IPC_END) {
        rc = ending_decode(message, &worker->ending, err);
        worker->said_end = rc == 0;
        expect_exit(worker);
        be_idle(worker);
    } else if (!worker->events) {
        return 0;
    } else if (kind == IPC_IDLE) {
        rc = error_set(err, ERR_PROTOCOL, "a worker says that it is gone");
    } else if (kind == IPC_READY) {
        worker->events->on_ready(worker->arg, ipc_int(message, "size", 0));
    } else {
        report = report_of(message);
        worker->events->on_report(worker->arg, kind == IPC_ROLLING, &report);
    }
    return rc;
}

/* A malformed message of a sibling is a bug of ours: the worker is killed, and that is a crash. */
static void on_message(void *arg, const json_t *message)
{
    struct worker *worker = arg;
    struct error err;

    if (take_message(worker, message, &err) == 0)
        return;
    log_error(worker->tracker, &err, "a worker's message is wrong; it is killed pid=%d",
              worker->process.pid);
    worker_kill(worker);
}

static const struct ipc_events stream_events = {on_message, on_stream_end};

/* It is idle, or could not fork. */
static void on_forker_message(void *arg, const json_t *message)
{
    struct worker *worker = arg;
    enum ipc_kind kind;
    struct error err;

    if (ipc_check(message, FROM_WORKER, &kind, &err) < 0 || kind != IPC_IDLE) {
        on_message(arg, message);
        return;
    }
    worker->said_idle = true;
    expect_exit(worker);
    be_idle(worker);
}

static const struct ipc_events forker_events = {on_forker_message, on_forker_end};

struct workers *workers_new(uv_loop_t *loop)
{
    struct workers *workers = NEW(struct workers);

    workers->loop = loop;
    workers->orphans = orphans_watch(loop);
    return workers;
}

void workers_close(struct workers *workers)
{
    workers->closed = true;
    orphans_leave(workers->orphans);
    workers->orphans = NULL;
    while (workers->idle)
        dismiss(workers->idle);
}

void workers_free(struct workers *workers)
{
    free(workers);
}

/* ---- starting one ---- */

static struct worker *take_idle(struct workers *workers)
{
    struct worker *worker = workers->idle;

    if (!worker)
        return NULL;
    leave_idle(worker);
    timer_close(worker->timer);
    worker->timer = NULL;
    return worker;
}

static int start(struct workers *workers, struct worker **out, struct error *err)
{
    struct worker *worker = NEW(struct worker);

    worker->workers = workers;
    worker->born_ms = uv_now(workers->loop);
    worker->stream = ipc_stream_new(workers->loop, IPC_MESSAGE_MAX_BYTES, &stream_events, worker);
    worker->forker = ipc_stream_new(workers->loop, IPC_MESSAGE_MAX_BYTES, &forker_events, worker);
    int rc = spawn(workers->loop, &worker->process, ipc_stream_pipe(worker->stream),
                   ipc_stream_pipe(worker->forker), on_exit_seen, err);
    if (rc < 0) {
        close_streams(worker);
        uv_close((uv_handle_t *)&worker->process, on_process_closed);
        return rc;
    }
    if (ipc_stream_start(worker->stream, err) < 0 || ipc_stream_start(worker->forker, err) < 0)
        log_fatal("%s", err->message);
    *out = worker;
    return 0;
}

int worker_spawn(struct workers *workers, const struct job *job, const struct worker_events *events,
                 void *arg, struct worker **out, struct error *err)
{
    struct worker *worker = take_idle(workers);
    int rc = worker ? 0 : start(workers, &worker, err);

    if (rc < 0)
        return rc;
    worker->events = events;
    worker->arg = arg;
    worker->tracker = job->tracker;
    worker->ending = (struct ending){.outcome = OUTCOME_CRASHED};
    worker->said_end = worker->said_idle = worker->told = false;
    ipc_stream_send(worker->forker, job_encode(job));
    *out = worker;
    log_line(LOG_LEVEL_DEBUG, job->tracker, "worker started pid=%d epoch=%lld", worker->process.pid,
             (long long)job->epoch);
    return 0;
}

void worker_tell_rollback(struct worker *worker, int64_t epoch, int64_t token)
{
    json_t *message = ipc_new(IPC_ROLLBACK);

    json_object_set_new(message, "epoch", json_integer(epoch));
    json_object_set_new(message, "token", json_integer(token));
    ipc_stream_send(worker->stream, message);
    worker->told = true;
}

void worker_tell_finish(struct worker *worker)
{
    ipc_stream_send(worker->stream, ipc_new(IPC_FINISH));
    worker->told = true;
}

void worker_kill(struct worker *worker)
{
    worker->killed = true;
    if (!worker->exited) /* else the pid may be somebody else's by now */
        uv_process_kill(&worker->process, SIGKILL);
}

void worker_abandon(struct worker *worker)
{
    worker->events = NULL;
    worker_kill(worker);
}
