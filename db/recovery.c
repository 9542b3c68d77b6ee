/* SPDX-License-Identifier: PostgreSQL */
/* What a supervisor does before it serves: whether its sessions are its own, its name, and what is
 * unfinished under it. */
#include "db/recovery.h"

#include "base/mem.h"
#include "db/query.h"
#include "db/tracker_rows.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* A pooler that gives a server process away after each transaction, given the last one first, gives
 * `conn`'s to `other`; given the one that rested longest, gives `conn` different ones in a row, or
 * has only one. So `conn` asks twice, then `other`, then `conn` again; one's own process is always
 * the same, and never another session's. */
static const bool asks_other[] = {false, false, true, false};

struct session_caller {
    struct db_conn *conn, *other;
    on_session answer;
    void *arg;
    size_t asked;
    int64_t first_pid;
};

static void session_ask(const struct session_caller *caller);

static void on_session_pid(void *arg, PGresult *result, const struct db_error *err)
{
    struct session_caller next = *(const struct session_caller *)arg;

    if (err) {
        next.answer(next.arg, false, err);
        return;
    }
    int64_t pid = result_int(result, 0, "pid");
    bool others = asks_other[next.asked];
    if (next.asked == 0)
        next.first_pid = pid;
    if ((pid == next.first_pid) == others) {
        next.answer(next.arg, false, NULL);
        return;
    }
    if (++next.asked < COUNT_OF(asks_other))
        session_ask(&next);
    else
        next.answer(next.arg, true, NULL);
}

static void session_ask(const struct session_caller *caller)
{
    struct db_conn *conn = asks_other[caller->asked] ? caller->other : caller->conn;

    query_send_context(conn, SQL_session_pid, NULL, on_session_pid, caller, sizeof *caller);
}

void session_check(struct db_conn *conn, struct db_conn *other, on_session answer, void *arg)
{
    const struct session_caller caller = {
        .conn = conn, .other = other, .answer = answer, .arg = arg};

    session_ask(&caller);
}

struct guard_caller {
    on_guard answer;
    void *arg;
};

static void on_guard_tried(void *arg, PGresult *result, const struct db_error *err)
{
    const struct guard_caller *caller = arg;

    if (err) {
        caller->answer(caller->arg, 0, NULL, err);
        return;
    }
    int holder = (int)result_int(result, 0, "holder_pid");
    if (result_bool(result, 0, "taken"))
        holder = 0;
    else if (holder == 0)
        holder = -1;
    caller->answer(caller->arg, holder, result_text(result, 0, "holder_name"), NULL);
}

void guard_take(struct db_conn *conn, const char *owner, on_guard answer, void *arg)
{
    const struct guard_caller caller = {answer, arg};
    uint64_t key = XXH3_64bits(owner, strlen(owner));
    struct params params = {0};

    param_int(&params, (int64_t)(key >> 32));
    param_int(&params, (int64_t)(key & UINT32_MAX));
    query_send_context(conn, SQL_guard_take, &params, on_guard_tried, &caller, sizeof caller);
}

struct unfinished_caller {
    struct db_conn *conn;
    on_unfinished answer;
    void *arg;
    int64_t token; /* of the fence */
    char owner[];
};

/* The skipped ones are sorted behind. */
static size_t fenced_count(const PGresult *result)
{
    size_t count = 0;

    while (count < (size_t)PQntuples(result) && !result_bool(result, (int)count, "skipped"))
        count++;
    return count;
}

static void on_unfinished_read(void *arg, PGresult *result, const struct db_error *err)
{
    const struct unfinished_caller *caller = arg;

    if (err) {
        caller->answer(caller->arg, NULL, 0, 0, err);
        return;
    }
    size_t all = (size_t)PQntuples(result), fenced = fenced_count(result);
    struct tracker *trackers = trackers_decode(result);
    caller->answer(caller->arg, trackers, fenced, (int64_t)(all - fenced), NULL);
    trackers_free(trackers, all);
}

static void read_unfinished(const struct unfinished_caller *caller, const char *owner, bool fenced)
{
    struct params params = {0};

    param_text(&params, owner);
    param_int_if(&params, fenced, caller->token);
    query_send_context(caller->conn, SQL_unfinished_read, &params, on_unfinished_read, caller,
                       sizeof *caller);
}

static void on_unfinished_fenced(void *arg, PGresult *result, const struct db_error *err)
{
    const struct unfinished_caller *caller = arg;

    (void)result;
    if (err)
        caller->answer(caller->arg, NULL, 0, 0, err);
    else
        read_unfinished(caller, caller->owner, true);
}

