/* SPDX-License-Identifier: PostgreSQL */
/* Fences on a real server: what they wait for, when they give up, who is terminated for them. */
#include "tests/unit/db_world.h"

/* A backend that has passed the gate and is still committing: the fence waits for it, and the
 * recovery point that it answers is the one after that COMMIT. */
static void fence_waits_on(struct world *world, struct db_conn *conn)
{
    const struct move_args args = {.owner = WORLD_OWNER, .asker = {-1, "killed"}};
    struct reply reply = {0}, fenced = {0};

    create(world, &reply, "/a", WORLD_OWNER);
    move(world, &reply, MOVE_START);
    side(world, "BEGIN");
    gate(world, &reply.tracker, 1, false);
    tracker_move(conn, MOVE_KILL, &reply.tracker, &args, take_tracker, &fenced);
    expect_silence(world, &fenced, 300);
    side(world, "COMMIT");
    await(world, &fenced.here);
    assert_no_error(&fenced);
    assert_true(fenced.found);
    assert_int_equal(fenced.tracker.status, STATUS_KILLED);
    assert_int_equal(fenced.tracker.line, 10);
    assert_int_equal(fenced.tracker.offset, 100);
    reply_fini(&fenced);
    reply_fini(&reply);
}

static void test_fence_waits(void **state)
{
    struct world *world = world_of(state);

    fence_waits_on(world, world->conn);
}

/* The same where the database's default would read everything in one old snapshot. */
static void test_fence_waits_whatever_the_default_isolation(void **state)
{
    struct world *world = world_of(state);
    struct reply lost = {0};

    side(world, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET default_transaction_isolation "
                "= serializable', current_database()); END $$");
    struct db_conn *conn = connect_as(world, &world->settings, &lost);
    side(world, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I RESET "
                "default_transaction_isolation', current_database()); END $$");
    fence_waits_on(world, conn);
    db_conn_close(conn);
}

/* What has been refused by a lock's timeout leaves nothing behind, and the connection usable. */
static void test_fence_gives_up(void **state)
{
    struct world *world = world_of(state);
    struct reply reply = {0};

    create(world, &reply, "/a", WORLD_OWNER);
    int64_t id = reply.tracker.id;
    side(world, "BEGIN");
    side(world, "SELECT FROM file_tracker FOR UPDATE");
    move(world, &reply, MOVE_KILL);
    assert_false(reply.found);
    assert_int_equal(reply.error.meaning, DB_CONFLICT);
    assert_string_equal(reply.error.error.sqlstate, "55P03");
    side(world, "COMMIT");
    reply_fini(&reply);
    read_by(world, &reply, id, NULL, NULL, false);
    assert_int_equal(reply.tracker.epoch, 1);
    move(world, &reply, MOVE_KILL);
    assert_true(reply.found);
    reply_fini(&reply);
}

static void take_blockers(void *arg, int terminated, int foreign, const struct db_error *err)
{
    struct reply *reply = arg;

    take_error(reply, err);
    reply->count = terminated;
    reply->pid = foreign;
}

