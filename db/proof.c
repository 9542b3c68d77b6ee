/* SPDX-License-Identifier: PostgreSQL */
#include "db/proof.h"

#include "base/log.h"
#include "base/mem.h"
#include "db/copy_format.h"
#include "db/session.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

struct snapshot_caller {
    on_proof_snapshot answer;
    void *arg;
};

static void on_exported(void *arg, PGresult *result, const struct db_error *err)
{
    const struct snapshot_caller *caller = arg;

    caller->answer(caller->arg, err ? NULL : result_text(result, 0, "snapshot"), err);
}

void proof_export(struct db_conn *conn, on_proof_snapshot answer, void *arg)
{
    const struct snapshot_caller caller = {answer, arg};

    query_send_context(conn, SQL_proof_export, NULL, on_exported, &caller, sizeof caller);
}

void proof_join(struct db_conn *conn, const char *name, on_chunk_done answer, void *arg)
{
    const struct begin_caller caller = {answer, arg};
    struct params params = {.count = 0};

    param_text(&params, name);
    query_send(conn, SQL_proof_begin, NULL, NULL, NULL);
    query_send_inside(conn, SQL_proof_join, &params, on_begun, &caller, sizeof caller);
}

/* ---- rows as they lie ---- */

#define COLUMNS 3

struct stream_caller {
    on_proof_row row;
    on_chunk_done answer;
    void *arg;
    bool has_begun; /* the header is taken */
};

/* What has not been read of a message. */
struct rest {
    const char *at;
    size_t size;
};

static const char *take(struct rest *rest, size_t size)
{
    const char *at = rest->at;

    if (rest->size < size)
        log_fatal("a row of a COPY ends before its end");
    rest->at += size;
    rest->size -= size;
    return at;
}

static int16_t take_count(struct rest *rest)
{
    uint16_t value;

    memcpy(&value, take(rest, sizeof value), sizeof value);
    return (int16_t)be16toh(value);
}

static int32_t take_length(struct rest *rest)
{
    uint32_t value;

    memcpy(&value, take(rest, sizeof value), sizeof value);
    return (int32_t)be32toh(value);
}

static int64_t take_bigint(struct rest *rest)
{
    uint64_t value;

    if (take_length(rest) != (int32_t)sizeof value)
        log_fatal("a row of a COPY has no line number");
    memcpy(&value, take(rest, sizeof value), sizeof value);
    return (int64_t)be64toh(value);
}

static const char *take_text(struct rest *rest, size_t *bytes)
{
    int32_t length = take_length(rest);

    *bytes = length == COPY_NULL ? 0 : (size_t)length;
    return length == COPY_NULL ? NULL : take(rest, *bytes);
}

static bool on_message(void *arg, const char *data, size_t size)
{
    struct stream_caller *caller = arg;
    struct rest rest = {data, size};
    struct proof_row row;

    if (!caller->has_begun &&
        memcmp(take(&rest, COPY_HEADER_BYTES), COPY_HEADER, COPY_HEADER_BYTES) != 0)
        log_fatal("a COPY is not in the binary format");
    caller->has_begun = true;
    int16_t columns = take_count(&rest);
    if (columns == COPY_TRAILER)
        return true;
    if (columns != COLUMNS)
        log_fatal("a row of a COPY has %d columns", columns);
    row.line = take_bigint(&rest);
    row.name = take_text(&rest, &row.name_bytes);
    row.email = take_text(&rest, &row.email_bytes);
    return caller->row(caller->arg, &row);
}

static void on_streamed(void *arg, PGresult *result, const struct db_error *err)
{
    const struct stream_caller *caller = arg;

    (void)result;
    caller->answer(caller->arg, err);
}

void proof_stream(struct db_conn *conn, int64_t tracker, on_proof_row row, on_chunk_done answer,
                  void *arg)
{
    const struct stream_caller caller = {row, answer, arg, false};
    struct params params = {.count = 0};

    param_int(&params, tracker);
    query_send_stream(conn, SQL_proof_stream, &params, on_message, on_streamed, &caller,
                      sizeof caller);
}

void proof_go_on(struct db_conn *conn)
{
    stream_go_on(conn);
}

/* ---- rows in order ---- */

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

/* What proof_open selects, in its order: there are too many rows to look for names in each. */
enum { LINE_NO, NAME, EMAIL };

static const char *value_of(const PGresult *result, int row, int column, size_t *bytes)
{
    *bytes = (size_t)PQgetlength(result, row, column);
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
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
    for (int i = 0; i < count; i++) {
        struct proof_row *row = &rows[i];
        row->line = strtoll(PQgetvalue(result, i, LINE_NO), NULL, 10);
        row->name = value_of(result, i, NAME, &row->name_bytes);
        row->email = value_of(result, i, EMAIL, &row->email_bytes);
    }
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

/* ---- counts ---- */

struct rejects_caller {
    on_proof_rejects answer;
    void *arg;
};

static void on_rejects_counted(void *arg, PGresult *result, const struct db_error *err)
{
    const struct rejects_caller *caller = arg;

    caller->answer(caller->arg, err ? 0 : result_int(result, 0, "reject_count"), err);
}

void proof_rejects(struct db_conn *conn, int64_t tracker, on_proof_rejects answer, void *arg)
{
    const struct rejects_caller caller = {answer, arg};
    struct params params = {.count = 0};

    param_int(&params, tracker);
    query_send_context(conn, SQL_proof_rejects, &params, on_rejects_counted, &caller,
                       sizeof caller);
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
