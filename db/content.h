/* SPDX-License-Identifier: PostgreSQL */
/* What an upload's file has in it, by its hash: who else has the same. */
#ifndef DB_CONTENT_H
#define DB_CONTENT_H

#include "db/chunks.h"

/* Another upload of the same bytes; `path` is borrowed. */
struct owner_of_content {
    int64_t tracker;
    const char *path;
    bool processed; /* else it is under way, or rows of it are in */
};

/* `found` is NULL when nobody else has them. */
typedef void (*on_content)(void *arg, const struct owner_of_content *found,
                           const struct db_error *err);

/* Before the first chunk: takes the bytes of this hash and size for the claim's tracker, in a
 * transaction of its own, unless another of its profile has them, who is answered; `again`: whoever
 * has them. `hash` NULL: they are not known, and what an earlier start has taken is let go.
 * DB_FENCED as at the gate. Answers come as in trackers.h. */
void content_claim(struct db_conn *conn, const struct claim *claim, const unsigned char *hash,
                   int64_t size, bool again, on_content answer, void *arg);

#endif
