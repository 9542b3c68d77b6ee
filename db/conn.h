/* SPDX-License-Identifier: PostgreSQL */
/* One connection to PostgreSQL on a libuv loop: never blocks, one statement at a time in the order
 * they were given, COPY with bounded memory. Only db/ sees libpq; other folders use the typed
 * transactions of trackers.h, recovery.h, chunks.h. */
#ifndef DB_CONN_H
#define DB_CONN_H

#include "base/error.h"
#include "db/meaning.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct db_conn;
struct db_kept;

struct db_events {
    void (*on_ready)(void *arg);
    /* Connecting failed, or the connection is lost: once. Statements that were under way have been
     * answered with the same error (meaning DB_LOST: they may have happened) before. The owner
     * closes the connection; there is no reconnecting here. */
    void (*on_lost)(void *arg, const struct db_error *err);
};

/* What every connection of one program has in common. A connection keeps copies of the texts. */
struct db_settings {
    const char *conninfo; /* as configured, or resolved; may be empty: libpq's environment counts */
    const char *password; /* in place of the conninfo's; NULL: that, if any */
    const char *schema;
    const char *application_name;
    struct db_kept *kept; /* the first connection is this one, reset; NULL: none is kept */
};

/* Whether libpq can read a conninfo, with environment and service file taken into account, and
 * takes its values; no network. 0, or -ERR_CONFIG: what libpq says of it, but nothing that could be
 * of a password. */
int db_conninfo_check(const char *conninfo, struct error *err) MUST_USE;

/* Connects at once (PQconnectStart under uv_poll; connect_timeout, keepalives, client_encoding
 * UTF8, target_session_attrs=read-write unless conninfo says otherwise; search_path pinned for
 * the service's own statements). Never NULL; a failure arrives through on_lost. */
struct db_conn *db_conn_new(uv_loop_t *loop, const struct db_settings *settings,
                            const struct db_events *events, void *arg);

/* Ends the connection and frees it; no callback follows. What was sent may still happen at the
 * server. NULL is allowed. */
void db_conn_close(struct db_conn *conn);

bool db_conn_ready(const struct db_conn *conn);

/* Statements given and not answered. */
size_t db_conn_pending(const struct db_conn *conn);

/* The server's process of this connection, 0 when not connected. */
int db_conn_backend_pid(const struct db_conn *conn);

/* The connection's parameters as one conninfo, service file and environment resolved and the
 * password in it (this one; NULL: that which it has connected with), for a worker. The caller
 * frees, and logs it never. NULL when not connected. */
char *db_conn_conninfo(const struct db_conn *conn, const char *password);

#endif
