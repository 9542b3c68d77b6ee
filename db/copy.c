/* SPDX-License-Identifier: PostgreSQL */
/* COPY into the target. libpq's buffer grows without bound before it pushes back, and it does not
 * say how much is in it; so what has been put since the buffer was last seen empty is counted, and
 * more than PENDING_BYTES of that is full. While it is full the kernel's buffer still feeds the
 * server, so that waiting until libpq's is empty leaves no gap. */
#include "base/mem.h"
#include "base/text.h"
#include "db/session.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#define PENDING_BYTES ((size_t)256 * 1024)

struct begun {
    on_chunk_done answer;
    void *arg;
};

static void on_begun(void *arg, PGresult *result, const struct db_error *err)
{
    const struct begun *begun = arg;

    (void)result;
    begun->answer(begun->arg, err);
}

void copy_begin(struct db_conn *conn, enum copy_target target, on_chunk_done answer, void *arg)
{
    static const enum sql_statement statements[] = {
        [COPY_ROWS] = SQL_copy_rows,
        [COPY_REJECTS] = SQL_copy_rejects,
    };
    struct begun begun = {answer, arg};

    query_send_copy(conn, statements[target], on_begun, &begun, sizeof begun);
}

/* Takes note of what libpq could send; true when nothing is left in its buffer. */
static bool flush(struct db_conn *conn)
{
    if (PQflush(conn->pg) != 0)
        return false; /* conn_watch sees whether it failed */
    conn->copying.pending_bytes = 0;
    return true;
}

/* What libpq reads by itself while it sends is not seen by the loop any more. */
static bool is_readable(const struct db_conn *conn)
{
    struct pollfd socket = {.fd = PQsocket(conn->pg), .events = POLLIN};

    return poll(&socket, 1, 0) > 0;
}

void copy_put(struct db_conn *conn, const char *data, size_t size)
{
    struct copying *copying = &conn->copying;

    while (size > 0 && copying->open && !conn->lost) {
        int piece = size > INT_MAX / 2 ? INT_MAX / 2 : (int)size;
        if (is_readable(conn))
            conn_take_in(conn);
        if (conn->lost)
            return;
        int rc = PQputCopyData(conn->pg, data, piece);
        if (rc != 1) { /* 0: libpq has no memory */
            conn_lose(conn, NULL);
            return;
        }
        copying->pending_bytes += (size_t)piece;
        data += piece;
        size -= (size_t)piece;
        flush(conn);
        conn_watch(conn);
    }
}

bool copy_full(const struct db_conn *conn)
{
    const struct copying *copying = &conn->copying;

    return copying->open && !copying->broken && !conn->lost &&
           copying->pending_bytes > PENDING_BYTES;
}

void copy_when_drained(struct db_conn *conn, on_drained drained, void *arg)
{
    conn->copying.drained = drained;
    conn->copying.drained_arg = arg;
    conn_later(conn);
}

bool copy_broken(const struct db_conn *conn)
{
    return conn->lost || conn->copying.broken;
}

void copy_run(struct db_conn *conn)
{
    struct copying *copying = &conn->copying;

    if (copying->open && !conn->lost)
        flush(conn);
    if (copying->drained && !copy_full(conn)) {
        on_drained drained = copying->drained;
        copying->drained = NULL;
        drained(copying->drained_arg);
    }
}

bool copy_end_send(struct db_conn *conn, const char *abort_reason)
{
    int rc = PQputCopyEnd(conn->pg, abort_reason);

    if (rc < 0)
        conn_lose(conn, NULL);
    return rc > 0;
}

struct ended {
    on_copied answer;
    void *arg;
};

static void on_ended(void *arg, PGresult *result, const struct db_error *err)
{
    const struct ended *ended = arg;
    int64_t rows = 0;

    if (!err)
        text_to_int64(PQcmdTuples(result), 0, INT64_MAX, &rows);
    ended->answer(ended->arg, rows, err);
}

void copy_end(struct db_conn *conn, const char *abort_reason, on_copied answer, void *arg)
{
    struct ended ended = {answer, arg};
    struct statement *statement =
        statement_new(STATEMENT_COPY_END, mem_dup(abort_reason), on_ended, &ended, sizeof ended);

    /* while the server takes rows, nothing else can be sent to it */
    if (conn->copying.open)
        statement_prepend(conn, statement);
    else
        statement_append(conn, statement);
}
