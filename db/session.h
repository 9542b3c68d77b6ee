/* SPDX-License-Identifier: PostgreSQL */
/* Inside db/ only: the connection as conn.c (its life), query.c (the queue of its statements),
 * exchange.c (the statement under way), copy.c (COPY to the server) and stream.c (COPY from it)
 * share it. */
#ifndef DB_SESSION_H
#define DB_SESSION_H

#include "db/chunks.h"
#include "db/conn.h"
#include "db/kept.h"
#include "db/query.h"

enum statement_kind { STATEMENT_PLAIN, STATEMENT_COPY, STATEMENT_COPY_END, STATEMENT_STREAM };

/* What the server has sent of a COPY in one message: a row. False: no more until stream_go_on. */
typedef bool (*on_stream_row)(void *arg, const char *data, size_t size);

/* A statement in the queue; the first of the queue is the one under way. */
struct statement {
    struct statement *next;
    enum statement_kind kind;
    enum sql_mode mode;
    char *text; /* with the schema in it; STATEMENT_COPY_END: the reason to abort, or NULL */
    bool in_transaction; /* is only sent inside a transaction that has not failed */
    bool commits;        /* ends with COMMIT: must be answered so */
    struct params params;
    on_stream_row row; /* STATEMENT_STREAM */
    on_result answer;  /* NULL: nobody waits */
    void *arg, *context;
    bool sent;
    PGresult *rows, *last, *failed; /* last with rows, last at all, first error */
};

struct copying {
    bool open;          /* the server takes rows */
    bool broken;        /* it said something while it should only listen */
    char *data;         /* what waits for it */
    size_t start, size; /* the part of `data` that does */
    size_t capacity;
    int unix_bytes;     /* a Unix socket's buffer; 0: another kind */
    on_drained drained; /* NULL: nobody waits */
    void *drained_arg;
};

struct streaming {
    bool open; /* the server sends rows */
    bool held; /* and nobody takes them now */
};

struct db_conn {
    uv_loop_t *loop;
    struct db_settings settings; /* of the next four */
    char *conninfo, *password, *schema_name, *application_name;
    struct db_events events;
    void *arg;
    char *schema; /* quoted */
    struct dial *dial;
    struct db_kept *kept; /* whose `pg` is; NULL: it has made it itself */
    PGconn *given;        /* is to be `pg` from the next turn on */
    PGconn *pg;           /* NULL while connecting, and again when lost */
    uv_poll_t *poll;      /* on the socket of `pg`; NULL when that is closed */
    int watched;          /* the events that `poll` asks for */
    uv_timer_t later;     /* calls advance in the next turn */
    struct statement *first, **end;
    size_t pending;
    struct copying copying;
    struct streaming streaming;
    uint64_t notices;
    struct db_error failure;    /* of the last statement; DB_DONE when it succeeded */
    struct db_error last_words; /* what the server said about ending this session */
    struct db_error loss;
    bool lost, told, closed;
};

/* conn.c: sees to it that the queue and the COPY are looked at in a later turn. */
void conn_later(struct db_conn *conn);

/* conn.c: reads what has arrived, without answering anything yet; nothing while a stream is held.
 */
void conn_take_in(struct db_conn *conn);

/* conn.c: after every call of libpq that sends: takes note of a connection that it has closed, and
 * asks the loop for what is needed now. */
void conn_watch(struct db_conn *conn);

/* conn.c: the connection is lost, as `err` says (NULL: as libpq says); the first call counts. The
 * answers follow in a later turn. */
void conn_lose(struct db_conn *conn, const struct db_error *err);

/* kept.c: what is kept, for the first who asks, in the process that is to use it; else NULL. */
PGconn *kept_take(struct db_kept *kept);

/* kept.c: its user is done with it: a session that is not at rest is ended. */
void kept_leave(struct db_kept *kept);

/* query.c: the queue. A statement is freed with all that it holds. Prepended is before all that
 * have not been sent. */
struct statement *statement_new(enum statement_kind kind, char *text, on_result answer,
                                const void *context, size_t context_bytes);
void statement_append(struct db_conn *conn, struct statement *statement);
void statement_prepend(struct db_conn *conn, struct statement *statement);
struct statement *statement_take(struct db_conn *conn); /* the first */
void statement_free(struct statement *statement);

/* query.c: begins a COPY by a named statement, inside a transaction only. */
void query_send_copy(struct db_conn *conn, enum sql_statement statement, on_result answer,
                     const void *context, size_t context_bytes);

/* query.c: a COPY from the server; `row` gets the context, too. */
void query_send_stream(struct db_conn *conn, enum sql_statement statement, struct params *params,
                       on_stream_row row, on_result answer, const void *context,
                       size_t context_bytes);

/* exchange.c: collects what has arrived, answers, and sends the next, as far as it goes without
 * waiting. The callbacks may close the connection: look at conn->closed afterwards. */
void statements_run(struct db_conn *conn);

/* exchange.c: answers all that are in the queue now with conn->loss. As above for callbacks. */
void statements_lose(struct db_conn *conn);

/* copy.c: the server takes rows now. */
void copy_opened(struct db_conn *conn);

/* copy.c: what a turn of the loop means for a COPY: hands over more, and calls `drained`. */
void copy_run(struct db_conn *conn);

/* copy.c: of a connection that is lost in a COPY: what the server said last. */
void copy_hear_out(struct db_conn *conn);

/* copy.c: sends the end of the COPY, aborted for `abort_reason` unless that is NULL. False: rows
 * still wait before it, or the connection is lost. */
bool copy_end_send(struct db_conn *conn, const char *abort_reason);

/* stream.c: the statement's rows come now. */
void stream_opened(struct db_conn *conn);

/* stream.c: hands on the rows that have arrived; true: they have come to their end, and what
 * follows is the statement's result. The callbacks may close the connection. */
bool stream_run(struct db_conn *conn, struct statement *statement);

/* stream.c: rows are taken again. */
void stream_go_on(struct db_conn *conn);

#endif
