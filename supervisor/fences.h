/* SPDX-License-Identifier: PostgreSQL */
/* The connections for what the supervisor changes: each change is a transaction of its own, and may
 * wait for a lock. There is one from the beginning; while changes queue up, more are opened, so
 * that those of many uploads share the server's writes of its log, and one that waits holds up few;
 * they are closed when they have rested. What a fence waits for too long is ended, if it is this
 * service's. */
#ifndef SUPERVISOR_FENCES_H
#define SUPERVISOR_FENCES_H

#include "db/conn.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct fences;

/* Opens the first one. `events` tell when that is ready and when one of them is lost, which may
 * close these; a further one that cannot be had is done without. `settings`, `reads`, `events` are
 * borrowed; over `reads` blockers are ended. Never NULL. */
struct fences *fences_new(uv_loop_t *loop, const struct db_settings *settings,
                          struct db_conn *reads, const struct db_events *events, void *arg);

/* After `reads` is closed. Closes all, and frees it. NULL is allowed. */
void fences_close(struct fences *fences);

/* Is the first one ready? */
bool fences_ready(const struct fences *fences);

/* The one with the least to do, for one statement. An upload has one under way at a time, so that
 * none of its own overtakes another. */
struct db_conn *fences_conn(struct fences *fences);

/* So many statements that one has to do. */
size_t fences_waiting(const struct fences *fences);

#endif
