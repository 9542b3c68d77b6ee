/* SPDX-License-Identifier: PostgreSQL */
/* Loads a chunk that the server refuses as a whole, without the records that it refuses: by
 * halving. A part of the chunk is tried under a savepoint; if it is refused it is taken back and
 * cut in two, down to the single record, which becomes a reject with the server's message and
 * SQLSTATE. Parts are tried in the file's order, so that of two records that exclude each other the
 * later one is the reject. For b bad records of r: O(b log r) parts. All of it happens inside the
 * chunk's transaction, so that a death in its middle leaves nothing. */
#ifndef WORKER_SIFT_H
#define WORKER_SIFT_H

#include "db/chunks.h"
#include "worker/pass.h"
#include "worker/refusals.h"

#include <uv.h>

struct sift; /* private */

/* NULL: the rows are in. Or why not; meaning DB_DONE: by the file, the counts, or because there
 * were too many rejects (ERR_REJECT_LIMIT). */
typedef void (*on_sifted)(void *arg, const struct db_error *err);

/* Starts in a transaction that is open and has none of the chunk's rows, and answers in a later
 * turn, once. `conn` and `input` are shared; more than `most_rejects` rejects, bad records
 * included, are too many. */
struct sift *sift_new(uv_loop_t *loop, struct db_conn *conn, struct input *input,
                      const struct chunk *chunk, int64_t most_rejects, on_sifted answer, void *arg);

/* The chunk's rows and rejects, both kinds of them; complete once it has answered. */
const struct pass_counts *sift_counts(const struct sift *sift);

/* Those that the server refused; the caller owns them then. */
struct refusals sift_take_refusals(struct sift *sift);

/* No answer follows. To be called behind db_conn_close, or when it has answered. NULL is allowed.
 */
void sift_close(struct sift *sift);

#endif
