/* SPDX-License-Identifier: PostgreSQL */
/* Compares one chunk after the other with what the table has of it, a bounded part at a time: its
 * rows as they lie in the table, streamed over a connection of their own. A chunk that does not
 * come out equal in that way is compared once more, in the order of its lines, which tells the
 * first differences; so are all where there is no second connection. */
#ifndef WORKER_COMPARISON_H
#define WORKER_COMPARISON_H

#include "db/chunks.h"
#include "db/conn.h"
#include "worker/input.h"
#include "worker/part.h"

#include <uv.h>

/* What was found of the chunk up to a record. */
struct compared {
    struct checkpoint chunk;
    int64_t last_line, end_offset;
    int64_t rows, rejects;
};

struct comparison; /* private */

struct comparison_events {
    void (*on_part)(void *arg); /* so far all is equal */
    /* One of these ends a chunk: all of it is equal; it is not; the file could not be read, or is
     * another one (ERR_FILE_CHANGED); the database failed. */
    void (*on_equal)(void *arg);
    void (*on_differs)(void *arg, const struct differences *differences);
    void (*on_failed)(void *arg, const struct error *err);
    void (*on_database)(void *arg, const struct db_error *err);
};

/* `conn`, and `stream` unless it is NULL, are in one snapshot; with `job` they are borrowed and
 * outlive it. */
struct comparison *comparison_new(uv_loop_t *loop, const struct job *job, struct db_conn *conn,
                                  struct db_conn *stream, struct input *input,
                                  const struct comparison_events *events, void *arg);

/* Compares the chunk; only when there is none in hand. */
void comparison_begin(struct comparison *comparison, const struct checkpoint *chunk);

/* What it has found of the chunk in hand, or of the last one. */
const struct compared *comparison_found(const struct comparison *comparison);

/* Lets go of everything, after its connection was closed; no event follows. NULL is allowed. */
void comparison_close(struct comparison *comparison);

#endif
