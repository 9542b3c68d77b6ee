/* SPDX-License-Identifier: PostgreSQL */
/* Hands the file's chunks to lanes in their order, and has them committed in their order: a chunk
 * only when the one before is confirmed. Finds the way out when lanes block each other, lets chunks
 * that stand before a failed one finish, and then says how it ended. */
#ifndef WORKER_DISPATCH_H
#define WORKER_DISPATCH_H

#include "csv/splitter.h"
#include "worker/input.h"
#include "worker/lane.h"

#include <stdint.h>
#include <uv.h>

struct dispatch;

/* What is in: the end of the last checkpoint. */
struct point {
    struct chunk chunk; /* the last; chunk_no 0: none */
    int64_t rows, rejects;
};

struct dispatch_events {
    void (*on_connected)(void *arg); /* the first lane */
    void (*on_settled)(void *arg);   /* no further lane is opened; at most once */
    void (*on_progress)(void *arg, const struct point *point); /* one more chunk is in */
    /* Once, and the last one: loaded, finished, or what went wrong. May come before it was started.
     * The owner closes the dispatch. */
    void (*on_ended)(void *arg, const struct ending *ending);
};

/* Opens the first lane, over the connection that is kept unless that is NULL. `job`, which also
 * says under which claim, outlives the dispatch. */
struct dispatch *dispatch_new(uv_loop_t *loop, const struct job *job, struct db_kept *kept,
                              const struct dispatch_events *events, void *arg);

/* The first lane's connection, between on_connected and dispatch_start. */
struct db_conn *dispatch_conn(const struct dispatch *dispatch);

/* Loads what is behind `point` over at most so many lanes. The input is open; `digest` is of what
 * is before the point, and the dispatch's from now on. */
void dispatch_start(struct dispatch *dispatch, struct input *input, const struct point *point,
                    struct digest *digest, int64_t most_lanes);

/* No new chunk is begun: those under way are committed, then it ends as finished. */
void dispatch_finish(struct dispatch *dispatch);

/* Closes all lanes at once: open transactions are rolled back. NULL is allowed. */
void dispatch_close(struct dispatch *dispatch);

#endif
