/* SPDX-License-Identifier: PostgreSQL */
/* Takes all of a file out again, newest chunks first, one transaction a step, over as many lanes as
 * the job has and the table allows: whoever dies in its middle leaves a valid, shorter chain. Needs
 * no file. */
#ifndef WORKER_ROLLBACK_H
#define WORKER_ROLLBACK_H

#include "db/chunks.h"
#include "ipc/job.h"

#include <uv.h>

struct rollback;

struct rollback_events {
    void (*on_connected)(void *arg); /* no further connection is made */
    /* It begins, or one more step is done; `left` is the last checkpoint that remains, or NULL. */
    void (*on_step)(void *arg, const struct checkpoint *left);
    void (*on_ended)(void *arg, const struct ending *ending); /* once, and the last one */
};

/* Connects and starts, under the authority of the stop's epoch and token. `job` outlives it. */
struct rollback *rollback_new(uv_loop_t *loop, const struct job *job, int64_t epoch, int64_t token,
                              const struct rollback_events *events, void *arg);

/* Closes its connections and frees it; no event follows. Steps under way may still happen. NULL is
 * allowed. */
void rollback_close(struct rollback *rollback);

#endif
