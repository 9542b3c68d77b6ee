/* SPDX-License-Identifier: PostgreSQL */
/* Compares the file with the checkpoints of a tracker: hashes the bytes of each of its chunks
 * again, page by page, in the thread pool. */
#ifndef WORKER_VERIFY_H
#define WORKER_VERIFY_H

#include "db/chunks.h"
#include "worker/input.h"

#include <uv.h>

struct digest;
struct verify;

struct verified {
    const struct db_error *failed; /* the database's, or the file's (DB_DONE); NULL: none */
    /* The first chunk whose bytes the file does not have, or in whose last record it goes on; NULL:
     * it has all of them. */
    const struct checkpoint *differs;
    const struct checkpoint *last; /* when it has all of them; NULL: the tracker has none */
    struct digest *digest;         /* of all of them, then; the answered one's from now on */
};

/* Once, and then it is freed; what the result points to is borrowed, but for the digest. */
typedef void (*on_verified)(void *arg, const struct verified *verified);

/* Starts. The file is open. */
struct verify *verify_new(uv_loop_t *loop, struct db_conn *conn, struct input *input,
                          int64_t tracker, on_verified answer, void *arg);

/* Ends it early; no answer follows, and it is freed when the thread pool lets go of it: within a
 * chunk. The connection is closed in the same turn of the loop, before or after. NULL is allowed.
 */
void verify_close(struct verify *verify);

#endif
