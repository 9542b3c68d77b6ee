/* SPDX-License-Identifier: PostgreSQL */
/* The worker's transactions as statements of db/sql/, with typed parameters and answers. */
#include "db/chunks.h"

#include "base/mem.h"
#include "db/checkpoint_rows.h"
#include "db/session.h"

#include <stdlib.h>

struct chain_caller {
    on_checkpoints answer;
    void *arg;
};

static void on_chain(void *arg, PGresult *result, const struct db_error *err)
{
    const struct chain_caller *caller = arg;

    if (err) {
        caller->answer(caller->arg, NULL, 0, err);
        return;
    }
    size_t count = (size_t)PQntuples(result);
    struct checkpoint *checkpoints = mem_new(count, sizeof *checkpoints);
    for (size_t i = 0; i < count; i++)
        checkpoint_decode(&checkpoints[i], result, (int)i);
    caller->answer(caller->arg, checkpoints, count, NULL);
    free(checkpoints);
}

bool checkpoint_follows(const struct checkpoint *before, const struct checkpoint *chunk)
{
    return !before->final && chunk->chunk_no == before->chunk_no + 1 &&
           chunk->first_line == before->last_line + 1 && chunk->start_offset == before->end_offset;
}

void checkpoints_read(struct db_conn *conn, int64_t tracker, int64_t after, int64_t limit,
                      on_checkpoints answer, void *arg)
{
    struct chain_caller caller = {answer, arg};
    struct params params = {.count = 0};

    param_int(&params, tracker);
    param_int(&params, after);
    param_int(&params, limit);
    query_send_context(conn, SQL_checkpoints_read, &params, on_chain, &caller, sizeof caller);
}

void checkpoint_last(struct db_conn *conn, int64_t tracker, on_last_checkpoint answer, void *arg)
{
    struct last_caller caller = {answer, arg};
    struct params params = {.count = 0};

    param_int(&params, tracker);
    query_send_context(conn, SQL_checkpoint_last, &params, on_last_row, &caller, sizeof caller);
}

struct chunk_caller {
    on_chunk_done answer;
    void *arg;
    int64_t tracker, epoch;
};

static void on_done(void *arg, PGresult *result, const struct db_error *err)
{
    const struct chunk_caller *caller = arg;

    (void)result;
    caller->answer(caller->arg, err);
}

static void on_begun(void *arg, PGresult *result, const struct db_error *err)
{
    const struct chunk_caller *caller = arg;
    struct db_error fenced = {.meaning = DB_FENCED};

    if (!err && !result_bool(result, 0, "mine")) {
        error_set(&fenced.error, ERR_DATABASE,
                  "tracker %lld is no longer in epoch %lld or may not be uploaded",
                  (long long)caller->tracker, (long long)caller->epoch);
        err = &fenced;
    }
    caller->answer(caller->arg, err);
}

void chunk_begin(struct db_conn *conn, const struct claim *claim, bool synchronous,
                 int64_t lock_timeout_ms, on_chunk_done answer, void *arg)
{
    struct chunk_caller caller = {answer, arg, claim->tracker, claim->epoch};
    struct params params = {.count = 0};

    param_claim(&params, claim);
    param_text(&params, claim->owner);
    param_bool(&params, synchronous);
    param_int(&params, lock_timeout_ms);
    query_send_context(conn, SQL_chunk_begin, &params, on_begun, &caller, sizeof caller);
}

void chunk_commit(struct db_conn *conn, const struct claim *claim,
                  const struct checkpoint *checkpoint, const unsigned char *content,
                  on_chunk_done answer, void *arg)
{
    struct chunk_caller caller = {answer, arg, claim->tracker, claim->epoch};
    struct params params = {.count = 0};

    param_claim(&params, claim);
    param_text(&params, claim->owner);
    param_int(&params, checkpoint->chunk_no);
    param_int(&params, checkpoint->first_line);
    param_int(&params, checkpoint->last_line);
    param_int(&params, checkpoint->start_offset);
    param_int(&params, checkpoint->end_offset);
    param_int(&params, checkpoint->row_count);
    param_int(&params, checkpoint->reject_count);
    param_bytes(&params, checkpoint->hash, sizeof checkpoint->hash);
    param_bool(&params, checkpoint->final);
    param_bytes(&params, content, sizeof checkpoint->hash);
    query_send_inside(conn, SQL_chunk_commit, &params, on_done, &caller, sizeof caller);
}

void savepoint_set(struct db_conn *conn, on_chunk_done answer, void *arg)
{
    struct chunk_caller caller = {answer, arg, 0, 0};

    query_send_inside(conn, SQL_savepoint_set, NULL, on_done, &caller, sizeof caller);
}

void savepoint_advance(struct db_conn *conn, on_chunk_done answer, void *arg)
{
    struct chunk_caller caller = {answer, arg, 0, 0};

    query_send_inside(conn, SQL_savepoint_advance, NULL, on_done, &caller, sizeof caller);
}

void savepoint_return(struct db_conn *conn, on_chunk_done answer, void *arg)
{
    struct chunk_caller caller = {answer, arg, 0, 0};

    query_send_context(conn, SQL_savepoint_return, NULL, on_done, &caller, sizeof caller);
}

void chunk_rollback(struct db_conn *conn, on_chunk_done answer, void *arg)
{
    struct chunk_caller caller = {answer, arg, 0, 0};

    query_send_context(conn, SQL_chunk_rollback, NULL, on_done, &caller, sizeof caller);
}

static void on_summarized(void *arg, PGresult *result, const struct db_error *err)
{
    const struct chunk_caller *caller = arg;

    (void)result;
    caller->answer(caller->arg, err && err->meaning == DB_LOST ? err : NULL);
}

void target_summarize(struct db_conn *conn, on_chunk_done answer, void *arg)
{
    struct chunk_caller caller = {answer, arg, 0, 0};

    query_send_context(conn, SQL_target_summarize, NULL, on_summarized, &caller, sizeof caller);
}

void target_summarize_unplaced(struct db_conn *conn, int64_t tracker, int64_t rows,
                               on_chunk_done answer, void *arg)
{
    struct chunk_caller caller = {answer, arg, 0, 0};
    struct params params = {.count = 0};

    param_int(&params, tracker);
    param_int(&params, rows);
    query_send_context(conn, SQL_target_summarize_unplaced, &params, on_summarized, &caller,
                       sizeof caller);
}
