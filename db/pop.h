/* SPDX-License-Identifier: PostgreSQL */
/* The transactions of a rollback. A step takes out the newest chunks of the chain: their rows first
 * (pop_rows), which several connections can do at once, each for a step of its own; then, newest
 * step first, gate and COMMIT (pop_chunks). Answers come as in trackers.h. */
#ifndef DB_POP_H
#define DB_POP_H

#include "db/chunks.h"

struct pop_step {
    int64_t first_chunk, last_chunk;
    int64_t first_line;
};

/* The step below chunk `below` (0: the newest of all) of about `records` records, at least a chunk.
 * `step` is NULL when there is nothing more. */
typedef void (*on_planned)(void *arg, const struct pop_step *step, const struct db_error *err);
void pop_plan(struct db_conn *conn, int64_t tracker, int64_t below, int64_t records,
              on_planned answer, void *arg);

/* BEGIN, and the step's rows are deleted; answers how many there were. A lock is waited for
 * `lock_timeout_ms`, or, with 0, as long as the session's settings say. After a failure
 * chunk_rollback ends the transaction. */
typedef void (*on_rows_out)(void *arg, int64_t deleted, const struct db_error *err);
void pop_rows(struct db_conn *conn, int64_t tracker, const struct pop_step *step,
              int64_t lock_timeout_ms, on_rows_out answer, void *arg);

/* The gate of a rollback, and COMMIT, synchronous; inside the transaction of pop_rows, which has
 * deleted so many. Answers the last checkpoint that remains. DB_FENCED when the gate refuses,
 * DB_CONFLICT when the step's chunks are not the newest. */
void pop_chunks(struct db_conn *conn, const struct claim *claim, const struct pop_step *step,
                int64_t deleted, on_last_checkpoint answer, void *arg);

#endif
