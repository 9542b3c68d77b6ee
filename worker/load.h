/* SPDX-License-Identifier: PostgreSQL */
/* One upload from its recovery point: connects, looks at what is in, opens the file, compares it
 * with what is in, and then leaves the loading to dispatch.h. */
#ifndef WORKER_LOAD_H
#define WORKER_LOAD_H

#include "ipc/job.h"
#include "worker/dispatch.h"

#include <uv.h>

struct load;

struct load_events {
    void (*on_ready)(void *arg, int64_t size); /* connected, the file open and compared */
    void (*on_settled)(void *arg);             /* no file and no connection is opened any more */
    void (*on_progress)(void *arg, const struct point *point);
    void (*on_ended)(void *arg, const struct ending *ending); /* once, and the last one */
};

/* Starts, over the connection that is kept, if there is one (NULL: none). `job` outlives it. */
struct load *load_new(uv_loop_t *loop, const struct job *job, struct db_kept *kept,
                      const struct load_events *events, void *arg);

/* Commits the chunks under way and ends: finished, or loaded when that was all. */
void load_finish(struct load *load);

/* Lets go of everything at once; no event follows. Open transactions are rolled back. It is freed
 * when the thread pool lets go of it. NULL is allowed. */
void load_close(struct load *load);

#endif
