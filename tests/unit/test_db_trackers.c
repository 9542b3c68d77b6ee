/* SPDX-License-Identifier: PostgreSQL */
/* Trackers on a real server: made, read, moved, deleted. */
#include "tests/unit/db_world.h"

static void assert_event(struct world *world, int64_t tracker, const char *last)
{
    char sql[512], value[256];

    snprintf(sql, sizeof sql,
             "SELECT concat_ws(' ', coalesce(from_status, '-'), to_status, event, uid, reason) "
             "FROM file_event WHERE file_tracker_id = %lld ORDER BY id DESC LIMIT 1",
             (long long)tracker);
    side_value(world, value, sizeof value, sql);
    assert_string_equal(value, last);
}

static void test_created(void **state)
{
    struct world *world = world_of(state);
    struct reply made = {0};

    create(world, &made, "/data/orders.csv", WORLD_OWNER);
    const struct tracker *t = &made.tracker;
    assert_string_equal(t->path, "/data/orders.csv");
    assert_string_equal(t->profile, "contacts");
    assert_string_equal(t->profile_text, "{}");
    assert_string_equal(t->owner, WORLD_OWNER);
    assert_int_equal(t->status, STATUS_INITIALIZING);
    assert_int_equal(t->epoch, 1);
    assert_int_equal(t->wanted, WANTED_NOTHING);
    assert_int_equal(t->error.code, ERR_NONE);
    assert_int_equal(t->identity.device, 1);
    assert_int_equal(t->identity.ctime_ns, 5);
    assert_false(t->interrupted || t->again || t->final);
    assert_int_equal(t->chunk_no + t->line + t->offset + t->rows + t->rejects, 0);
    assert_int_equal(strlen(t->created_at), strlen("2024-01-01T00:00:00.000000Z"));
    assert_int_equal(t->created_at[10], 'T');
    assert_int_equal(t->created_at[26], 'Z');
    assert_event(world, t->id, "- INITIALIZING create 1000 a new upload");
    reply_fini(&made);
}

/* Of two that create at once one gets the place, and the other is told that there is one. */
static void test_two_creators(void **state)
{
    struct world *world = world_of(state);
    const struct move_args args = {
        .owner = WORLD_OWNER, .profile_text = "{}", .asker = {-1, "a new upload"}};
    struct reply a = {0}, b = {0};

    tracker_create(world->conn, "/a", "contacts", &args, take_tracker, &a);
    tracker_create(world->other, "/a", "contacts", &args, take_tracker, &b);
    await(world, &a.here);
    await(world, &b.here);
    assert_no_error(&a);
    assert_no_error(&b);
    assert_int_equal(a.found + b.found, 1);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_tracker"), 1);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_event"), 1);
    reply_fini(&a);
    reply_fini(&b);
}

/* The first creator has not committed yet: the second waits, and has the place if it does not. */
static void test_creator_that_waits(void **state)
{
    struct world *world = world_of(state);
    const struct move_args args = {
        .owner = WORLD_OWNER, .profile_text = "{}", .asker = {-1, "a new upload"}};
    struct reply reply = {0};

    side(world, "BEGIN");
    side(world, "INSERT INTO file_tracker (path, profile, profile_text, status, owner) "
                "VALUES ('/a', 'contacts', '{}', 'INITIALIZING', 'another')");
    tracker_create(world->conn, "/a", "contacts", &args, take_tracker, &reply);
    expect_silence(world, &reply, 300);
    side(world, "ROLLBACK");
    await(world, &reply.here);
    assert_no_error(&reply);
    assert_true(reply.found);
    reply_fini(&reply);
}

static int64_t id_by(struct world *world, int64_t id, const char *path, const char *profile,
                     bool processed)
{
    struct reply reply = {0};

    read_by(world, &reply, id, path, profile, processed);
    int64_t found = reply.found ? reply.tracker.id : 0;
    reply_fini(&reply);
    return found;
}

