/* SPDX-License-Identifier: PostgreSQL */
/* Reads a tracker, creates it, moves it. A change and the read of what it led to are one message
 * and one transaction (move.sql, tracker_create.sql say why that read is true). */
#include "db/trackers.h"

#include "base/log.h"
#include "base/priority.h"
#include "db/query.h"
#include "db/session.h"
#include "db/tracker_rows.h"

#include <sys/random.h>

struct caller {
    on_tracker answer;
    void *arg;
};

/* Answers with the first row, or with NULL when there is none. */
static void on_row(void *arg, PGresult *result, const struct db_error *err)
{
    const struct caller *caller = arg;
    struct tracker tracker;

    if (err || PQntuples(result) == 0) {
        caller->answer(caller->arg, NULL, err);
        return;
    }
    tracker_decode(&tracker, result, 0);
    caller->answer(caller->arg, &tracker, NULL);
    tracker_fini(&tracker);
}

static void ask(struct db_conn *conn, enum sql_statement statement, struct params *params,
                on_tracker answer, void *arg)
{
    const struct caller caller = {answer, arg};

    query_send_context(conn, statement, params, on_row, &caller, sizeof caller);
}

void tracker_by_id(struct db_conn *conn, int64_t id, on_tracker answer, void *arg)
{
    struct params params = {0};

    param_int(&params, id);
    ask(conn, SQL_tracker_by_id, &params, answer, arg);
}

void tracker_by_path(struct db_conn *conn, const char *path, on_tracker answer, void *arg)
{
    struct params params = {0};

    param_text(&params, path);
    ask(conn, SQL_tracker_by_path, &params, answer, arg);
}

static void by_place(struct db_conn *conn, enum sql_statement statement, const char *path,
                     const char *profile, on_tracker answer, void *arg)
{
    struct params params = {0};

    param_text(&params, path);
    param_text(&params, profile);
    ask(conn, statement, &params, answer, arg);
}

void tracker_by_upload(struct db_conn *conn, const char *path, const char *profile,
                       on_tracker answer, void *arg)
{
    by_place(conn, SQL_tracker_by_upload, path, profile, answer, arg);
}

void tracker_processed(struct db_conn *conn, const char *path, const char *profile,
                       on_tracker answer, void *arg)
{
    by_place(conn, SQL_tracker_processed, path, profile, answer, arg);
}

struct flag_caller {
    on_flag answer;
    void *arg;
};

static void on_target(void *arg, PGresult *result, const struct db_error *err)
{
    const struct flag_caller *caller = arg;
    bool there = !err && PQntuples(result) > 0; /* that it is not shows when it is written */
    const char *unfit = there ? result_text(result, 0, "unfit") : NULL;
    struct db_error refused = {.meaning = DB_DENIED};

    if (unfit) {
        error_set(&refused.error, ERR_DATABASE, "file_data %s", unfit);
        error_hint(&refused.error, "Make it a plain table again (ALTER TABLE ... SET LOGGED for an "
                                   "unlogged one), and upload the file again.");
        err = &refused;
    }
    caller->answer(caller->arg, !there || result_bool(result, 0, "one_lane"), err);
}

void target_inspect(struct db_conn *conn, on_flag answer, void *arg)
{
    struct flag_caller caller = {answer, arg};
    struct params params = {.count = 0};

    param_text(&params, conn->settings.schema);
    query_send_context(conn, SQL_target_inspect, &params, on_target, &caller, sizeof caller);
}

struct list_caller {
    on_trackers answer;
    void *arg;
};

static void on_list(void *arg, PGresult *result, const struct db_error *err)
{
    const struct list_caller *caller = arg;

    if (err) {
        caller->answer(caller->arg, NULL, 0, err);
        return;
    }
    size_t count = (size_t)PQntuples(result);
    struct tracker *trackers = trackers_decode(result);
    caller->answer(caller->arg, trackers, count, NULL);
    trackers_free(trackers, count);
}

