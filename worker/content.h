/* SPDX-License-Identifier: PostgreSQL */
/* Before a file is loaded from record 1: hashes all of it in the thread pool, when the bytes of any
 * other upload are to be refused, and takes them for this one. */
#ifndef WORKER_CONTENT_H
#define WORKER_CONTENT_H

#include "db/content.h"
#include "worker/input.h"

#include <uv.h>

struct content;

/* Once, and then it is freed. `found`: another upload has the same bytes (borrowed); else NULL.
 * `err`: the database's, or the file's (DB_DONE); NULL: none. */
typedef void (*on_claimed)(void *arg, const struct owner_of_content *found,
                           const struct db_error *err);

/* Starts. The file is open. Without `content` in the input's job the file is not read, and what an
 * earlier start has taken is let go. */
struct content *content_new(uv_loop_t *loop, struct db_conn *conn, struct input *input,
                            on_claimed answer, void *arg);

/* Ends it early, as verify_close does. */
void content_close(struct content *content);

#endif
