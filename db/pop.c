/* SPDX-License-Identifier: PostgreSQL */
#include "db/pop.h"

#include "db/checkpoint_rows.h"
#include "db/session.h"

/* Chunks that are looked at for one step: a bound where they are small. */
#define STEP_CHUNKS 10000

struct plan_caller {
    on_planned answer;
    void *arg;
};

static void on_plan(void *arg, PGresult *result, const struct db_error *err)
{
    const struct plan_caller *caller = arg;

    if (err || PQntuples(result) == 0) {
        caller->answer(caller->arg, NULL, err);
        return;
    }
    const struct pop_step step = {
        .first_chunk = result_int(result, 0, "first_chunk"),
        .last_chunk = result_int(result, 0, "last_chunk"),
        .first_line = result_int(result, 0, "first_line"),
    };
    caller->answer(caller->arg, &step, NULL);
}

void pop_plan(struct db_conn *conn, int64_t tracker, int64_t below, int64_t records,
              on_planned answer, void *arg)
{
    struct plan_caller caller = {answer, arg};
    struct params params = {.count = 0};

    param_int(&params, tracker);
    param_int_if(&params, below > 0, below);
    param_int(&params, records);
    param_int(&params, STEP_CHUNKS);
    query_send_context(conn, SQL_pop_plan, &params, on_plan, &caller, sizeof caller);
}

struct rows_caller {
    on_rows_out answer;
    void *arg;
};

static void on_rows(void *arg, PGresult *result, const struct db_error *err)
{
    const struct rows_caller *caller = arg;

    caller->answer(caller->arg, err ? 0 : result_int(result, 0, "deleted"), err);
}

void pop_rows(struct db_conn *conn, int64_t tracker, const struct pop_step *step,
              int64_t lock_timeout_ms, on_rows_out answer, void *arg)
{
    struct rows_caller caller = {answer, arg};
    struct params params = {.count = 0};

    param_int(&params, tracker);
    param_int(&params, step->first_chunk);
    param_int(&params, step->last_chunk);
    param_int_if(&params, lock_timeout_ms > 0, lock_timeout_ms);
    query_send_context(conn, SQL_pop_rows, &params, on_rows, &caller, sizeof caller);
}

void pop_chunks(struct db_conn *conn, const struct claim *claim, const struct pop_step *step,
                int64_t deleted, on_last_checkpoint answer, void *arg)
{
    struct last_caller caller = {answer, arg};
    struct params params = {.count = 0};

    param_claim(&params, claim);
    param_int(&params, step->first_chunk);
    param_int(&params, step->last_chunk);
    param_int(&params, deleted);
    query_send_inside(conn, SQL_pop_chunks, &params, on_last_row, &caller, sizeof caller);
}
