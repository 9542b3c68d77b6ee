/* SPDX-License-Identifier: PostgreSQL */
/* One worker process: started by uv_spawn (fork and exec of a fresh image), told its job over a
 * socketpair, ended when both its exit and the end of the socketpair were seen. */
#ifndef SUPERVISOR_PROCESS_H
#define SUPERVISOR_PROCESS_H

#include "base/error.h"
#include "ipc/job.h"

#include <stdbool.h>
#include <uv.h>

struct worker;

/* Where a worker stands, as it last said. */
struct worker_report {
    int64_t line, offset, rows, rejects;
};

struct worker_events {
    /* It is connected, and its file is open (size in bytes; 0 for a rollback). */
    void (*on_ready)(void *arg, int64_t size);
    /* A chunk is in, or (rolling) a step of the rollback is done. */
    void (*on_report)(void *arg, bool rolling, const struct worker_report *report);
    /* It is gone, and the ending's error says why unless all went well; the worker frees itself
     * after this. Once, and the last call. */
    void (*on_ended)(void *arg, const struct ending *ending);
};

/* Starts the program beside this one and sends the job. Errors: ERR_SYSTEM (no process, no
 * descriptor, no memory: trying later may help). */
int worker_spawn(uv_loop_t *loop, const struct job *job, const struct worker_events *events,
                 void *arg, struct worker **worker, struct error *err) MUST_USE;

/* Roll back under this epoch and token. */
void worker_tell_rollback(struct worker *worker, int64_t epoch, int64_t token);

/* Commit the chunk in hand and end. */
void worker_tell_finish(struct worker *worker);

/* SIGKILL; on_ended follows. */
void worker_kill(struct worker *worker);

/* SIGKILL; no event follows any more. */
void worker_abandon(struct worker *worker);

#endif
