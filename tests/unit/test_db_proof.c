/* SPDX-License-Identifier: PostgreSQL */
/* Rows that the server sends as they lie: held and let go, cancelled, lost, closed in the middle;
 * and one snapshot for two connections. */
#include "db/proof.h"
#include "tests/unit/db_world.h"

#define ROWS 100000 /* more than all buffers between server and worker hold */
#define TRACKER 4711
#define SILENCE_MS 200

struct stream {
    struct db_conn *conn;
    int64_t closes_at;   /* row at which the connection is closed; 0: never */
    int64_t holds_after; /* so many rows each time; 0: never */
    int64_t count, sum;
    bool held;
    char last_email[64];
    struct reply ended;
};

static bool take_row(void *arg, const struct proof_row *row)
{
    struct stream *stream = arg;

    stream->count++;
    stream->sum += row->line;
    assert_non_null(row->name);
    snprintf(stream->last_email, sizeof stream->last_email, "%.*s", (int)row->email_bytes,
             row->email);
    if (stream->count == stream->closes_at)
        db_conn_close(stream->conn);
    stream->held = stream->holds_after > 0 && stream->count % stream->holds_after == 0;
    return !stream->held;
}

static void take_end(void *arg, const struct db_error *err)
{
    struct stream *stream = arg;

    take_error(&stream->ended, err);
}

static void fill(struct world *world)
{
    side(world,
         "INSERT INTO file_data (file_tracker_id, line_no, name, email) "
         "SELECT %d, n, CASE WHEN n %% 2 = 0 THEN '' ELSE repeat('n', 40) END, 'e' || n "
         "FROM generate_series(1, %d) AS n",
         TRACKER, ROWS);
}

/* Of the world's connection, which is in a snapshot then. */
static void open_stream(struct world *world, struct stream *stream)
{
    struct reply reply = {0};

    proof_begin(world->conn, take_done, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
    stream->conn = world->conn;
    proof_stream(world->conn, TRACKER, take_row, take_end, stream);
}

static void leave_snapshot(struct world *world)
{
    struct reply reply = {0};

    chunk_rollback(world->conn, take_done, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
}

static void test_all_rows(void **state)
{
    struct world *world = world_of(state);
    struct stream stream = {0};

    fill(world);
    open_stream(world, &stream);
    await(world, &stream.ended.here);
    assert_no_error(&stream.ended);
    assert_int_equal(stream.count, ROWS);
    assert_int_equal(stream.sum, (int64_t)ROWS * (ROWS + 1) / 2);
    assert_string_equal(stream.last_email, "e100000");
    leave_snapshot(world);
}

static void test_no_rows(void **state)
{
    struct world *world = world_of(state);
    struct stream stream = {0};

    open_stream(world, &stream);
    await(world, &stream.ended.here);
    assert_no_error(&stream.ended);
    assert_int_equal(stream.count, 0);
    leave_snapshot(world);
}

static void test_held(void **state)
{
    struct world *world = world_of(state);
    struct stream stream = {.holds_after = ROWS / 4};

    fill(world);
    open_stream(world, &stream);
    for (int64_t turn = 1; turn <= 4; turn++) {
        await(world, &stream.held);
        assert_int_equal(stream.count, turn * ROWS / 4);
        expect_silence(world, &stream.ended, SILENCE_MS);
        assert_int_equal(stream.count, turn * ROWS / 4);
        stream.held = false;
        proof_go_on(world->conn);
    }
    await(world, &stream.ended.here);
    assert_no_error(&stream.ended);
    assert_string_equal(stream.last_email, "e100000");
    leave_snapshot(world);
}

static void test_cancelled(void **state)
{
    struct world *world = world_of(state);
    struct stream stream = {.holds_after = 10};

    fill(world);
    open_stream(world, &stream);
    await(world, &stream.held);
    side(world, "SELECT pg_cancel_backend(%d)", db_conn_backend_pid(world->conn));
    stream.holds_after = 0;
    proof_go_on(world->conn);
    await(world, &stream.ended.here);
    assert_string_equal(stream.ended.error.error.sqlstate, "57014");
    assert_true(stream.count < ROWS);
    leave_snapshot(world);
}

static void test_lost(void **state)
{
    struct world *world = world_of(state);
    struct db_conn *conn = world->conn;
    struct stream stream = {.holds_after = 10};
    struct reply lost = {0};

    fill(world);
    world->conn = connect_as(world, &world->settings, &lost);
    open_stream(world, &stream);
    await(world, &stream.held);
    side(world, "SELECT pg_terminate_backend(%d, 5000)", db_conn_backend_pid(world->conn));
    stream.holds_after = 0;
    proof_go_on(world->conn);
    await(world, &stream.ended.here);
    assert_int_equal(stream.ended.error.meaning, DB_LOST);
    await(world, &lost.here);
    db_conn_close(world->conn);
    world->conn = conn;
}

static void test_closed_by_a_row(void **state)
{
    struct world *world = world_of(state);
    struct db_conn *conn = world->conn;
    struct stream stream = {.closes_at = 10};
    struct reply lost = {0};

    fill(world);
    world->conn = connect_as(world, &world->settings, &lost);
    open_stream(world, &stream);
    expect_silence(world, &stream.ended, SILENCE_MS);
    assert_int_equal(stream.count, 10);
    assert_false(lost.here);
    world->conn = conn;
}

static void take_name(void *arg, const char *name, const struct db_error *err)
{
    struct reply *reply = arg;

    take_error(reply, err);
    snprintf(reply->text, sizeof reply->text, "%s", name ? name : "");
}

static void test_one_snapshot_for_two(void **state)
{
    struct world *world = world_of(state);
    struct stream stream = {0};
    struct reply begun = {0}, exported = {0}, joined = {0};

    proof_begin(world->other, take_done, &begun);
    proof_export(world->other, take_name, &exported);
    await(world, &exported.here);
    assert_no_error(&exported);
    fill(world); /* too late for either */
    proof_join(world->conn, exported.text, take_done, &joined);
    await(world, &joined.here);
    assert_no_error(&joined);
    proof_stream(world->conn, TRACKER, take_row, take_end, &stream);
    await(world, &stream.ended.here);
    assert_no_error(&stream.ended);
    assert_int_equal(stream.count, 0);
    leave_snapshot(world);
    proof_join(world->conn, "00000003-00000001-1", take_done, &begun);
    begun.here = false;
    await(world, &begun.here);
    assert_int_not_equal(begun.error.meaning, DB_DONE);
    leave_snapshot(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_all_rows),
        WORLD_TEST(test_no_rows),
        WORLD_TEST(test_held),
        WORLD_TEST(test_cancelled),
        WORLD_TEST(test_lost),
        WORLD_TEST(test_closed_by_a_row),
        WORLD_TEST(test_one_snapshot_for_two),
    };

    return cmocka_run_group_tests(tests, world_open, world_close);
}
