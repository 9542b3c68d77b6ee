/* SPDX-License-Identifier: PostgreSQL */
/* The queue of statements: one at a time, in the order they were given. Never calls back from
 * query_send: exchange.c sends and answers, when conn.c says that it is the connection's turn. */
#include "db/query.h"

#include "base/mem.h"
#include "db/session.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    enum sql_mode mode;
    const char *text;
} statements[SQL_STATEMENT_COUNT] = {
#define SQL_STATEMENT(name, mode, text) [SQL_##name] = {mode, text},
#define SQL_MIGRATION(number, text)
#include "sql.inc"
#undef SQL_STATEMENT
#undef SQL_MIGRATION
};

static void params_drop(struct params *params)
{
    for (int i = 0; i < params->count; i++)
        free(params->values[i]);
    params->count = 0;
}

void statement_free(struct statement *statement)
{
    PQclear(statement->rows);
    PQclear(statement->last);
    PQclear(statement->failed);
    params_drop(&statement->params);
    free(statement->context);
    free(statement->text);
    free(statement);
}

struct statement *statement_new(enum statement_kind kind, char *text, on_result answer,
                                const void *context, size_t context_bytes)
{
    struct statement *statement = NEW(struct statement);

    statement->kind = kind;
    statement->mode = SQL_STRING;
    statement->text = text;
    statement->answer = answer;
    if (context) {
        statement->context = mem_new(context_bytes, 1);
        memcpy(statement->context, context, context_bytes);
        statement->arg = statement->context;
    }
    return statement;
}

void statement_append(struct db_conn *conn, struct statement *statement)
{
    *conn->end = statement;
    conn->end = &statement->next;
    conn->pending++;
    conn_later(conn);
}

void statement_prepend(struct db_conn *conn, struct statement *statement)
{
    struct statement **at = &conn->first;

    if (*at && (*at)->sent)
        at = &(*at)->next;
    statement->next = *at;
    *at = statement;
    if (conn->end == at)
        conn->end = &statement->next;
    conn->pending++;
    conn_later(conn);
}

struct statement *statement_take(struct db_conn *conn)
{
    struct statement *statement = conn->first;

    conn->first = statement->next;
    if (!conn->first)
        conn->end = &conn->first;
    conn->pending--;
    return statement;
}

/* The text with the schema in the places of @schema@. */
static char *with_schema(const struct db_conn *conn, const char *text)
{
    static const char mark[] = "@schema@";
    size_t marks = 0;

    for (const char *s = text; (s = strstr(s, mark)); s += sizeof mark - 1)
        marks++;
    char *out = mem_new(strlen(text) + marks * strlen(conn->schema) + 1, 1);
    char *to = out;
    for (const char *s; (s = strstr(text, mark)); text = s + sizeof mark - 1) {
        to = mempcpy(to, text, (size_t)(s - text));
        to = stpcpy(to, conn->schema);
    }
    stpcpy(to, text);
    return out;
}

static bool ends_with_commit(const char *text)
{
    static const char commit[] = "COMMIT";
    const size_t commit_bytes = sizeof commit - 1;
    size_t n = strlen(text);

    while (n > 0 && strchr("; \t\r\n", text[n - 1]))
        n--;
    return n >= commit_bytes && strncmp(text + n - commit_bytes, commit, commit_bytes) == 0;
}

static struct statement *of_text(const struct db_conn *conn, const char *text, on_result answer,
                                 const void *context, size_t context_bytes)
{
    struct statement *made =
        statement_new(STATEMENT_PLAIN, with_schema(conn, text), answer, context, context_bytes);

    made->commits = ends_with_commit(text);
    return made;
}

static struct statement *of_name(const struct db_conn *conn, enum sql_statement name,
                                 struct params *params, on_result answer, const void *context,
                                 size_t context_bytes)
{
    struct statement *made = of_text(conn, statements[name].text, answer, context, context_bytes);

    made->mode = statements[name].mode;
    if (params) {
        made->params = *params;
        params->count = 0;
    }
    return made;
}

void query_send(struct db_conn *conn, enum sql_statement statement, struct params *params,
                on_result answer, void *arg)
{
    struct statement *made = of_name(conn, statement, params, answer, NULL, 0);

    made->arg = arg;
    statement_append(conn, made);
}

void query_send_context(struct db_conn *conn, enum sql_statement statement, struct params *params,
                        on_result answer, const void *context, size_t context_bytes)
{
    statement_append(conn, of_name(conn, statement, params, answer, context, context_bytes));
}

void query_send_inside(struct db_conn *conn, enum sql_statement statement, struct params *params,
                       on_result answer, const void *context, size_t context_bytes)
{
    struct statement *made = of_name(conn, statement, params, answer, context, context_bytes);

    made->in_transaction = true;
    statement_append(conn, made);
}

void query_send_copy(struct db_conn *conn, enum sql_statement statement, on_result answer,
                     const void *context, size_t context_bytes)
{
    struct statement *made = of_name(conn, statement, NULL, answer, context, context_bytes);

    made->kind = STATEMENT_COPY;
    made->in_transaction = true;
    statement_append(conn, made);
}

void query_send_stream(struct db_conn *conn, enum sql_statement statement, struct params *params,
                       on_stream_row row, on_result answer, const void *context,
                       size_t context_bytes)
{
    struct statement *made = of_name(conn, statement, params, answer, context, context_bytes);

    made->kind = STATEMENT_STREAM;
    made->row = row;
    made->in_transaction = true;
    statement_append(conn, made);
}

void query_send_text(struct db_conn *conn, const char *text, on_result answer, void *arg)
{
    struct statement *made = of_text(conn, text, answer, NULL, 0);

    made->arg = arg;
    statement_append(conn, made);
}

void query_send_text_context(struct db_conn *conn, const char *text, on_result answer,
                             const void *context, size_t context_bytes)
{
    statement_append(conn, of_text(conn, text, answer, context, context_bytes));
}