static int64_t insert(struct world *world, const char *path, const char *profile,
                      const char *status)
{
    char sql[6000];

    snprintf(sql, sizeof sql,
             "INSERT INTO file_tracker (path, profile, profile_text, status, owner) "
             "VALUES ('%s', '%s', '{}', '%s', 'o') RETURNING id",
             path, profile, status);
    return side_int(world, sql);
}

static void test_read(void **state)
{
    struct world *world = world_of(state);
    int64_t in_before = insert(world, "/a", "p", "PROCESSED");
    int64_t killed = insert(world, "/a", "p", "KILLED");
    int64_t in_after = insert(world, "/a", "p", "PROCESSED");
    int64_t newest = insert(world, "/a", "q", "FAILED");

    assert_true(in_before && killed && in_after && newest);
    assert_int_equal(id_by(world, killed, NULL, NULL, false), killed);
    assert_int_equal(id_by(world, newest + 1, NULL, NULL, false), 0);
    assert_int_equal(id_by(world, 0, "/a", NULL, false), newest);
    assert_int_equal(id_by(world, 0, "/b", NULL, false), 0);
    assert_int_equal(id_by(world, 0, "/a", "p", false), killed);
    assert_int_equal(id_by(world, 0, "/a", "q", false), newest);
    assert_int_equal(id_by(world, 0, "/a", "p", true), in_after);
    assert_int_equal(id_by(world, 0, "/a", "q", true), 0);
    side(world, "DELETE FROM file_tracker WHERE status = 'KILLED'");
    assert_int_equal(id_by(world, 0, "/a", "p", false), in_after);
}

static void test_long_path(void **state)
{
    struct world *world = world_of(state);
    struct reply made = {0};
    char path[4097];

    srand(1); /* not to be compressed into an index entry's size */
    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = (char)(i % 200 ? 'a' + rand() % 26 : '/');
    path[sizeof path - 1] = '\0';
    create(world, &made, path, WORLD_OWNER);
    assert_int_equal(id_by(world, 0, path, "contacts", false), made.tracker.id);
    assert_string_equal(made.tracker.path, path);
    reply_fini(&made);
}

struct listed {
    bool here;
    size_t count;
    int64_t ids[16];
};

static void take_list(void *arg, const struct tracker *trackers, size_t count,
                      const struct db_error *err)
{
    struct listed *listed = arg;

    assert_null(err);
    listed->here = true;
    listed->count = count;
    for (size_t i = 0; i < count; i++)
        listed->ids[i] = trackers[i].id;
}

static void assert_list(struct world *world, enum status only, int64_t before, int64_t limit,
                        size_t count, int64_t first)
{
    struct listed listed = {0};

    tracker_list(world->conn, only, before, limit, take_list, &listed);
    await(world, &listed.here);
    assert_int_equal(listed.count, count);
    if (count)
        assert_int_equal(listed.ids[0], first);
    for (size_t i = 1; i < count; i++)
        assert_true(listed.ids[i - 1] > listed.ids[i]);
}

static void test_listed(void **state)
{
    struct world *world = world_of(state);
    int64_t first = insert(world, "/a", "p", "KILLED");

    insert(world, "/b", "p", "FAILED");
    int64_t third = insert(world, "/c", "p", "KILLED");
    assert_list(world, STATUS_NONE, 0, 16, 3, third);
    assert_list(world, STATUS_NONE, 0, 2, 2, third);
    assert_list(world, STATUS_NONE, third, 16, 2, third - 1);
    assert_list(world, STATUS_KILLED, 0, 16, 2, third);
    assert_list(world, STATUS_STOPPED, 0, 16, 0, 0);
    assert_list(world, STATUS_NONE, first, 16, 0, 0);
}

