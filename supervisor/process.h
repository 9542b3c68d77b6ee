/* SPDX-License-Identifier: PostgreSQL */
/* Worker processes: each does one job, told over a socketpair, and is forked for it by a process
 * (worker/forker.h) that was itself started by uv_spawn, and may fork another one afterwards. To
 * those above, worker and forker are one; it has ended when the forker says so, or when its exit
 * and the ends of its sockets, one of which the two share, were seen. */
#ifndef SUPERVISOR_PROCESS_H
#define SUPERVISOR_PROCESS_H

#include "base/error.h"
#include "ipc/job.h"

#include <stdbool.h>
#include <uv.h>

struct worker;
struct workers;

/* Where a worker stands, as it last said. */
struct worker_report {
    int64_t line, offset, rows, rejects;
};

struct worker_events {
    /* It is connected, and its file is open (size in bytes; 0 for a rollback). */
    void (*on_ready)(void *arg, int64_t size);
    /* A chunk is in, or (rolling) a step of the rollback is done. */
    void (*on_report)(void *arg, bool rolling, const struct worker_report *report);
    /* It is gone, and the ending's error says why unless all went well; nobody knows the worker any
     * more. Once, and the last call. */
    void (*on_ended)(void *arg, const struct ending *ending);
};

/* All workers of a loop; those that have nothing to do end after a second. */
struct workers *workers_new(uv_loop_t *loop);

/* Ends those that have nothing to do, from now on at once. */
void workers_close(struct workers *workers);

/* Once the loop has ended. NULL is allowed. */
void workers_free(struct workers *workers);

/* Sends the job to one that has nothing to do, or to a new one. Errors: ERR_SYSTEM (no process, no
 * descriptor, no memory: trying later may help). */
int worker_spawn(struct workers *workers, const struct job *job, const struct worker_events *events,
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
