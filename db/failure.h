/* SPDX-License-Identifier: PostgreSQL */
/* Inside db/ only: from what libpq says of a failure to a db_error. */
#ifndef DB_FAILURE_H
#define DB_FAILURE_H

#include "db/meaning.h"

#include <libpq-fe.h>
#include <stdbool.h>

/* The error of a failed result, or of a notice. */
void failure_of_result(struct db_error *err, const PGresult *result, const char *own_schema);

/* Does this error or notice say that the server ends the session? */
bool failure_ends_session(const PGresult *result);

/* The connection is lost, or could not be made: DB_LOST with libpq's text in one line. */
void failure_of_conn(struct db_error *err, const PGconn *pg);

/* Gives it the hint of a meaning, where what is to be done is the same for all such errors. */
void failure_hint(struct db_error *err, enum db_meaning meaning);

/* DB_LOST with a text of the caller. */
void failure_lost(struct db_error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Copies a text of several lines as one: line ends and the blanks behind them become "; ". */
void failure_one_line(char *out, size_t size, const char *text);

#endif
