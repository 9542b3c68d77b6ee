/* SPDX-License-Identifier: PostgreSQL */
/* Compares an upload with the table chunk by chunk, in the order of the lines, over one connection:
 * it tells the first differences. */
#ifndef WORKER_WALK_H
#define WORKER_WALK_H

#include "db/conn.h"
#include "worker/input.h"
#include "worker/proof.h"

#include <uv.h>

struct walk; /* private */

/* Starts, in a snapshot of its own. `input` is open, unless there is no chunk. `job` and `conn` are
 * borrowed and outlive it. */
struct walk *walk_new(uv_loop_t *loop, const struct job *job, struct db_conn *conn,
                      struct input *input, const struct proof_events *events, void *arg);

/* Lets go of everything, after its connection was closed; no event follows. NULL is allowed. */
void walk_close(struct walk *walk);

#endif
