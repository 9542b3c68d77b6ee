/* SPDX-License-Identifier: PostgreSQL */
/* What is read to prove that the table holds what a file says, in one snapshot. The checkpoints
 * and the rejects are read by chunks.h and trackers.h, over the same connection. Answers come as in
 * trackers.h. */
#ifndef DB_PROOF_H
#define DB_PROOF_H

#include "db/chunks.h"
#include "db/conn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begins the snapshot; it ends with the connection. */
void proof_begin(struct db_conn *conn, on_chunk_done answer, void *arg);

/* The snapshot's name, borrowed for the time of the callback; NULL with an error. */
typedef void (*on_proof_snapshot)(void *arg, const char *name, const struct db_error *err);
void proof_export(struct db_conn *conn, on_proof_snapshot answer, void *arg);

/* As proof_begin, with the snapshot of another connection, which has to be there still. */
void proof_join(struct db_conn *conn, const char *name, on_chunk_done answer, void *arg);

/* A row of the target. The values are borrowed for the time of the callback; NULL is NULL. */
struct proof_row {
    int64_t line;
    const char *name, *email;
    size_t name_bytes, email_bytes;
};

/* Sends all rows of a tracker as they lie in the table, one by one, found without an index; `row`
 * answers false to have no more until proof_go_on. `answer` follows the last one. */
typedef bool (*on_proof_row)(void *arg, const struct proof_row *row);
void proof_stream(struct db_conn *conn, int64_t tracker, on_proof_row row, on_chunk_done answer,
                  void *arg);
void proof_go_on(struct db_conn *conn);

/* How many rejects it has, found without an index. */
typedef void (*on_proof_rejects)(void *arg, int64_t count, const struct db_error *err);
void proof_rejects(struct db_conn *conn, int64_t tracker, on_proof_rejects answer, void *arg);

/* From now on the rows of records `first` to `last` are fetched, in the order of their lines. */
void proof_open(struct db_conn *conn, int64_t tracker, int64_t first, int64_t last,
                on_chunk_done answer, void *arg);

/* The next of them: `most` (at least 1), or fewer when these are the last. */
typedef void (*on_proof_rows)(void *arg, const struct proof_row *rows, size_t count,
                              const struct db_error *err);
void proof_fetch(struct db_conn *conn, size_t most, on_proof_rows answer, void *arg);

/* All that a tracker has, found without an index. */
struct proof_count {
    int64_t rows, rejects;
    bool has_stranger;
    int64_t stranger; /* the first line beyond 1..last that has a row */
};
typedef void (*on_proof_count)(void *arg, const struct proof_count *count,
                               const struct db_error *err);
void proof_count(struct db_conn *conn, int64_t tracker, int64_t last, on_proof_count answer,
                 void *arg);

#endif
