/* SPDX-License-Identifier: PostgreSQL */
/* What the tests of db/ against a real server have in common: a loop, two connections of one
 * service, and a plain session beside them that plays everybody else. They are skipped when
 * UPLOADER_TEST_CONNINFO is not set. */
#ifndef TESTS_UNIT_DB_WORLD_H
#define TESTS_UNIT_DB_WORLD_H

#include "base/mem.h"
#include "db/conn.h"
#include "db/recovery.h"
#include "db/trackers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libpq-fe.h>
#include <uv.h>

#define WORLD_SCHEMA "the \"service's\" schema"         /* needs quoting of every kind */
#define WORLD_QUOTED "\"the \"\"service's\"\" schema\"" /* as SQL has it */
#define WORLD_OWNER "host:/run/uploader.sock"
#define WORLD_START "0123456789abcdef"
#define PATIENCE_MS 20000
#define TICK_MS 5

struct world {
    uv_loop_t loop;
    uv_timer_t patience;
    char *name;
    struct db_settings settings;
    struct db_conn *conn, *other;
    PGconn *side;
};

/* One answer of any kind. */
struct reply {
    bool here;
    int times;
    struct db_error error; /* DB_DONE: none */
    bool found;
    struct tracker tracker;
    int64_t count, skipped;
    int pid;
    char text[256];
};

static inline void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until the answer is here. It ticks, because one turn goes on to wait for a socket
 * after a timer has brought the answer. */
static inline void await(struct world *world, const bool *here)
{
    uint64_t end = uv_hrtime() + PATIENCE_MS * UINT64_C(1000000);

    uv_timer_start(&world->patience, on_tick, TICK_MS, TICK_MS);
    while (!*here && uv_hrtime() < end)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_timer_stop(&world->patience);
    if (!*here)
        fail_msg("no answer within %d ms", PATIENCE_MS);
}

