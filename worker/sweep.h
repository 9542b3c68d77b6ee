/* SPDX-License-Identifier: PostgreSQL */
/* Compares an upload with the table in one pass: all its rows are streamed as they lie there, by no
 * index, over a connection of their own, and each goes to the strip of its chunk; lanes have laid
 * those of several chunks side by side. */
#ifndef WORKER_SWEEP_H
#define WORKER_SWEEP_H

#include "db/conn.h"
#include "worker/dispatch.h"
#include "worker/input.h"

#include <uv.h>

struct sweep; /* private */

struct sweep_events {
    void (*on_progress)(void *arg, const struct point *point); /* so much is equal */
    /* One of these, and the last one. Equal: every row and reject of the upload's chunks, and no
     * row beyond. Astray: not equal, or not to be told in this way. */
    void (*on_equal)(void *arg, int64_t rejects);
    void (*on_astray)(void *arg);
    void (*on_database)(void *arg, const struct db_error *err);
};

/* Starts. The chunks, an unbroken chain, and all else are borrowed and outlive it; both connections
 * are in one snapshot. */
struct sweep *sweep_new(uv_loop_t *loop, const struct job *job, struct db_conn *conn,
                        struct db_conn *stream, struct input *input,
                        const struct checkpoint *chunks, size_t count,
                        const struct sweep_events *events, void *arg);

/* Lets go of everything, after its connections were closed or when it has ended; no event follows.
 * NULL is allowed. */
void sweep_close(struct sweep *sweep);

#endif
