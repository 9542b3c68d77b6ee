/* SPDX-License-Identifier: PostgreSQL */
/* A chunk of the file, compared part by part with rows that come as they lie in the table. Rows of
 * records that the file has not come to yet are kept, within bounds. It says equal only of a chunk
 * whose rows and rejects are exactly what the file and the checkpoint say; what is not equal, or
 * comes in too great a disorder, goes astray: why, is for the walk to say. */
#ifndef WORKER_STRIP_H
#define WORKER_STRIP_H

#include "db/chunks.h"
#include "db/proof.h"
#include "worker/input.h"

#include <uv.h>

struct strip; /* private */

enum strip_state {
    STRIP_OPEN,
    STRIP_EQUAL,
    STRIP_ASTRAY,
    STRIP_FAILED /* the database: strip_error */
};

/* What is found equal of the chunk so far. */
struct strip_found {
    int64_t rows, rejects, bytes;
};

/* Starts reading the file. `job`, `conn`, over which the rejects are read, and `chunk` are borrowed
 * and outlive it. `on_change` is called when the state, or what is found, may have changed
 * otherwise than by the calls below. */
struct strip *strip_new(uv_loop_t *loop, const struct job *job, struct db_conn *conn,
                        struct input *input, const struct checkpoint *chunk,
                        void (*on_change)(void *arg), void *arg);

/* Takes a row of the chunk. */
void strip_take(struct strip *strip, const struct proof_row *row);

/* No more rows come. */
void strip_end(struct strip *strip);

/* Goes astray, if it is open. */
void strip_leave(struct strip *strip);

enum strip_state strip_state(const struct strip *strip);

/* Whether a statement of its is under way. */
bool strip_asks(const struct strip *strip);

/* Whether it has rows enough until it has read on. */
bool strip_full(const struct strip *strip);

/* Whether all rows of its chunk have come, and it has yet to read on. */
bool strip_lags(const struct strip *strip);

const struct checkpoint *strip_chunk(const struct strip *strip);
struct strip_found strip_found(const struct strip *strip);
const struct db_error *strip_error(const struct strip *strip);

/* Only when it does not ask, or its connection was closed. NULL is allowed. */
void strip_close(struct strip *strip);

#endif
