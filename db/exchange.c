/* SPDX-License-Identifier: PostgreSQL */
/* The statement under way: sends the first of the queue, collects its results as they arrive, and
 * answers. Success is only what the server has said to the end: of several results the first error
 * counts, and a COMMIT must be answered as one (in a failed transaction it is a ROLLBACK). */
#include "base/log.h"
#include "base/mem.h"
#include "db/failure.h"
#include "db/session.h"

#include <stdlib.h>
#include <string.h>

/* Puts a parameter, $1 and up, as a quoted literal; `at` is behind the dollar. NULL: it has bytes
 * that no text of the server's can have. */
static char *literal(struct db_conn *conn, const struct statement *statement, const char *at,
                     char **end)
{
    long number = strtol(at, end, 10);

    if (number < 1 || number > statement->params.count)
        log_fatal("a statement refers to parameter $%ld of %d", number, statement->params.count);
    const char *text = statement->params.values[number - 1];
    return text ? PQescapeLiteral(conn->pg, text, strlen(text)) : mem_dup("NULL");
}

/* A string of statements with its parameters written in; NULL as above. The caller frees. */
static char *written_out(struct db_conn *conn, const struct statement *statement)
{
    const char *text = statement->text;
    char *out = mem_dup("");

    while (statement->params.count > 0) {
        size_t plain = strcspn(text, "$");
        char *end, *value, *longer;
        if (text[plain] == '\0')
            break;
        if (text[plain + 1] < '0' || text[plain + 1] > '9')
            log_fatal("a string of statements has parameters and other dollar signs");
        value = literal(conn, statement, text + plain + 1, &end);
        longer = value ? mem_format("%s%.*s%s", out, (int)plain, text, value) : NULL;
        PQfreemem(value);
        free(out);
        out = longer;
        if (!out)
            return NULL;
        text = end;
    }
    char *whole = mem_format("%s%s", out, text);
    free(out);
    return whole;
}

static void set_refused(struct db_error *err, const char *why)
{
    err->meaning = DB_DENIED;
    error_set(&err->error, ERR_INTERNAL, "%s", why);
}

/* What cannot be sent as things stand: the end of a COPY that did not begin, or what belongs into a
 * transaction that is not there. Why is the error of the statement before, if that failed. */
static bool is_out_of_place(const struct db_conn *conn, const struct statement *statement,
                            struct db_error *err)
{
    const char *why;

    if (statement->kind == STATEMENT_COPY_END && !conn->copying.open)
        why = "there is no COPY to end";
    else if (statement->in_transaction && PQtransactionStatus(conn->pg) != PQTRANS_INTRANS)
        why = "a statement of a transaction was given outside of it";
    else
        return false;
    if (conn->failure.meaning != DB_DONE)
        *err = conn->failure;
    else
        set_refused(err, why);
    return true;
}

/* False: it is not sent, with the reason in `err`, or with DB_DONE there: not yet, or lost. */
static bool send_first(struct db_conn *conn, struct statement *statement, struct db_error *err)
{
    const char *const *values = (const char *const *)statement->params.values;
    int rc;

    err->meaning = DB_DONE;
    if (is_out_of_place(conn, statement, err))
        return false;
    if (statement->kind == STATEMENT_COPY_END) {
        statement->sent = copy_end_send(conn, statement->text);
        return statement->sent;
    }
    if (statement->mode == SQL_QUERY) {
        rc = PQsendQueryParams(conn->pg, statement->text, statement->params.count, NULL, values,
                               NULL, NULL, 0);
    } else {
        char *text = written_out(conn, statement);
        if (!text) {
            set_refused(err, "a parameter of a statement is not valid UTF-8");
            return false;
        }
        rc = PQsendQuery(conn->pg, text);
        free(text);
    }
    statement->sent = rc == 1;
    if (!statement->sent)
        conn_lose(conn, NULL);
    return statement->sent;
}