void tracker_list(struct db_conn *conn, enum status only, int64_t before, int64_t limit,
                  on_trackers answer, void *arg)
{
    const struct list_caller caller = {answer, arg};
    struct params params = {0};

    param_text(&params, only == STATUS_NONE ? NULL : status_name(only));
    param_int(&params, before);
    param_int(&params, limit);
    query_send_context(conn, SQL_tracker_list, &params, on_list, &caller, sizeof caller);
}

int64_t new_token(void)
{
    int64_t token;

    if (getrandom(&token, sizeof token, 0) != (ssize_t)sizeof token)
        log_fatal("no random numbers are to be had from the system");
    return token;
}

void tracker_create(struct db_conn *conn, const char *path, const char *profile,
                    const struct move_args *args, on_tracker answer, void *arg)
{
    const struct identity unknown = {0};
    struct params params = {0};

    param_text(&params, path);
    param_text(&params, profile);
    param_text(&params, args->profile_text);
    param_text(&params, args->owner);
    param_int(&params, new_token());
    param_bool(&params, args->again && *args->again);
    param_int(&params, args->tries);
    param_int(&params, args->tries_line);
    param_identity(&params, args->identity ? args->identity : &unknown);
    param_asker(&params, &args->asker);
    param_int(&params, args->priority ? *args->priority : PRIORITY_USUAL);
    ask(conn, SQL_tracker_create, &params, answer, arg);
}

/* The columns that the table of moves decides; NULL keeps what the row has. */
static void param_move(struct params *params, enum move move, const struct move_args *args)
{
    const struct move_row *row = &move_table[move];
    enum status status = move == MOVE_RETURN ? args->status : row->status;

    param_text(params, status == STATUS_NONE ? NULL : status_name(status));
    param_bool(params, row->wanted == WANTED_KEPT);
    param_text(params, row->wanted == WANTED_KEPT ? NULL : wanted_name(row->wanted));
    if (row->mark == MARK_KEPT)
        param_text(params, NULL);
    else
        param_bool(params, row->mark == MARK_SET);
    param_text(params, row->owner == OWNER_SET ? args->owner : NULL);
}

void tracker_move(struct db_conn *conn, enum move move, const struct tracker *tracker,
                  const struct move_args *args, on_tracker answer, void *arg)
{
    const struct move_row *row = &move_table[move];
    bool transition = move_is_transition(move);
    struct params params = {0};

    param_int(&params, tracker->id);
    param_int(&params, tracker->epoch);
    param_int(&params, tracker->token);
    param_int(&params, new_token());
    param_move(&params, move, args);
    param_text(&params, args->profile_text);
    param_identity(&params, args->identity);
    if (args->again)
        param_bool(&params, *args->again);
    else
        param_text(&params, NULL);
    param_int(&params, args->tries);
    param_int(&params, args->tries_line);
    param_error(&params, transition ? args->error : &tracker->error);
    param_bool(&params, row->requires == REQUIRES_FINAL);
    param_bool(&params, row->requires == REQUIRES_EMPTY);
    param_text(&params, transition ? row->event : NULL);
    param_asker(&params, &args->asker);
    if (args->priority)
        param_int(&params, *args->priority);
    else
        param_text(&params, NULL);
    ask(conn, SQL_move, &params, answer, arg);
}

struct forget_caller {
    on_gone answer;
    void *arg;
};

static void on_deleted(void *arg, PGresult *result, const struct db_error *err)
{
    const struct forget_caller *caller = arg;

    caller->answer(caller->arg, !err && PQntuples(result) > 0, err);
}

void tracker_forget(struct db_conn *conn, const struct tracker *tracker, bool keep_rows,
                    on_gone answer, void *arg)
{
    const struct forget_caller caller = {answer, arg};
    struct params params = {0};

    param_int(&params, tracker->id);
    param_int(&params, tracker->epoch);
    param_int(&params, tracker->token);
    param_bool(&params, keep_rows);
    query_send_context(conn, SQL_tracker_forget, &params, on_deleted, &caller, sizeof caller);
}
