/* SPDX-License-Identifier: PostgreSQL */
/* The name, the earlier life and what it left, on a real server. */
#include "tests/unit/db_world.h"

static void test_backend_name(void **state)
{
    (void)state;
    char *name = backend_name("a name as long as one may like, with / and ö in it",
                              "0123456789abcdef", 99999999, 99999999999);

    assert_true(strlen(name) <= 63);
    assert_memory_equal(name, "uploader/", 9);
    assert_int_equal(strspn(name + 9, "0123456789abcdef"), 16);
    assert_string_equal(name + 25, "/0123456789abcdef/99999999/99999999999");
    free(name);
}

static void take_session(void *arg, bool own, const struct db_error *err)
{
    struct reply *reply = arg;

    take_error(reply, err);
    reply->found = own;
}

static void test_session_is_ones_own(void **state)
{
    struct world *world = world_of(state);

    for (int i = 0; i < 50; i++) {
        struct reply reply = {0};

        session_check(world->conn, world->other, take_session, &reply);
        await(world, &reply.here);
        assert_no_error(&reply);
        assert_true(reply.found);
    }
}

/* What a pooler does that gives one process to both. */
static void test_session_is_shared(void **state)
{
    struct world *world = world_of(state);
    struct reply reply = {0};

    session_check(world->conn, world->conn, take_session, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
    assert_false(reply.found);
}

static void take_guard(void *arg, int holder, const char *holder_name, const struct db_error *err)
{
    struct reply *reply = arg;

    take_error(reply, err);
    reply->pid = holder;
    snprintf(reply->text, sizeof reply->text, "%s", holder_name ? holder_name : "");
}

static struct reply guard(struct world *world, struct db_conn *conn, const char *owner)
{
    struct reply reply = {0};

    guard_take(conn, owner, take_guard, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
    return reply;
}

static void test_guard(void **state)
{
    struct world *world = world_of(state);

    for (int i = 0; i < 20; i++) { /* upper and lower halves with either sign */
        char *owner = mem_format("owner %d", i);
        struct reply taken = guard(world, world->conn, owner);
        struct reply refused = guard(world, world->other, owner);

        assert_int_equal(taken.pid, 0);
        assert_int_equal(refused.pid, db_conn_backend_pid(world->conn));
        assert_string_equal(refused.text, world->name);
        free(owner);
    }
    assert_int_equal(guard(world, world->other, "another owner").pid, 0);
}

static int64_t earlier_life(struct world *world)
{
    struct reply reply = {0};

    earlier_life_terminate(world->conn, WORLD_OWNER, WORLD_START, take_count, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
    return reply.count;
}

/* Of this owner's name and another start: only those, and until they are gone. */
static void test_earlier_life(void **state)
{
    struct world *world = world_of(state);
    char *names[] = {
        backend_name(WORLD_OWNER, "fedcba9876543210", 0, 0),
        backend_name(WORLD_OWNER, "fedcba9876543210", 12345678901, 12345678901), /* cut */
        backend_name(WORLD_OWNER, WORLD_START, 7, 1),
        backend_name("another", "fedcba9876543210", 0, 0),
        mem_dup("psql"),
    };
    PGconn *conns[COUNT_OF(names)];

    assert_int_equal(earlier_life(world), 0);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char *set = mem_format("SET application_name = '%s'", names[i]);

        conns[i] = PQconnectdb(world->settings.conninfo);
        PQclear(PQexec(conns[i], "SET client_min_messages = error"));
        PQclear(PQexec(conns[i], set));
        free(set);
    }
    assert_int_equal(earlier_life(world), 2);
    while (earlier_life(world) > 0)
        ;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        PGresult *result = PQexec(conns[i], "SELECT 1");

        assert_int_equal(PQresultStatus(result) == PGRES_TUPLES_OK, i >= 2);
        PQclear(result);
        PQfinish(conns[i]);
        free(names[i]);
    }
}

struct unfinished {
    bool here;
    struct tracker *trackers;
    size_t count;
    int64_t skipped;
};

static void take_unfinished(void *arg, const struct tracker *trackers, size_t count,
                            int64_t skipped, const struct db_error *err)
{
    struct unfinished *unfinished = arg;
    size_t all = count + (size_t)skipped;

    assert_null(err);
    *unfinished = (struct unfinished){true, mem_new(all, sizeof *trackers), count, skipped};
    for (size_t i = 0; i < all; i++)
        tracker_copy(&unfinished->trackers[i], &trackers[i]);
}

static struct unfinished fence(struct world *world)
{
    struct unfinished unfinished = {0};

    unfinished_fence(world->conn, WORLD_OWNER, take_unfinished, &unfinished);
    await(world, &unfinished.here);
    return unfinished;
}

static void unfinished_fini(struct unfinished *unfinished)
{
    for (size_t i = 0; i < unfinished->count + (size_t)unfinished->skipped; i++)
        tracker_fini(&unfinished->trackers[i]);
    free(unfinished->trackers);
}

struct interrupted {
    bool here;
    int64_t *ids;
    size_t count;
};

static void take_ids(void *arg, int64_t *ids, size_t count, const struct db_error *err)
{
    assert_null(err);
    *(struct interrupted *)arg = (struct interrupted){true, ids, count};
}

static int64_t interrupt(struct world *world, const struct unfinished *unfinished)
{
    const struct asker asker = {-1, "the supervisor had died"};
    struct reply reply = {0};

    unfinished_interrupt(world->conn, unfinished->trackers, unfinished->count, &asker, take_count,
                         &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
    return reply.count;
}

static void insert_unfinished(struct world *world, int count)
{
    side(world,
         "INSERT INTO file_tracker (path, profile, profile_text, status, owner) "
         "SELECT '/' || n, 'p', '{}', CASE WHEN n %% 2 = 0 THEN 'INITIALIZING' ELSE 'PROCESSING' "
         "END, '%s' FROM generate_series(1, %d) AS n",
         WORLD_OWNER, count);
}

static void test_nothing_unfinished(void **state)
{
    struct world *world = world_of(state);
    struct unfinished none = fence(world);

    assert_int_equal(none.count, 0);
    assert_int_equal(none.skipped, 0);
    assert_int_equal(interrupt(world, &none), 0);
    unfinished_fini(&none);
}

static void test_a_thousand_unfinished(void **state)
{
    struct world *world = world_of(state);

    insert_unfinished(world, 1000);
    side(world, "UPDATE file_tracker SET wanted = 'stop' WHERE path = '/1'");
    side(world, "INSERT INTO file_tracker (path, profile, profile_text, status, owner, "
                "interrupted) VALUES ('/i', 'p', '{}', 'KILLED', '" WORLD_OWNER "', true), "
                "('/k', 'p', '{}', 'KILLED', '" WORLD_OWNER "', false), "
                "('/o', 'p', '{}', 'PROCESSING', 'another', false)");
    struct unfinished all = fence(world);
    assert_int_equal(all.count, 1000);
    assert_int_equal(all.skipped, 0);
    assert_int_equal(all.trackers[0].wanted, WANTED_STOP);
    assert_int_equal(all.trackers[0].epoch, 2);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_tracker WHERE epoch = 2"), 1000);
    assert_int_equal(side_int(world, "SELECT count(DISTINCT token) FROM file_tracker"), 4);
    assert_int_equal(
        side_int(world, "SELECT count(DISTINCT token) FROM file_tracker WHERE epoch = 2"), 1);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_event"), 0);

    for (int i = 0; i < 10; i++) /* moved on meanwhile */
        all.trackers[i].token++;
    assert_int_equal(interrupt(world, &all), 990);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_tracker WHERE status = 'KILLED' "
                                     "AND interrupted AND wanted IS NULL"),
                     991);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_event WHERE event = 'interrupt' "
                                     "AND to_status = 'KILLED' AND from_status IN "
                                     "('INITIALIZING', 'PROCESSING')"),
                     990);
    assert_int_equal(interrupt(world, &all), 0);
    unfinished_fini(&all);

    struct interrupted interrupted = {0};
    interrupted_read(world->conn, WORLD_OWNER, take_ids, &interrupted);
    await(world, &interrupted.here);
    assert_int_equal(interrupted.count, 991); /* and the one of before */
    for (size_t i = 1; i < interrupted.count; i++)
        assert_true(interrupted.ids[i - 1] < interrupted.ids[i]);
    free(interrupted.ids);
}

