/* SPDX-License-Identifier: PostgreSQL */
/* Inside db/ only: statements by name, with typed parameters and results, queued on a connection.
 * Every statement is a file of db/sql/, embedded by db/sql/embed; @schema@ in it is replaced by the
 * quoted schema once a connection. */
#ifndef DB_QUERY_H
#define DB_QUERY_H

#include "db/conn.h"
#include "db/meaning.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

enum sql_statement {
#define SQL_STATEMENT(name, mode, text) SQL_##name,
#define SQL_MIGRATION(number, text)
#include "sql.inc" /* generated into the build folder */
#undef SQL_STATEMENT
#undef SQL_MIGRATION
    SQL_STATEMENT_COUNT
};

/* SQL_QUERY: PQsendQueryParams, one statement, text results. SQL_STRING: several statements in one
 * message, parameters $1... written in as quoted literals, wherever they stand. */
enum sql_mode { SQL_QUERY, SQL_STRING };

#define QUERY_PARAMS_MAX 32

/* Parameters in order, each as text; NULL is NULL. Filled by the functions below; freed by the
 * query that takes it over. */
struct params {
    char *values[QUERY_PARAMS_MAX];
    int count;
};

void param_text(struct params *params, const char *value); /* NULL: NULL */
void param_int(struct params *params, int64_t value);
void param_int_if(struct params *params, bool given, int64_t value); /* else NULL */
void param_bool(struct params *params, bool value);
void param_bytes(struct params *params, const void *data, size_t size); /* as \x...; NULL: NULL */
/* An array of bigint: '{1,2,3}'. */
void param_ints(struct params *params, const int64_t *values, size_t count);

/* Tracker, epoch and token, as those statements begin with that a worker writes by. */
struct claim;
void param_claim(struct params *params, const struct claim *claim);

/* The answer: the last result that has rows (or the last one at all, for commands), or an error.
 * `result` is borrowed and NULL on an error. Called exactly once, in a later turn of the loop,
 * unless the connection is closed first. */
typedef void (*on_result)(void *arg, PGresult *result, const struct db_error *err);

/* Queues a statement; takes the parameters over. `params` and `answer` may be NULL. A string that
 * ends with COMMIT is a whole transaction, or the end of one: it succeeds only if the server
 * answers COMMIT, and where it fails, ROLLBACK follows by itself before the next statement. */
void query_send(struct db_conn *conn, enum sql_statement statement, struct params *params,
                on_result answer, void *arg);

/* As query_send; `answer` gets a copy of `context` as its arg. It is plain memory that lives as
 * long as the statement, so that nothing leaks when the connection is closed before the answer:
 * what the typed transactions remember of their caller. */
void query_send_context(struct db_conn *conn, enum sql_statement statement, struct params *params,
                        on_result answer, const void *context, size_t context_bytes);

/* As query_send_context, for a statement that makes no sense outside the transaction that earlier
 * ones began: it is not sent, and answered with an error, when that is not open or has failed. */
void query_send_inside(struct db_conn *conn, enum sql_statement statement, struct params *params,
                       on_result answer, const void *context, size_t context_bytes);

/* As query_send for a text that is no named statement (migrations); @schema@ is replaced. */
void query_send_text(struct db_conn *conn, const char *text, on_result answer, void *arg);

/* As query_send_text, with a context as in query_send_context. */
void query_send_text_context(struct db_conn *conn, const char *text, on_result answer,
                             const void *context, size_t context_bytes);

/* Columns of a row by name; the column must be there (a broken invariant else). NULL is 0, false.
 */
int64_t result_int(const PGresult *result, int row, const char *column);
bool result_bool(const PGresult *result, int row, const char *column);
const char *result_text(const PGresult *result, int row, const char *column); /* NULL for NULL */

/* The connection's quoted schema, as @schema@ is replaced by. */
const char *db_conn_schema(const struct db_conn *conn);

#endif
