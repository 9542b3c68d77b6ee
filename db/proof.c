/* SPDX-License-Identifier: PostgreSQL */
#include "db/proof.h"

#include "base/mem.h"
#include "db/query.h"

#include <stdio.h>
#include <stdlib.h>

struct begin_caller {
    on_chunk_done answer;
    void *arg;
};

static void on_begun(void *arg, PGresult *result, const struct db_error *err)
{
    const struct begin_caller *caller = arg;

    (void)result;
    caller->answer(caller->arg, err);
}

void proof_begin(struct db_conn *conn, on_chunk_done answer, void *arg)
{
    const struct begin_caller caller = {answer, arg};

    query_send_context(conn, SQL_proof_begin, NULL, on_begun, &caller, sizeof caller);
}

void proof_open(struct db_conn *conn, int64_t tracker, int64_t first, int64_t last,
                on_chunk_done answer, void *arg)
{
    const struct begin_caller caller = {answer, arg};
    struct params params = {.count = 0};

    param_int(&params, tracker);
    param_int(&params, first);
    param_int(&params, last);
    query_send_context(conn, SQL_proof_open, &params, on_begun, &caller, sizeof caller);
}

struct rows_caller {
    on_proof_rows answer;
    void *arg;
};

static size_t bytes_of(const PGresult *result, int row, const char *column)
{
    return (size_t)PQgetlength(result, row, PQfnumber(result, column));
}

static void on_rows(void *arg, PGresult *result, const struct db_error *err)
{
    const struct rows_caller *caller = arg;

    if (err) {
        caller->answer(caller->arg, NULL, 0, err);
        return;
    }
    int count = PQntuples(result);
    struct proof_row *rows = mem_new((size_t)count, sizeof *rows);
    for (int i = 0; i < count; i++)
        rows[i] = (struct proof_row){.line = result_int(result, i, "line_no"),
                                     .name = result_text(result, i, "name"),
                                     .email = result_text(result, i, "email"),
                                     .name_bytes = bytes_of(result, i, "name"),
                                     .email_bytes = bytes_of(result, i, "email")};
    caller->answer(caller->arg, rows, (size_t)count, NULL);
    free(rows);
}

void proof_fetch(struct db_conn *conn, size_t most, on_proof_rows answer, void *arg)
{
    const struct rows_caller caller = {answer, arg};
    char text[64];

    snprintf(text, sizeof text, "FETCH FORWARD %zu FROM rows", most);
    query_send_text_context(conn, text, on_rows, &caller, sizeof caller);
}

struct count_caller {
    on_proof_count answer;
    void *arg;
};

static void on_counted(void *arg, PGresult *result, const struct db_error *err)
{
    const struct count_caller *caller = arg;

    if (err) {
        caller->answer(caller->arg, NULL, err);
        return;
    }
    const struct proof_count count = {
        .rows = result_int(result, 0, "row_count"),
        .rejects = result_int(result, 0, "reject_count"),
        .has_stranger = result_text(result, 0, "stranger") != NULL,
        .stranger = result_int(result, 0, "stranger"),
    };
    caller->answer(caller->arg, &count, NULL);
}

void proof_count(struct db_conn *conn, int64_t tracker, int64_t last, on_proof_count answer,
                 void *arg)
{
    const struct count_caller caller = {answer, arg};
    struct params params = {.count = 0};

    param_int(&params, tracker);
    param_int(&params, last);
    query_send_context(conn, SQL_proof_count, &params, on_counted, &caller, sizeof caller);
}
