/* SPDX-License-Identifier: PostgreSQL */
/* The life of a connection: dialled, watched, lost, closed. Everything that calls back starts in
 * advance(), which only the loop calls: so every answer comes in a later turn than its question,
 * and no callback finds itself inside another. The object is freed in the close callback of its
 * timer, so that a callback may close the connection that is calling it. */
#include "db/conn.h"

#include "base/log.h"
#include "base/mem.h"
#include "db/conninfo.h"
#include "db/dial.h"
#include "db/failure.h"
#include "db/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A TLS record may be read by OpenSSL while only a part of it fits into libpq's buffer: the rest
 * makes no socket readable. While an encrypted connection owes an answer it is read again. */
#define NUDGE_MS 50

static void advance(struct db_conn *conn);
static void on_connected(void *arg, PGconn *pg, const struct db_error *err);

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Before anything else may get the descriptor's number. */
static void unwatch(struct db_conn *conn)
{
    if (conn->poll)
        uv_close((uv_handle_t *)conn->poll, on_poll_closed);
    conn->poll = NULL;
    conn->watched = 0;
}

void conn_lose(struct db_conn *conn, const struct db_error *err)
{
    unwatch(conn);
    if (conn->lost || conn->closed)
        return;
    conn->lost = true;
    if (err)
        conn->loss = *err;
    else
        failure_of_conn(&conn->loss, conn->pg);
    copy_hear_out(conn);
    if (conn->last_words.meaning == DB_LOST)
        conn->loss = conn->last_words;
    conn_later(conn);
}

/* The server may say why it ends the session in a notice (to an idle session) only. */
static void on_notice(void *arg, const PGresult *notice)
{
    struct db_conn *conn = arg;
    struct db_error err;

    conn->notices++;
    failure_of_result(&err, notice, conn->settings.schema);
    if (failure_ends_session(notice))
        conn->last_words = err;
    log_line(LOG_LEVEL_DEBUG, 0, "notice of the server: %s sqlstate=%s", err.error.message,
             err.error.sqlstate);
}

/* Reads what is there. Anything but a notice while the server should only listen to a COPY is the
 * error that ended it, which libpq shows no earlier than the COPY is ended. */
void conn_take_in(struct db_conn *conn)
{
    uint64_t notices = conn->notices;

    if (!conn->pg || conn->lost || conn->streaming.held)
        return;
    bool alive = PQconsumeInput(conn->pg) == 1;
    PQisBusy(conn->pg); /* parses: notices are told */
    if (conn->copying.open && (!alive || notices == conn->notices))
        conn->copying.broken = true;
    if (!alive)
        conn_lose(conn, NULL);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct db_conn *conn = poll->data;

    if (status < 0)
        conn->watched = 0; /* libuv has stopped the handle; reading tells what is wrong */
    if (status < 0 || (events & UV_READABLE))
        conn_take_in(conn);
    advance(conn);
}

static bool is_encrypted(const struct db_conn *conn)
{
    return PQsslInUse(conn->pg) || PQgssEncInUse(conn->pg);
}

static void on_later(uv_timer_t *timer)
{
    struct db_conn *conn = timer->data;
    PGconn *given = conn->given;

    conn->given = NULL;
    if (given) {
        on_connected(conn, given, NULL);
        return;
    }
    if (conn->pg && !conn->lost && !conn->copying.open && is_encrypted(conn))
        conn_take_in(conn);
    advance(conn);
}

void conn_later(struct db_conn *conn)
{
    if (!conn->closed)
        uv_timer_start(&conn->later, on_later, 0, 0);
}

/* Whether something is to be sent when the socket has room. In a COPY libpq itself has nothing
 * left. */
static bool has_to_send(struct db_conn *conn)
{
    return conn->copying.open ? copy_unsent(conn) : PQflush(conn->pg) == 1;
}

void conn_watch(struct db_conn *conn)
{
    if (!conn->pg || conn->lost)
        return;
    int events = (conn->streaming.held ? 0 : UV_READABLE) | (has_to_send(conn) ? UV_WRITABLE : 0);
    if (PQstatus(conn->pg) == CONNECTION_BAD || PQsocket(conn->pg) < 0) {
        conn_lose(conn, NULL);
        return;
    }
    if (events != conn->watched) {
        uv_poll_start(conn->poll, events, on_socket);
        conn->watched = events;
    }
    /* While something is owed it is looked at now and then, whatever the socket says: OpenSSL can
     * hold what the socket no longer shows. */
    bool owed = conn->first || conn->copying.size > 0 || conn->copying.drained;
    if (owed && !uv_is_active((uv_handle_t *)&conn->later))
        uv_timer_start(&conn->later, on_later, NUDGE_MS, 0);
}

static void hang_up(struct db_conn *conn)
{
    dial_close(conn->dial);
    conn->dial = NULL;
    if (conn->kept)
        kept_leave(conn->kept);
    else
        PQfinish(conn->pg);
    conn->kept = NULL;
    conn->pg = NULL;
}