/* Locked rows hold nobody up: they stand behind the others, as they are, until asked again. */
static void test_locked_are_skipped(void **state)
{
    struct world *world = world_of(state);

    insert_unfinished(world, 20);
    side(world, "BEGIN");
    side(world, "SELECT FROM file_tracker WHERE path IN ('/3', '/4') FOR SHARE");
    struct unfinished some = fence(world);
    assert_int_equal(some.count, 18);
    assert_int_equal(some.skipped, 2);
    assert_string_equal(some.trackers[18].path, "/3");
    assert_string_equal(some.trackers[19].path, "/4");
    assert_int_equal(some.trackers[19].epoch, 1);
    unfinished_fini(&some);

    side(world, "COMMIT");
    some = fence(world);
    assert_int_equal(some.count, 20);
    assert_int_equal(some.skipped, 0);
    assert_int_equal(some.trackers[0].epoch, 3);
    assert_int_equal(some.trackers[2].epoch, 2);
    unfinished_fini(&some);
}

/* A foreign key's lock, as a reject takes it, is no reason to leave a tracker out. */
static void test_key_share_is_not_skipped(void **state)
{
    struct world *world = world_of(state);

    insert_unfinished(world, 1);
    side(world, "BEGIN");
    side(world, "SELECT FROM file_tracker FOR KEY SHARE");
    struct unfinished one = fence(world);
    assert_int_equal(one.count, 1);
    assert_int_equal(one.skipped, 0);
    unfinished_fini(&one);
    side(world, "COMMIT");
}