static void test_moves_write_what_the_table_says(void **state)
{
    struct world *world = world_of(state);
    struct reply reply = {0};
    const bool again = true;
    const struct error error = {.code = ERR_REJECT_LIMIT,
                                .sqlstate = "22021",
                                .message = "it's \\ over; DROP \xff",
                                .hint = "$1 \"$2\""};
    struct move_args args = {.owner = "b",
                             .profile_text = "{\"new\": 1}",
                             .identity = &(struct identity){9, 8, 7, 6, 5},
                             .again = &again,
                             .tries = 2,
                             .tries_line = 30,
                             .asker = {0, "root's wish"}};

    create(world, &reply, "/a", "a");
    int64_t token = reply.tracker.token, id = reply.tracker.id;
    move_with(world, &reply, MOVE_QUEUE, &args);
    assert_no_error(&reply);
    assert_true(reply.found);
    assert_int_equal(reply.tracker.epoch, 2);
    assert_true(reply.tracker.token != token);
    assert_string_equal(reply.tracker.owner, "b");
    assert_string_equal(reply.tracker.profile_text, "{\"new\": 1}");
    assert_int_equal(reply.tracker.identity.size, 7);
    assert_int_equal(reply.tracker.tries, 2);
    assert_int_equal(reply.tracker.tries_line, 30);
    assert_true(reply.tracker.again);
    assert_event(world, id, "INITIALIZING INITIALIZING queue 0 root's wish");

    args = (struct move_args){.owner = "c", .error = &error, .asker = {-1, "it failed"}};
    move_with(world, &reply, MOVE_FAIL, &args);
    assert_true(reply.found);
    assert_int_equal(reply.tracker.status, STATUS_FAILED);
    assert_string_equal(reply.tracker.owner, "b");
    assert_string_equal(reply.tracker.profile_text, "{\"new\": 1}");
    assert_int_equal(reply.tracker.identity.size, 7);
    assert_int_equal(reply.tracker.tries, 0);
    assert_int_equal(reply.tracker.error.code, ERR_REJECT_LIMIT);
    assert_string_equal(reply.tracker.error.message, "it's \\ over; DROP \\xFF");
    assert_string_equal(reply.tracker.error.detail, "");
    assert_string_equal(reply.tracker.error.hint, "$1 \"$2\"");
    assert_string_equal(reply.tracker.error.sqlstate, "22021");
    char *event = mem_format("INITIALIZING FAILED fail it failed: %s", reply.tracker.error.message);
    assert_event(world, id, event);
    free(event);
    reply_fini(&reply);
}

/* Every move but the two that require something, from a status that it may come from. */
static void test_every_move(void **state)
{
    struct world *world = world_of(state);

    for (enum move m = 0; m < MOVE_COUNT; m++) {
        const struct move_row *row = &move_table[m];
        const struct move_args args = {
            .owner = "new", .status = STATUS_STOPPED, .asker = {-1, "a test"}};
        struct reply reply = {0};

        create(world, &reply, "/a", "old");
        if (row->requires == REQUIRES_FINAL) {
            move(world, &reply, MOVE_START);
            gate(world, &reply.tracker, 1, true);
        } else if (row->requires == REQUIRES_EMPTY) {
            move_with(world, &reply, m, &args);
            assert_false(reply.found); /* nothing is wanted */
            read_by(world, &reply, 0, "/a", NULL, false);
            move(world, &reply, MOVE_STOP);
        }
        const char *owner = row->owner == OWNER_SET ? "new" : reply.tracker.owner;
        char *kept = mem_dup(owner);
        enum status before = reply.tracker.status;
        int64_t epoch = reply.tracker.epoch;
        move_with(world, &reply, m, &args);
        assert_no_error(&reply);
        assert_true(reply.found);
        assert_int_equal(reply.tracker.epoch, epoch + 1);
        assert_string_equal(reply.tracker.owner, kept);
        assert_int_equal(reply.tracker.status, m == MOVE_RETURN             ? STATUS_STOPPED
                                               : row->status == STATUS_NONE ? before
                                                                            : row->status);
        assert_int_equal(reply.tracker.wanted,
                         row->wanted == WANTED_KEPT ? WANTED_NOTHING : row->wanted);
        assert_int_equal(reply.tracker.interrupted, row->mark == MARK_SET);
        reply_fini(&reply);
        free(kept);
        world_clear(state);
    }
}

