/* SPDX-License-Identifier: PostgreSQL */
/* A transfer: what one pass encodes is COPYed over one connection, inside a transaction that
 * somebody else began and will end, and the server's count is compared with the pass's. The pass
 * runs in the thread pool; memory is bounded. */
#ifndef WORKER_TRANSFER_H
#define WORKER_TRANSFER_H

#include "db/chunks.h"
#include "worker/pass.h"

#include <uv.h>

/* A server that takes nothing of a COPY for so long, or does not answer before one, is given up.
 * TCP's own timeouts find a dead host, statement_timeout does not count while COPY waits for its
 * client, and a lock is waited for no longer than lock_timeout; what is left is a server process
 * that hangs. It only counts while there is something to take: a server that has the end of a COPY,
 * or a COMMIT, may take its time over it (constraints, standbys). */
#define SILENCE_MS 120000

/* The error of a connection that was silent for so long. */
struct db_error silence_error(void);

struct transfer; /* private */

/* NULL, or why it failed; meaning DB_DONE: by the file or the counts. The pass can be asked until
 * transfer_close. */
typedef void (*on_transferred)(void *arg, const struct db_error *err);

/* Starts it, and answers in a later turn, once. Takes the pass over; `conn` and `input` (which is
 * used until the last work in the thread pool has ended) are shared. */
struct transfer *transfer_new(uv_loop_t *loop, struct db_conn *conn, struct input *input,
                              struct pass *pass, on_transferred answer, void *arg);

/* The pass that it runs; owned by the transfer. */
struct pass *transfer_pass(const struct transfer *transfer);

/* No answer follows, and the connection is not touched any more. It is freed when what it has in
 * the thread pool has ended. NULL is allowed. */
void transfer_close(struct transfer *transfer);

#endif
