/* SPDX-License-Identifier: PostgreSQL */
/* A connection that outlives the process that uses it: made by one that has no loop, and handed to
 * those that it forks, one after the other. To start a session costs the server more than a small
 * file does. */
#ifndef DB_KEPT_H
#define DB_KEPT_H

#include "db/conn.h"

#include <stdbool.h>

struct db_kept;

/* Connects; blocks for some seconds at most. NULL when that fails, or when the connection is
 * encrypted: what the cipher's state is after its first user, nobody else would know. */
struct db_kept *db_kept_new(const struct db_settings *settings);

/* In the process that made it, while nobody uses it: whether it was made with this conninfo, and
 * the server has not said anything, such as its end, since. */
bool db_kept_is_usable(const struct db_kept *kept, const char *conninfo);

/* In the process that had it, after db_conn_close: whether the server waits for the next statement,
 * outside of any transaction, as if it had not been used. */
bool db_kept_at_rest(const struct db_kept *kept);

/* In the process that made it: ends the session. NULL is allowed. */
void db_kept_end(struct db_kept *kept);

#endif
