/* SPDX-License-Identifier: PostgreSQL */
/* Takes from the server SQLSTATE and primary message only, and its hint where rights or the schema
 * are the matter: DETAIL and CONTEXT carry the data of rows. Where it is the server's state that is
 * to be mended, the hint is ours. */
#include "db/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for what libpq says of several addresses; struct error cuts it at a whole character. */
#define TEXT_BYTES 2048

void failure_one_line(char *out, size_t size, const char *text)
{
    size_t used = 0;

    text += strspn(text, " \t\r\n");
    while (*text && used + 3 < size) {
        if (*text != '\n' && *text != '\r') {
            out[used++] = *text++;
            continue;
        }
        text += strspn(text, " \t\r\n");
        if (*text) {
            out[used++] = ';';
            out[used++] = ' ';
        }
    }
    out[used] = '\0';
}

static enum error_code code_of(enum db_meaning meaning)
{
    switch (meaning) {
    case DB_DONE:
        return ERR_NONE;
    case DB_LOST:
        return ERR_DATABASE_AWAY;
    case DB_DATA:
        return ERR_DATA_REFUSED;
    case DB_CONFLICT:
    case DB_EXHAUSTED:
    case DB_READ_ONLY:
    case DB_CANCELLED:
    case DB_FENCED:
    case DB_DENIED:
        break;
    }
    return ERR_DATABASE;
}

static const char *const hints[] = {
    [DB_LOST] =
        "Where it is not the server itself: see database, role and host in [database] conninfo, "
        "the "
        "password, and the server's pg_hba.conf and log. Uploads go on by themselves as soon as it "
        "takes sessions.",
    [DB_CONFLICT] = "Uploads try again by themselves. Who is in the way: SELECT pid, "
                    "pg_blocking_pids(pid), query FROM pg_stat_activity",
    [DB_EXHAUSTED] = "Make room on the server, on its disk or in its memory. Uploads try again by "
                     "themselves.",
    [DB_READ_ONLY] = "End default_transaction_read_only, or name a server in conninfo that is no "
                     "standby. Uploads try again by themselves.",
    [DB_CANCELLED] = "A timeout of the role or the database did it, or pg_cancel_backend. Uploads "
                     "try again by themselves.",
    [DB_DENIED] = NULL, /* the last of them */
};

void failure_hint(struct db_error *err, enum db_meaning meaning)
{
    if (hints[meaning])
        error_hint(&err->error, "%s", hints[meaning]);
}

/* The server's hint helps who administers it; with rows it could quote them. */
static bool hint_is_safe(const char *sqlstate)
{
    return sqlstate && (strncmp(sqlstate, "28", 2) == 0 || strncmp(sqlstate, "42", 2) == 0 ||
                        sqlstate[0] == '3');
}

bool failure_ends_session(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        return true;
    /* said as a warning when another session has crashed, and at an immediate shutdown */
    return sqlstate && (strcmp(sqlstate, "57P01") == 0 || strcmp(sqlstate, "57P02") == 0);
}

void failure_of_result(struct db_error *err, const PGresult *result, const char *own_schema)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    char text[TEXT_BYTES];

    err->meaning = db_meaning_of(sqlstate, PQresultErrorField(result, PG_DIAG_SCHEMA_NAME),
                                 PQresultErrorField(result, PG_DIAG_TABLE_NAME), own_schema);
    if (failure_ends_session(result))
        err->meaning = DB_LOST;
    failure_one_line(text, sizeof text, message ? message : PQresultErrorMessage(result));
    error_set(&err->error, code_of(err->meaning), "%s",
              text[0] ? text : "the server refused a statement and did not say why");
    error_sqlstate(&err->error, sqlstate);
    failure_hint(err, err->meaning);
    if (hint && hint_is_safe(sqlstate)) {
        failure_one_line(text, sizeof text, hint);
        error_hint(&err->error, "%s", text);
    }
}

void failure_of_conn(struct db_error *err, const PGconn *pg)
{
    char text[TEXT_BYTES];

    failure_one_line(text, sizeof text, PQerrorMessage(pg));
    failure_lost(err, "%s", text[0] ? text : "the connection to the server is lost");
}

void failure_lost(struct db_error *err, const char *fmt, ...)
{
    char text[TEXT_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    err->meaning = DB_LOST;
    error_set(&err->error, ERR_DATABASE_AWAY, "%s", text);
    failure_hint(err, DB_LOST);
}