static inline void on_pause(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Runs the loop for a while, and fails if the answer comes. */
static inline void expect_silence(struct world *world, const struct reply *reply, uint64_t ms)
{
    bool over = false;

    world->patience.data = &over;
    uv_timer_start(&world->patience, on_pause, ms, 0);
    while (!over)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_false(reply->here);
}

static inline void reply_fini(struct reply *reply)
{
    if (reply->found)
        tracker_fini(&reply->tracker);
    *reply = (struct reply){0};
}

static inline void take_error(struct reply *reply, const struct db_error *err)
{
    reply->here = true;
    reply->times++;
    if (err)
        reply->error = *err;
}

static inline void take_tracker(void *arg, const struct tracker *tracker,
                                const struct db_error *err)
{
    struct reply *reply = arg;

    take_error(reply, err);
    assert_true(!tracker || !err);
    if (tracker) {
        reply->found = true;
        tracker_copy(&reply->tracker, tracker);
    }
}

static inline void take_done(void *arg, const struct db_error *err)
{
    take_error(arg, err);
}

static inline void take_count(void *arg, int64_t count, const struct db_error *err)
{
    struct reply *reply = arg;

    take_error(reply, err);
    reply->count = count;
}

static inline void assert_no_error(const struct reply *reply)
{
    if (reply->error.meaning != DB_DONE)
        fail_msg("%s (%s)", reply->error.error.message, reply->error.error.sqlstate);
}

/* As the session beside; the first column of the first row, "" when there is none. */
static inline void side_value(struct world *world, char *value, size_t size, const char *sql)
{
    PGresult *result = PQexec(world->side, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    snprintf(value, size, "%s",
             PQntuples(result) > 0 && PQnfields(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
}

static inline void side(struct world *world, const char *fmt, ...) PRINTF_LIKE(2, 3);
static inline void side(struct world *world, const char *fmt, ...)
{
    char sql[4096], value[1];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sql, sizeof sql, fmt, args);
    va_end(args);
    side_value(world, value, sizeof value, sql);
}

static inline int64_t side_int(struct world *world, const char *sql)
{
    char value[32];

    side_value(world, value, sizeof value, sql);
    return strtoll(value, NULL, 10);
}

static inline void on_ready(void *arg)
{
    struct reply *reply = arg;

    reply->here = true;
}

static inline void on_lost(void *arg, const struct db_error *err)
{
    take_error(arg, err);
}

static const struct db_events world_events = {on_ready, on_lost};

/* A connection of these settings. `reply` must outlive it. */
static inline struct db_conn *connect_as(struct world *world, const struct db_settings *settings,
                                         struct reply *reply)
{
    struct db_conn *conn = db_conn_new(&world->loop, settings, &world_events, reply);

    await(world, &reply->here);
    assert_no_error(reply);
    *reply = (struct reply){0};
    return conn;
}

static inline void migrate(struct world *world, struct db_conn *conn)
{
    struct reply reply = {0};

    schema_migrate(conn, take_done, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
}

static struct reply world_conn_reply, world_other_reply;

static inline int world_open(void **state)
{
    const char *conninfo = getenv("UPLOADER_TEST_CONNINFO");

    *state = NULL;
    if (!conninfo)
        return 0;
    struct world *world = NEW(struct world);
    uv_loop_init(&world->loop);
    uv_timer_init(&world->loop, &world->patience);
    world->side = PQconnectdb(conninfo);
    if (PQstatus(world->side) != CONNECTION_OK) {
        fprintf(stderr, "%s", PQerrorMessage(world->side));
        return -1;
    }
    side(world, "SET client_min_messages = warning");
    world->name = backend_name(WORLD_OWNER, WORLD_START, 0, 0);
    world->settings = (struct db_settings){
        .conninfo = conninfo, .schema = WORLD_SCHEMA, .application_name = world->name};
    world->conn = connect_as(world, &world->settings, &world_conn_reply);
    world->other = connect_as(world, &world->settings, &world_other_reply);
    side(world, "DROP SCHEMA IF EXISTS " WORLD_QUOTED " CASCADE");
    migrate(world, world->conn);
    side(world, "SET search_path = " WORLD_QUOTED);
    *state = world;
    return 0;
}

static inline int world_close(void **state)
{
    struct world *world = *state;

    if (!world)
        return 0;
    db_conn_close(world->conn);
    db_conn_close(world->other);
    uv_close((uv_handle_t *)&world->patience, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    int closed = uv_loop_close(&world->loop);
    PQfinish(world->side);
    free(world->name);
    free(world);
    return closed;
}

/* Before each test: no tracker, and nobody in a transaction. */
static inline int world_clear(void **state)
{
    struct world *world = *state;

    if (!world)
        return 0;
    if (PQtransactionStatus(world->side) != PQTRANS_IDLE)
        side(world, "ROLLBACK");
    side(world, "RESET ROLE; SET search_path = " WORLD_QUOTED);
    side(world, "TRUNCATE file_tracker, file_data CASCADE");
    return 0;
}

/* The world, or the end of a test that cannot run. */
static inline struct world *world_of(void **state)
{
    if (!*state)
        skip();
    return *state;
}

#define WORLD_TEST(test) cmocka_unit_test_setup(test, world_clear)

/* A tracker made and read; the reply is to be ended with reply_fini. */
static inline void create(struct world *world, struct reply *reply, const char *path,
                          const char *owner)
{
    const struct move_args args = {
        .owner = owner,
        .profile_text = "{}",
        .identity = &(struct identity){1, 2, 3, 4, 5},
        .asker = {1000, "a new upload"},
    };

    tracker_create(world->conn, path, "contacts", &args, take_tracker, reply);
    await(world, &reply->here);
    assert_no_error(reply);
    assert_true(reply->found);
}

/* A move of the tracker in `reply`, which then is as the answer says. */
static inline void move_with(struct world *world, struct reply *reply, enum move move,
                             const struct move_args *args)
{
    struct tracker before = reply->tracker;

    *reply = (struct reply){0};
    tracker_move(world->conn, move, &before, args, take_tracker, reply);
    await(world, &reply->here);
    tracker_fini(&before);
}

static inline void move(struct world *world, struct reply *reply, enum move move)
{
    const struct move_args args = {.owner = WORLD_OWNER, .asker = {-1, "a test asks for it"}};

    move_with(world, reply, move, &args);
}

/* Reads by whatever is given, anew. */
static inline void read_by(struct world *world, struct reply *reply, int64_t id, const char *path,
                           const char *profile, bool processed)
{
    *reply = (struct reply){0};
    if (processed)
        tracker_processed(world->conn, path, profile, take_tracker, reply);
    else if (profile)
        tracker_by_upload(world->conn, path, profile, take_tracker, reply);
    else if (path)
        tracker_by_path(world->conn, path, take_tracker, reply);
    else
        tracker_by_id(world->conn, id, take_tracker, reply);
    await(world, &reply->here);
    assert_no_error(reply);
}

/* The text of a gate's call for the tracker: chunk `n` of `n` chunks with 10 rows each. */
static inline void gate_text(char *sql, size_t size, const struct tracker *tracker, int chunk,
                             bool final)
{
    snprintf(sql, size,
             "SELECT gate(%lld, %lld, %lld, '%s', %d, %d, %d, %d, %d, 10, 0, "
             "decode(repeat('00', 16), 'hex'), %s)",
             (long long)tracker->id, (long long)tracker->epoch, (long long)tracker->token,
             tracker->owner, chunk, chunk * 10 - 9, chunk * 10, chunk * 100 - 100, chunk * 100,
             final ? "true" : "false");
}

/* Passes the gate as the session beside, which may be in a transaction. */
static inline void gate(struct world *world, const struct tracker *tracker, int chunk, bool final)
{
    char sql[512];

    gate_text(sql, sizeof sql, tracker, chunk, final);
    side(world,
         "INSERT INTO file_data SELECT %lld, n, 'name', 'email' FROM "
         "generate_series(%d, %d) AS n",
         (long long)tracker->id, chunk * 10 - 9, chunk * 10);
    side(world, "%s", sql);
}

#endif
