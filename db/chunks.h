/* SPDX-License-Identifier: PostgreSQL */
/* The worker's transactions: the chain of checkpoints, a chunk on its lane. Answers come as in
 * trackers.h. (A rollback's: pop.h.) */
#ifndef DB_CHUNKS_H
#define DB_CHUNKS_H

#include "db/conn.h"

#include <stdbool.h>
#include <stdint.h>

#define CHECKPOINT_HASH_BYTES 16

/* A row of file_checkpoint. rows_total and rejects_total count from record 1 up to here. */
struct checkpoint {
    int64_t chunk_no, first_line, last_line, start_offset, end_offset;
    int64_t row_count, reject_count, rows_total, rejects_total;
    unsigned char hash[CHECKPOINT_HASH_BYTES];
    bool final;
};

/* Under whose authority a worker writes. */
struct claim {
    int64_t tracker, epoch, token;
    const char *owner;
};

typedef void (*on_chunk_done)(void *arg, const struct db_error *err);

/* Whether the chain goes on with `chunk`; `before` with chunk_no 0, all 0: it begins with it. */
bool checkpoint_follows(const struct checkpoint *before, const struct checkpoint *chunk);

/* At most `limit` checkpoints of a tracker behind chunk `after`, in order. */
typedef void (*on_checkpoints)(void *arg, const struct checkpoint *checkpoints, size_t count,
                               const struct db_error *err);
void checkpoints_read(struct db_conn *conn, int64_t tracker, int64_t after, int64_t limit,
                      on_checkpoints answer, void *arg);

/* The last checkpoint of a tracker's chain; `last` is NULL when there is none. */
typedef void (*on_last_checkpoint)(void *arg, const struct checkpoint *last,
                                   const struct db_error *err);
void checkpoint_last(struct db_conn *conn, int64_t tracker, on_last_checkpoint answer, void *arg);

/* BEGIN (read committed), SET LOCAL synchronous_commit = off unless `synchronous`, SET LOCAL
 * lock_timeout, and a look at the epoch without a lock: DB_FENCED when it has moved on. After that,
 * or after a failure of what follows in the transaction, chunk_rollback ends it. */
void chunk_begin(struct db_conn *conn, const struct claim *claim, bool synchronous,
                 int64_t lock_timeout_ms, on_chunk_done answer, void *arg);

/* Inside the transaction of chunk_begin: a savepoint before the first part of a chunk; behind a
 * part that is in; back to it, after a part that failed. */
void savepoint_set(struct db_conn *conn, on_chunk_done answer, void *arg);
void savepoint_advance(struct db_conn *conn, on_chunk_done answer, void *arg);
void savepoint_return(struct db_conn *conn, on_chunk_done answer, void *arg);

/* COPY (binary) into file_data (file_tracker_id, line_no, name, email) or file_reject
 * (file_tracker_id, line_no, start_offset, length, reason, sqlstate, raw); answers when the server
 * takes rows. The signature and trailer of the format are the caller's, as all bytes. */
enum copy_target { COPY_ROWS, COPY_REJECTS };
void copy_begin(struct db_conn *conn, enum copy_target target, on_chunk_done answer, void *arg);

/* Hands over bytes; they are copied. Memory is bounded only if the caller waits while copy_full. */
void copy_put(struct db_conn *conn, const char *data, size_t size);

/* More than a bounded amount is waiting for the server: put no more until `drained`, which is
 * called once, in a later turn (also when the COPY has failed meanwhile: copy_end then tells). */
bool copy_full(const struct db_conn *conn);
typedef void (*on_drained)(void *arg);
void copy_when_drained(struct db_conn *conn, on_drained drained, void *arg);

/* The server has already failed the COPY, or the connection is lost: end it (with a reason to
 * abort, which then is not the one that is answered), to hear why. */
bool copy_broken(const struct db_conn *conn);

/* Ends the COPY (aborts it when `abort_reason` is not NULL: answered with an error) and answers the
 * rows the server counted. */
typedef void (*on_copied)(void *arg, int64_t rows, const struct db_error *err);
void copy_end(struct db_conn *conn, const char *abort_reason, on_copied answer, void *arg);

/* Something of the COPY still waits to be sent: bytes, or its end. */
bool copy_unsent(const struct db_conn *conn);

/* SELECT gate(...); COMMIT in one string, and for the final chunk the hash of the file, `content`
 * (NULL for others) between them. DB_FENCED when the gate refuses. DB_LOST: in doubt. Not
 * sent, and answered with the error before it, when the transaction of chunk_begin is not open or
 * failed. */
void chunk_commit(struct db_conn *conn, const struct claim *claim,
                  const struct checkpoint *checkpoint, const unsigned char *content,
                  on_chunk_done answer, void *arg);

/* ROLLBACK; also where no transaction is open. */
void chunk_rollback(struct db_conn *conn, on_chunk_done answer, void *arg);

/* brin_summarize_new_values on file_data's index, before a proof that reads it several times. What
 * fails in it is of no consequence: the answer has no error unless the connection is lost. */
void target_summarize(struct db_conn *conn, on_chunk_done answer, void *arg);

/* The same before a rollback, if it has to look for more than `rows` rows by the index, as the
 * checkpoints do not say where those are. */
void target_summarize_unplaced(struct db_conn *conn, int64_t tracker, int64_t rows,
                               on_chunk_done answer, void *arg);

#endif
