/* SPDX-License-Identifier: PostgreSQL */
/* Proves that the table holds exactly what the file says of an upload that has ended: reads both
 * side by side, in one snapshot, a bounded part at a time, and changes nothing. */
#ifndef WORKER_PROOF_H
#define WORKER_PROOF_H

#include "worker/dispatch.h"

#include <uv.h>

struct proof; /* private */

struct proof_events {
    void (*on_ready)(void *arg, int64_t size); /* connected, the file open; 0: none is needed */
    void (*on_progress)(void *arg, const struct point *point); /* so far all is equal */
    /* OUTCOME_EQUAL, or FAILED with ERR_DIFFERS, ERR_FILE_CHANGED or what else went wrong, or
     * TROUBLE; once, and the last one. */
    void (*on_ended)(void *arg, const struct ending *ending);
};

/* Starts. `job` outlives it. */
struct proof *proof_new(uv_loop_t *loop, const struct job *job, const struct proof_events *events,
                        void *arg);

/* Lets go of everything at once; no event follows. NULL is allowed. */
void proof_close(struct proof *proof);

#endif
