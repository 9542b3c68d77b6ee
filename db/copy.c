/* SPDX-License-Identifier: PostgreSQL */
/* COPY into the target, in its own words to libpq. Left to itself, libpq takes whatever it is
 * given: its buffer grows without bound when the server does not read. And when a send would block,
 * it reads, and keeps what it read unseen until the COPY is ended: the loop would never hear that
 * the server has failed it. So what waits for the server waits here, where it is counted, and libpq
 * gets one slice at a time, only while the socket has room for it; then no send of its ever blocks.
 */
#include "base/mem.h"
#include "base/text.h"
#include "db/failure.h"
#include "db/session.h"

#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* More than FULL_BYTES waiting is full; it has drained when the half is left. Meanwhile the
 * kernel's buffer feeds the server. */
#define FULL_BYTES ((size_t)256 * 1024)

/* With the header of its message two of libpq's 8 KiB, so that nothing stays behind in its buffer.
 * A socket that poll() calls writable has room for more than that. */
#define SLICE_BYTES ((size_t)16384 - 5)

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

/* A Unix socket is called writable when three quarters of its buffer are free, and takes what it is
 * given as long as there is any room (sock_alloc_send_pskb): so long it is filled, that the server
 * has enough to do until this process is woken. */
static bool has_room_on_unix(int fd, int bytes)
{
    int queued;

    return bytes > 0 && ioctl(fd, SIOCOUTQ, &queued) == 0 && queued < bytes;
}

/* The size of a Unix socket's buffer; 0: it is of another kind, or too small to take a slice as
 * one. */
static int unix_bytes_of(int fd)
{
    int domain = 0, bytes = 0;
    socklen_t size = sizeof domain;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX)
        return 0;
    size = sizeof bytes;
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, &size) != 0 || bytes < (int)SLICE_BYTES * 4)
        return 0;
    return bytes;
}

/* Is there room for a slice? What has arrived is looked at first: a server that has something to
 * say has ended the COPY, as a rule. */
static bool has_room(struct db_conn *conn)
{
    struct pollfd socket = {.fd = PQsocket(conn->pg), .events = POLLIN | POLLOUT};

    if (poll(&socket, 1, 0) < 0)
        return false;
    if (socket.revents & ~POLLOUT)
        conn_take_in(conn);
    if (conn->lost || conn->copying.broken)
        return false;
    return (socket.revents & POLLOUT) || has_room_on_unix(socket.fd, conn->copying.unix_bytes);
}

/* Hands over what waits, as far as the socket takes it. */
static void pump(struct db_conn *conn)
{
    struct copying *copying = &conn->copying;

    while (copying->size > 0 && !conn->lost && has_room(conn)) {
        size_t slice = copying->size < SLICE_BYTES ? copying->size : SLICE_BYTES;
        if (PQputCopyData(conn->pg, copying->data + copying->start, (int)slice) != 1 ||
            (slice < SLICE_BYTES && PQflush(conn->pg) < 0)) {
            conn_lose(conn, NULL);
            break;
        }
        copying->start += slice;
        copying->size -= slice;
    }
    if (copying->broken || conn->lost)
        copying->size = 0; /* nobody would read it */
    if (copying->size == 0)
        copying->start = 0;
}

void copy_put(struct db_conn *conn, const char *data, size_t size)
{
    struct copying *copying = &conn->copying;

    if (!copying->open || copying->broken || conn->lost)
        return;
    if (copying->start > 0 && copying->start + copying->size + size > copying->capacity) {
        memmove(copying->data, copying->data + copying->start, copying->size);
        copying->start = 0;
    }
    if (copying->size + size > copying->capacity) {
        copying->capacity = copying->size + size;
        copying->data = mem_resize(copying->data, copying->capacity, 1);
    }
    memcpy(copying->data + copying->start + copying->size, data, size);
    copying->size += size;
    pump(conn);
    conn_watch(conn);
}

bool copy_full(const struct db_conn *conn)
{
    return conn->copying.size > FULL_BYTES;
}

bool copy_unsent(const struct db_conn *conn)
{
    const struct copying *copying = &conn->copying;
    bool ending = conn->first && conn->first->kind == STATEMENT_COPY_END && !conn->first->sent;

    return copying->open && (copying->size > 0 || ending);
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

void copy_opened(struct db_conn *conn)
{
    conn->copying.open = true;
    conn->copying.broken = false;
    conn->copying.start = conn->copying.size = 0;
    conn->copying.unix_bytes = unix_bytes_of(PQsocket(conn->pg));
}

void copy_run(struct db_conn *conn)
{
    struct copying *copying = &conn->copying;

    if (copying->open)
        pump(conn);
    if (copying->drained && copying->size <= FULL_BYTES / 2) {
        on_drained drained = copying->drained;
        copying->drained = NULL;
        drained(copying->drained_arg);
    }
}

bool copy_end_send(struct db_conn *conn, const char *abort_reason)
{
    struct copying *copying = &conn->copying;

    if (abort_reason)
        copying->size = 0;
    pump(conn);
    if (copying->size > 0 || conn->lost)
        return false;
    if (PQputCopyEnd(conn->pg, abort_reason) != 1) {
        conn_lose(conn, NULL);
        return false;
    }
    copying->open = false;
    return true;
}

void copy_hear_out(struct db_conn *conn)
{
    PGresult *result;

    /* nothing is sent any more; it makes libpq parse what it has */
    if (!conn->copying.open || PQputCopyEnd(conn->pg, "the connection is lost") != 1)
        return;
    while (!PQisBusy(conn->pg) && (result = PQgetResult(conn->pg))) {
        if (failure_ends_session(result))
            failure_of_result(&conn->last_words, result, conn->settings.schema);
        PQclear(result);
    }
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
