/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/process.h"

#include "base/log.h"
#include "base/mem.h"
#include "ipc/messages.h"
#include "ipc/stream.h"
#include "supervisor/timer.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A worker that has closed its socket has nothing left to do but to exit. */
#define EXIT_PATIENCE_MS 5000

struct worker {
    uv_process_t process;
    uv_timer_t *exit_timer; /* NULL until its socket has ended */
    struct ipc_stream *stream;
    const struct worker_events *events; /* NULL once abandoned */
    void *arg;
    int64_t tracker;
    struct ending ending;
    int64_t exit_code; /* once exited */
    int signal;        /* that ended it; 0: none */
    bool exited, stream_ended, said_end;
};

/* The program beside this one, as in a build folder; where there is none, the one that make install
 * has put in libexec: from this one's folder on, so that an installation can be moved. */
static char *program_path(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n <= 0)
        return mem_dup("uploader-worker");
    self[n] = '\0';
    int folder = (int)(strrchr(self, '/') - self);
    char *beside = mem_format("%.*s/uploader-worker", folder, self);
    char *installed = mem_format("%.*s/../libexec/uploader/uploader-worker", folder, self);
    bool is_beside = access(beside, X_OK) == 0 || access(installed, X_OK) != 0;
    free(is_beside ? installed : beside);
    return is_beside ? beside : installed;
}

/* Beginnings of what is not a worker's: libpq's variables are resolved here and travel with the
 * job, for a password in the environment would be seen in /proc; the others are between the service
 * manager and the supervisor. */
static const char *const withheld[] = {
    "PG", "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_", "CREDENTIALS_DIRECTORY=",
};

static bool is_withheld(const char *variable)
{
    for (size_t i = 0; i < COUNT_OF(withheld); i++)
        if (strncmp(variable, withheld[i], strlen(withheld[i])) == 0)
            return true;
    return false;
}

static char **clean_environment(void)
{
    size_t count = 0;
    size_t used = 0;

    while (environ[count])
        count++;
    char **copy = mem_new(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        if (!is_withheld(environ[i]))
            copy[used++] = environ[i];
    return copy;
}

static void on_process_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct worker, process));
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

/* The order of exit and end of stream is not guaranteed: it has ended when both were seen. */
static void end_if_gone(struct worker *worker)
{
    if (!worker->exited || !worker->stream_ended)
        return;
    if (!worker->said_end) {
        worker->ending.outcome = OUTCOME_CRASHED;
        explain_crash(worker, &worker->ending.error);
    }
    ipc_stream_close(worker->stream);
    worker->stream = NULL;
    timer_close(worker->exit_timer);
    worker->exit_timer = NULL;
    if (worker->events)
        worker->events->on_ended(worker->arg, &worker->ending);
    uv_close((uv_handle_t *)&worker->process, on_process_closed);
}

static void on_exit_seen(uv_process_t *process, int64_t status, int signal)
{
    struct worker *worker = CONTAINER_OF(process, struct worker, process);

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

static void expect_exit(struct worker *worker)
{
    worker->exit_timer = timer_new(worker->process.loop, worker);
    uv_timer_start(worker->exit_timer, on_exit_overdue, EXIT_PATIENCE_MS, 0);
}

static void on_stream_end(void *arg, const struct error *err)
{
    struct worker *worker = arg;

    if (err) {
        log_error(worker->tracker, err, "a worker's messages are broken; it is killed pid=%d",
                  worker->process.pid);
        worker_kill(worker);
    }
    worker->stream_ended = true;
    if (!worker->exited)
        expect_exit(worker);
    end_if_gone(worker);
}

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
    } else if (!worker->events) {
        return 0;
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

static int spawn_failed(struct worker *worker, int rc, struct error *err)
{
    ipc_stream_close(worker->stream);
    /* a failed uv_spawn leaves its handle in the loop: it is closed like any other */
    uv_close((uv_handle_t *)&worker->process, on_process_closed);
    error_system(err, ERR_SYSTEM, -rc, "cannot start a worker");
    if (rc == UV_EAGAIN)
        error_hint(err, HINT_PROCESSES);
    return -(int)err->code;
}

int worker_spawn(uv_loop_t *loop, const struct job *job, const struct worker_events *events,
                 void *arg, struct worker **out, struct error *err)
{
    struct worker *worker = NEW(struct worker);
    char *program = program_path();
    char **environment = clean_environment();
    char parent[16];
    char name[] = "uploader-worker";
    char option[] = "--parent";
    char *argv[] = {name, option, parent, NULL};

    worker->events = events;
    worker->arg = arg;
    worker->tracker = job->tracker;
    worker->stream = ipc_stream_new(loop, IPC_MESSAGE_MAX_BYTES, &stream_events, worker);
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        /* standard output is the batch's report: a worker has only the log */
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
         .data.stream = (uv_stream_t *)ipc_stream_pipe(worker->stream)},
    };
    uv_process_options_t options = {
        .exit_cb = on_exit_seen,
        .file = program,
        .args = argv,
        .env = environment,
        .stdio_count = (int)COUNT_OF(stdio),
        .stdio = stdio,
    };
    int rc = uv_spawn(loop, &worker->process, &options);
    free(program);
    free(environment);
    if (rc < 0)
        return spawn_failed(worker, rc, err);
    ipc_stream_send(worker->stream, job_encode(job));
    if (ipc_stream_start(worker->stream, err) < 0)
        log_fatal("%s", err->message);
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
}

void worker_tell_finish(struct worker *worker)
{
    ipc_stream_send(worker->stream, ipc_new(IPC_FINISH));
}

void worker_kill(struct worker *worker)
{
    if (!worker->exited) /* else the pid may be somebody else's by now */
        uv_process_kill(&worker->process, SIGKILL);
}

void worker_abandon(struct worker *worker)
{
    worker->events = NULL;
    worker_kill(worker);
}