/* The end of a connection that is lost: all that wait are told, in order, and then the owner. */
static void tell_loss(struct db_conn *conn)
{
    hang_up(conn);
    statements_lose(conn);
    if (!conn->closed)
        copy_run(conn);
    if (!conn->closed && !conn->told) {
        conn->told = true;
        conn->events.on_lost(conn->arg, &conn->loss);
    }
    if (!conn->closed && conn->first)
        conn_later(conn); /* given meanwhile */
}

static void advance(struct db_conn *conn)
{
    if (conn->pg)
        statements_run(conn);
    if (!conn->closed && conn->pg && !conn->lost)
        copy_run(conn);
    if (conn->closed)
        return;
    conn_watch(conn);
    if (conn->lost)
        tell_loss(conn);
}

static void on_connected(void *arg, PGconn *pg, const struct db_error *err)
{
    struct db_conn *conn = arg;

    if (!pg) {
        conn_lose(conn, err);
        return;
    }
    dial_close(conn->dial);
    conn->dial = NULL;
    conn->pg = pg;
    PQsetNoticeReceiver(pg, on_notice, conn);
    conn->poll = NEW(uv_poll_t);
    int rc = uv_poll_init(conn->loop, conn->poll, PQsocket(pg));
    if (rc < 0 || PQsetnonblocking(pg, 1) < 0)
        log_fatal("cannot watch a connection to the database: %s", uv_strerror(rc));
    conn->poll->data = conn;
    conn->events.on_ready(conn->arg);
    if (!conn->closed)
        advance(conn);
}

/* An identifier in double quotes, the quotes in it doubled. */
static char *quoted(const char *name)
{
    char *out = mem_new(strlen(name) * 2 + 3, 1);
    size_t used = 0;

    out[used++] = '"';
    for (; *name; name++) {
        if (*name == '"')
            out[used++] = '"';
        out[used++] = *name;
    }
    out[used] = '"';
    return out;
}

/* They may change before it connects. */
static void copy_settings(struct db_conn *conn, const struct db_settings *settings)
{
    conn->conninfo = mem_dup(settings->conninfo);
    conn->password = settings->password ? mem_dup(settings->password) : NULL;
    conn->schema_name = mem_dup(settings->schema);
    conn->application_name = mem_dup(settings->application_name);
    conn->settings = (struct db_settings){conn->conninfo, conn->password, conn->schema_name,
                                          conn->application_name, NULL};
}

static void on_reset(void *arg, PGresult *result, const struct db_error *err)
{
    (void)result;
    if (err) /* nothing that comes behind may be sent over it */
        conn_lose(arg, err);
}

/* The session goes on where the one before has left it. */
static void take_over(struct db_conn *conn, struct db_kept *kept, PGconn *pg)
{
    struct params params = {.count = 0};

    conn->kept = kept;
    conn->given = pg;
    param_text(&params, conn->application_name);
    query_send(conn, SQL_session_reset, &params, on_reset, conn);
}

struct db_conn *db_conn_new(uv_loop_t *loop, const struct db_settings *settings,
                            const struct db_events *events, void *arg)
{
    struct db_conn *conn = NEW(struct db_conn);

    conn->loop = loop;
    copy_settings(conn, settings);
    conn->events = *events;
    conn->arg = arg;
    conn->schema = quoted(settings->schema);
    conn->end = &conn->first;
    uv_timer_init(loop, &conn->later);
    conn->later.data = conn;
    PGconn *given = kept_take(settings->kept);
    if (given)
        take_over(conn, settings->kept, given);
    else
        conn->dial = dial_new(loop, &conn->settings, on_connected, conn);
    return conn;
}

static void on_closed(uv_handle_t *handle)
{
    struct db_conn *conn = handle->data;

    free(conn->copying.data);
    free(conn->schema);
    free(conn->conninfo);
    free(conn->password);
    free(conn->schema_name);
    free(conn->application_name);
    free(conn);
}

void db_conn_close(struct db_conn *conn)
{
    if (!conn || conn->closed)
        return;
    conn->closed = true;
    unwatch(conn);
    hang_up(conn);
    while (conn->first)
        statement_free(statement_take(conn));
    uv_close((uv_handle_t *)&conn->later, on_closed);
}

bool db_conn_ready(const struct db_conn *conn)
{
    return conn->pg && !conn->lost;
}

size_t db_conn_pending(const struct db_conn *conn)
{
    return conn->pending;
}

int db_conn_backend_pid(const struct db_conn *conn)
{
    return db_conn_ready(conn) ? PQbackendPID(conn->pg) : 0;
}

char *db_conn_conninfo(const struct db_conn *conn, const char *password)
{
    return db_conn_ready(conn) ? conninfo_print(conn->pg, password) : NULL;
}

const char *db_conn_schema(const struct db_conn *conn)
{
    return conn->schema;
}
