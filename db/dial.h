/* SPDX-License-Identifier: PostgreSQL */
/* Inside db/ only: makes one connection without ever blocking the loop. libpq alone would look up
 * host names in the loop's thread, and enforces no connect_timeout when it is polled; so names are
 * looked up in libuv's thread pool, and each address is tried by itself, under a timer. */
#ifndef DB_DIAL_H
#define DB_DIAL_H

#include "db/conn.h"

#include <libpq-fe.h>

struct dial;

/* `pg` is connected and handed over; or NULL, and `err` says what became of each address. Called
 * once, in a later turn of the loop; closing the dial stays the owner's business. */
typedef void (*on_dialed)(void *arg, PGconn *pg, const struct db_error *err);

/* Starts. `settings` must outlive the dial. */
struct dial *dial_new(uv_loop_t *loop, const struct db_settings *settings, on_dialed done,
                      void *arg);

/* Ends it, also before it is done, and frees it; no callback follows. NULL is allowed. */
void dial_close(struct dial *dial);

#endif