/* A fence keeps all but epoch and token, and is no transition. */
static void test_fence_keeps(void **state)
{
    struct world *world = world_of(state);
    struct reply reply = {0};

    create(world, &reply, "/a", WORLD_OWNER);
    move(world, &reply, MOVE_STOP);
    char before[TRACKER_TIME_BYTES];
    snprintf(before, sizeof before, "%s", reply.tracker.updated_at);
    assert_string_not_equal(before, reply.tracker.created_at);
    move(world, &reply, MOVE_FENCE);
    assert_true(reply.found);
    assert_int_equal(reply.tracker.epoch, 3);
    assert_int_equal(reply.tracker.wanted, WANTED_STOP);
    assert_int_equal(reply.tracker.status, STATUS_PROCESSING);
    assert_string_equal(reply.tracker.updated_at, before);
    assert_event(world, reply.tracker.id, "INITIALIZING PROCESSING stop a test asks for it");
    reply_fini(&reply);
}

static void test_missed(void **state)
{
    struct world *world = world_of(state);
    struct reply reply = {0};

    create(world, &reply, "/a", WORLD_OWNER);
    int64_t id = reply.tracker.id;
    reply.tracker.token++;
    move(world, &reply, MOVE_START);
    assert_no_error(&reply);
    assert_false(reply.found);
    reply_fini(&reply);

    read_by(world, &reply, id, NULL, NULL, false);
    assert_int_equal(reply.tracker.epoch, 1);
    reply.tracker.epoch++;
    move(world, &reply, MOVE_START);
    assert_no_error(&reply);
    assert_false(reply.found);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_event"), 1);
    reply_fini(&reply);
}

/* Two with the same knowledge: one wins, and the other learns that it did not. */
static void test_two_movers(void **state)
{
    struct world *world = world_of(state);
    const struct move_args args = {.owner = WORLD_OWNER, .asker = {-1, "a race"}};
    struct reply made = {0}, a = {0}, b = {0};

    create(world, &made, "/a", WORLD_OWNER);
    tracker_move(world->conn, MOVE_START, &made.tracker, &args, take_tracker, &a);
    tracker_move(world->other, MOVE_KILL, &made.tracker, &args, take_tracker, &b);
    await(world, &a.here);
    await(world, &b.here);
    assert_no_error(&a);
    assert_no_error(&b);
    assert_int_equal(a.found + b.found, 1);
    reply_fini(&made);
    reply_fini(&a);
    reply_fini(&b);
}

static void test_finish_requires_the_final_checkpoint(void **state)
{
    struct world *world = world_of(state);
    struct reply reply = {0};
    char sql[512];

    create(world, &reply, "/a", WORLD_OWNER);
    int64_t id = reply.tracker.id;
    move(world, &reply, MOVE_START);
    gate(world, &reply.tracker, 1, false);
    move(world, &reply, MOVE_FINISH);
    assert_no_error(&reply);
    assert_false(reply.found);

    read_by(world, &reply, id, NULL, NULL, false);
    gate(world, &reply.tracker, 2, true);
    gate_text(sql, sizeof sql, &reply.tracker, 3, true); /* none behind a final one */
    PGresult *refused = PQexec(world->side, sql);
    assert_string_equal(PQresultErrorField(refused, PG_DIAG_SQLSTATE), "UP002");
    PQclear(refused);

    move(world, &reply, MOVE_STOP); /* a stop that is wanted wins */
    move(world, &reply, MOVE_FINISH);
    assert_false(reply.found);
    read_by(world, &reply, id, NULL, NULL, false);
    move(world, &reply, MOVE_KILL);
    assert_true(reply.tracker.final);
    move(world, &reply, MOVE_FINISH);
    assert_true(reply.found);
    assert_int_equal(reply.tracker.status, STATUS_PROCESSED);
    assert_int_equal(reply.tracker.rows, 20);
    assert_event(world, id, "KILLED PROCESSED finish a test asks for it");
    reply_fini(&reply);
}