/* What many do at once is what one does. */
static void test_interrupt_is_the_move(void **state)
{
    struct world *world = world_of(state);
    struct reply one = {0}, other = {0};
    const struct asker asker = {-1, "a test asks for it"};

    create(world, &one, "/one", WORLD_OWNER);
    create(world, &other, "/other", WORLD_OWNER);
    move(world, &one, MOVE_STOP);
    move(world, &other, MOVE_STOP);
    move(world, &one, MOVE_INTERRUPT);
    struct unfinished stopped = {.trackers = &other.tracker, .count = 1};
    struct reply reply = {0};
    unfinished_interrupt(world->conn, stopped.trackers, 1, &asker, take_count, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
    assert_int_equal(reply.count, 1);
    assert_int_equal(
        side_int(world, "SELECT count(DISTINCT (epoch, status, owner, wanted, interrupted, tries, "
                        "error_code)) FROM file_tracker"),
        1);
    assert_int_equal(side_int(world,
                              "SELECT count(DISTINCT (from_status, to_status, event, reason, uid, "
                              "host)) FROM file_event WHERE event = 'interrupt'"),
                     1);
    reply_fini(&one);
    reply_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backend_name),
        WORLD_TEST(test_session_is_ones_own),
        WORLD_TEST(test_session_is_shared),
        WORLD_TEST(test_guard),
        WORLD_TEST(test_earlier_life),
        WORLD_TEST(test_nothing_unfinished),
        WORLD_TEST(test_a_thousand_unfinished),
        WORLD_TEST(test_locked_are_skipped),
        WORLD_TEST(test_key_share_is_not_skipped),
        WORLD_TEST(test_interrupt_is_the_move),
    };

    return cmocka_run_group_tests(tests, world_open, world_close);
}