void unfinished_fence(struct db_conn *conn, const char *owner, on_unfinished answer, void *arg)
{
    size_t owner_bytes = strlen(owner) + 1;
    struct unfinished_caller *caller = mem_new(1, sizeof *caller + owner_bytes);
    struct params params = {0};

    *caller = (struct unfinished_caller){
        .conn = conn, .answer = answer, .arg = arg, .token = new_token()};
    memcpy(caller->owner, owner, owner_bytes);
    param_text(&params, owner);
    param_int(&params, caller->token);
    query_send_context(conn, SQL_unfinished_fence, &params, on_unfinished_fenced, caller,
                       sizeof *caller + owner_bytes);
    free(caller);
}

void unfinished_read(struct db_conn *conn, const char *owner, on_unfinished answer, void *arg)
{
    const struct unfinished_caller caller = {.conn = conn, .answer = answer, .arg = arg};

    read_unfinished(&caller, owner, false);
}

struct ids_caller {
    on_ids answer;
    void *arg;
};

static void on_interrupted_read(void *arg, PGresult *result, const struct db_error *err)
{
    const struct ids_caller *caller = arg;

    if (err) {
        caller->answer(caller->arg, NULL, 0, err);
        return;
    }
    size_t count = (size_t)PQntuples(result);
    int64_t *ids = mem_new(count, sizeof *ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = result_int(result, (int)i, "id");
    caller->answer(caller->arg, ids, count, NULL);
}

void interrupted_read(struct db_conn *conn, const char *owner, on_ids answer, void *arg)
{
    const struct ids_caller caller = {answer, arg};
    struct params params = {0};

    param_text(&params, owner);
    query_send_context(conn, SQL_interrupted_read, &params, on_interrupted_read, &caller,
                       sizeof caller);
}

struct count_caller {
    on_count answer;
    void *arg;
};

static void on_interrupted(void *arg, PGresult *result, const struct db_error *err)
{
    const struct count_caller *caller = arg;

    caller->answer(caller->arg, err ? 0 : result_int(result, 0, "moved"), err);
}

/* Three lists: id, epoch, token. */
static void param_claims(struct params *params, const struct tracker *trackers, size_t count)
{
    int64_t *ids = mem_new(count, sizeof *ids);
    int64_t *epochs = mem_new(count, sizeof *epochs);
    int64_t *tokens = mem_new(count, sizeof *tokens);

    for (size_t i = 0; i < count; i++) {
        ids[i] = trackers[i].id;
        epochs[i] = trackers[i].epoch;
        tokens[i] = trackers[i].token;
    }
    param_ints(params, ids, count);
    param_ints(params, epochs, count);
    param_ints(params, tokens, count);
    free(ids);
    free(epochs);
    free(tokens);
}

void unfinished_interrupt(struct db_conn *conn, const struct tracker *trackers, size_t count,
                          const struct asker *asker, on_count answer, void *arg)
{
    const struct count_caller caller = {answer, arg};
    const struct move_row *row = &move_table[MOVE_INTERRUPT];
    struct params params = {0};

    param_claims(&params, trackers, count);
    param_text(&params, status_name(row->status));
    param_text(&params, wanted_name(row->wanted));
    param_bool(&params, row->mark == MARK_SET);
    param_text(&params, row->event);
    param_asker(&params, asker);
    param_int(&params, new_token());
    query_send_context(conn, SQL_unfinished_interrupt, &params, on_interrupted, &caller,
                       sizeof caller);
}

/* ---- pause ---- */

struct done_caller {
    on_done answer;
    void *arg;
};

static void on_pause_set(void *arg, PGresult *result, const struct db_error *err)
{
    const struct done_caller *caller = arg;

    (void)result;
    caller->answer(caller->arg, err);
}

void pause_set(struct db_conn *conn, const char *owner, int64_t uid, bool paused, on_done answer,
               void *arg)
{
    const struct done_caller caller = {answer, arg};
    struct params params = {0};

    param_text(&params, owner);
    if (paused)
        param_int_if(&params, uid >= 0, uid);
    query_send_context(conn, paused ? SQL_pause_set : SQL_pause_end, &params, on_pause_set, &caller,
                       sizeof caller);
}

struct paused_caller {
    on_paused answer;
    void *arg;
};

static void on_pause_read(void *arg, PGresult *result, const struct db_error *err)
{
    const struct paused_caller *caller = arg;

    caller->answer(caller->arg, !err && result_bool(result, 0, "paused"), err);
}

void pause_read(struct db_conn *conn, const char *owner, on_paused answer, void *arg)
{
    const struct paused_caller caller = {answer, arg};
    struct params params = {0};

    param_text(&params, owner);
    query_send_context(conn, SQL_pause_read, &params, on_pause_read, &caller, sizeof caller);
}