static void assert_blockers(struct world *world, int terminated, int foreign)
{
    struct reply reply = {0};

    blockers_terminate(world->other, db_conn_backend_pid(world->conn), take_blockers, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
    assert_int_equal(reply.count, terminated);
    assert_int_equal(reply.pid, foreign);
}

static void test_foreign_blocker_is_named(void **state)
{
    struct world *world = world_of(state);
    const struct move_args args = {.owner = WORLD_OWNER, .asker = {-1, "killed"}};
    struct reply made = {0}, fenced = {0};

    create(world, &made, "/a", WORLD_OWNER);
    assert_blockers(world, 0, 0);
    side(world, "BEGIN");
    side(world, "SELECT FROM file_tracker FOR UPDATE");
    tracker_move(world->conn, MOVE_KILL, &made.tracker, &args, take_tracker, &fenced);
    expect_silence(world, &fenced, 300);
    assert_blockers(world, 0, PQbackendPID(world->side));
    side(world, "COMMIT");
    await(world, &fenced.here);
    assert_true(fenced.found);
    reply_fini(&fenced);
    reply_fini(&made);
}

/* A zombie holds the row, another waits for it already: only the zombie is ended. */
static void test_blocker_is_terminated(void **state)
{
    struct world *world = world_of(state);
    const struct move_args args = {.owner = WORLD_OWNER, .asker = {-1, "killed"}};
    struct reply made = {0}, fenced = {0};
    char *name = backend_name("another", "start", 1, 1);
    char *set = mem_format("SET application_name = '%s'", name);
    PGconn *zombie = PQconnectdb(world->settings.conninfo);
    PGconn *waiter = PQconnectdb(world->settings.conninfo);
    char waits[128];

    create(world, &made, "/a", WORLD_OWNER);
    PQclear(PQexec(zombie, set));
    PQclear(PQexec(waiter, set));
    PQclear(PQexec(zombie, "BEGIN; SELECT FROM " WORLD_QUOTED ".file_tracker FOR UPDATE"));
    PQsendQuery(waiter, "SELECT FROM " WORLD_QUOTED ".file_tracker FOR UPDATE");
    snprintf(waits, sizeof waits, "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %d",
             PQbackendPID(waiter));
    uint64_t end = uv_hrtime() + PATIENCE_MS * UINT64_C(1000000);
    while (side_int(world, waits) == 0)
        assert_true(uv_hrtime() < end);
    tracker_move(world->conn, MOVE_KILL, &made.tracker, &args, take_tracker, &fenced);
    expect_silence(world, &fenced, 300);
    assert_blockers(world, 1, 0);
    await(world, &fenced.here);
    assert_no_error(&fenced);
    assert_true(fenced.found);
    PGresult *waited = PQgetResult(waiter);
    assert_int_equal(PQresultStatus(waited), PGRES_TUPLES_OK);
    PQclear(waited);
    PQfinish(zombie);
    PQfinish(waiter);
    reply_fini(&fenced);
    reply_fini(&made);
    free(set);
    free(name);
}

static void test_stragglers(void **state)
{
    struct world *world = world_of(state);
    static const char *const texts[] = {"uploader/x/y/%lld/1", "uploader/x/y/%lld/2",
                                        "uploader/x/y/9%lld/1", "psql/x/y/%lld/1"};
    PGconn *conns[COUNT_OF(texts) + 1];
    struct reply reply = {0};

    create(world, &reply, "/a", WORLD_OWNER);
    move(world, &reply, MOVE_START);
    for (size_t i = 0; i < COUNT_OF(conns); i++) {
        char *fmt = mem_format("SET application_name = '%s'", texts[i % COUNT_OF(texts)]);
        char sql[256];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(sql, sizeof sql, fmt, (long long)reply.tracker.id);
#pragma GCC diagnostic pop
        free(fmt);
        conns[i] = PQconnectdb(world->settings.conninfo);
        PQclear(PQexec(conns[i], sql));
        PQclear(PQexec(conns[i], "BEGIN"));
        if (i < COUNT_OF(texts)) /* the last holds no lock on a table of the service */
            PQclear(PQexec(conns[i], "SELECT FROM " WORLD_QUOTED ".file_data"));
    }
    stragglers_terminate(world->conn, reply.tracker.id, reply.tracker.epoch);
    move(world, &reply, MOVE_FENCE); /* in order: the statement before it is done */
    for (size_t i = 0; i < COUNT_OF(conns); i++) {
        PGresult *result = PQexec(conns[i], "SELECT pg_sleep(0.2)");

        assert_int_equal(PQresultStatus(result) == PGRES_TUPLES_OK, i != 0);
        PQclear(result);
        PQfinish(conns[i]);
    }
    reply_fini(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_fence_waits),
        WORLD_TEST(test_fence_waits_whatever_the_default_isolation),
        WORLD_TEST(test_fence_gives_up),
        WORLD_TEST(test_foreign_blocker_is_named),
        WORLD_TEST(test_blocker_is_terminated),
        WORLD_TEST(test_stragglers),
    };

    return cmocka_run_group_tests(tests, world_open, world_close);
}