/* Keeps one result of the statement, which takes it over. */
static void keep(struct db_conn *conn, struct statement *statement, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
        if (failure_ends_session(result))
            failure_of_result(&conn->last_words, result, conn->settings.schema);
        if (statement->failed)
            PQclear(result);
        else
            statement->failed = result;
        return;
    }
    PGresult **place = status == PGRES_TUPLES_OK ? &statement->rows : &statement->last;
    if (status == PGRES_TUPLES_OK) {
        PQclear(statement->last);
        statement->last = NULL;
    }
    PQclear(*place);
    *place = result;
}

/* A COPY begins that the statement is for. */
static void check_copy(const struct statement *statement, enum statement_kind kind)
{
    if (statement->kind != kind)
        log_fatal("a statement began a COPY that nobody expected");
}

/* True when all results are there, or the COPY to the server has begun. */
static bool collect(struct db_conn *conn, struct statement *statement)
{
    if (conn->streaming.open && !stream_run(conn, statement))
        return false;
    while (!PQisBusy(conn->pg)) {
        PGresult *result = PQgetResult(conn->pg);
        if (!result)
            return true;
        ExecStatusType status = PQresultStatus(result);
        keep(conn, statement, result);
        if (status == PGRES_COPY_IN) {
            check_copy(statement, STATEMENT_COPY);
            copy_opened(conn);
            return true;
        }
        if (status == PGRES_COPY_OUT) {
            check_copy(statement, STATEMENT_STREAM);
            stream_opened(conn);
            if (!stream_run(conn, statement))
                return false;
        }
    }
    return false;
}

/* Whether it succeeded, or why not. */
static bool judge(const struct db_conn *conn, const struct statement *statement,
                  struct db_error *err)
{
    /* the tag behind all rows */
    const char *tag = statement->last ? PQcmdStatus(statement->last) : "";

    err->meaning = DB_DONE;
    if (statement->failed) {
        failure_of_result(err, statement->failed, conn->settings.schema);
    } else if (statement->commits && strcmp(tag, "COMMIT") != 0) {
        err->meaning = DB_DENIED;
        error_set(&err->error, ERR_DATABASE, "the server did not commit, but answered \"%s\"", tag);
    }
    return err->meaning == DB_DONE;
}

/* Takes the first statement out of the queue and tells what became of it: `err` NULL is success. */
static void answer(struct db_conn *conn, const struct db_error *err)
{
    struct statement *statement = statement_take(conn);
    PGresult *result = statement->rows ? statement->rows : statement->last;

    conn->failure = err ? *err : (struct db_error){.meaning = DB_DONE};
    if (statement->answer)
        statement->answer(statement->arg, err ? NULL : result, err);
    statement_free(statement);
}

static void finish(struct db_conn *conn, struct statement *statement)
{
    struct db_error err;

    if (judge(conn, statement, &err)) {
        answer(conn, NULL);
        return;
    }
    PGTransactionStatusType state = PQtransactionStatus(conn->pg);
    if (statement->commits && (state == PQTRANS_INERROR || state == PQTRANS_INTRANS))
        statement_prepend(conn, statement_new(STATEMENT_PLAIN, mem_dup("ROLLBACK"), NULL, NULL, 0));
    answer(conn, &err);
}

void statements_run(struct db_conn *conn)
{
    struct db_error err;

    while (!conn->closed && conn->first) {
        struct statement *statement = conn->first;
        if (!statement->sent) {
            bool held = conn->copying.open && statement->kind != STATEMENT_COPY_END;
            if (conn->lost || held)
                return;
            if (!send_first(conn, statement, &err)) {
                if (err.meaning == DB_DONE)
                    return;
                answer(conn, &err);
                continue;
            }
        }
        if (!collect(conn, statement))
            return;
        finish(conn, statement);
    }
}

void statements_lose(struct db_conn *conn)
{
    struct db_error loss = conn->loss;

    for (size_t left = conn->pending; left > 0 && !conn->closed; left--)
        answer(conn, &loss);
}