static void test_empty_requires_that_nothing_is_left(void **state)
{
    struct world *world = world_of(state);
    struct reply reply = {0};

    create(world, &reply, "/a", WORLD_OWNER);
    int64_t id = reply.tracker.id;
    move(world, &reply, MOVE_START);
    gate(world, &reply.tracker, 1, false);
    move(world, &reply, MOVE_STOP);
    for (enum move m = MOVE_EMPTY; m <= MOVE_RESTARTED; m++) {
        move(world, &reply, m);
        assert_no_error(&reply);
        assert_false(reply.found);
        read_by(world, &reply, id, NULL, NULL, false);
    }
    side(world, "SELECT pop_chunks(%lld, %lld, %lld, 1, 1, 0)", (long long)id,
         (long long)reply.tracker.epoch, (long long)reply.tracker.token);
    move(world, &reply, MOVE_EMPTY);
    assert_true(reply.found);
    assert_int_equal(reply.tracker.status, STATUS_STOPPED);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_data"), 0);
    reply_fini(&reply);
}

static void test_delete_takes_all_that_is_its_own(void **state)
{
    struct world *world = world_of(state);
    struct reply reply = {0}, kept = {0};

    create(world, &kept, "/kept", WORLD_OWNER);
    create(world, &reply, "/a", WORLD_OWNER);
    move(world, &reply, MOVE_START);
    gate(world, &reply.tracker, 1, false);
    side(world, "INSERT INTO file_reject VALUES (%lld, 1, 0, 1, 'r', NULL, 'x')",
         (long long)reply.tracker.id);
    side(world, "INSERT INTO file_data VALUES (%lld, 1, 'n', 'e')", (long long)kept.tracker.id);
    side(world, "DELETE FROM file_tracker WHERE id = %lld", (long long)reply.tracker.id);
    assert_int_equal(side_int(world, "SELECT (SELECT count(*) FROM file_data) + (SELECT count(*) "
                                     "FROM file_checkpoint) + (SELECT count(*) FROM file_reject)"),
                     1);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_event"), 1);
    reply_fini(&reply);
    reply_fini(&kept);
}

static void answer_never(void *arg, const struct tracker *tracker, const struct db_error *err)
{
    (void)arg;
    (void)tracker;
    (void)err;
    fail_msg("a closed connection has answered");
}

static void done_never(void *arg, const struct db_error *err)
{
    answer_never(arg, NULL, err);
}

/* What is under way when a connection is closed is never answered, and leaves no memory behind (the
 * sanitizer's build tells). */
static void test_closed_with_statements_under_way(void **state)
{
    struct world *world = world_of(state);
    const struct move_args args = {
        .owner = WORLD_OWNER, .profile_text = "{}", .asker = {-1, "a new upload"}};
    struct reply lost = {0}, made = {0};
    struct db_conn *conn = connect_as(world, &world->settings, &lost);

    tracker_create(conn, "/a", "contacts", &args, answer_never, NULL);
    schema_migrate(conn, done_never, NULL);
    tracker_by_path(conn, "/a", answer_never, NULL);
    db_conn_close(conn);
    create(world, &made, "/b", WORLD_OWNER);
    assert_false(lost.here);
    reply_fini(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_created),
        WORLD_TEST(test_two_creators),
        WORLD_TEST(test_creator_that_waits),
        WORLD_TEST(test_read),
        WORLD_TEST(test_long_path),
        WORLD_TEST(test_listed),
        WORLD_TEST(test_moves_write_what_the_table_says),
        WORLD_TEST(test_every_move),
        WORLD_TEST(test_fence_keeps),
        WORLD_TEST(test_missed),
        WORLD_TEST(test_two_movers),
        WORLD_TEST(test_finish_requires_the_final_checkpoint),
        WORLD_TEST(test_empty_requires_that_nothing_is_left),
        WORLD_TEST(test_delete_takes_all_that_is_its_own),
        WORLD_TEST(test_closed_with_statements_under_way),
    };

    return cmocka_run_group_tests(tests, world_open, world_close);
}
