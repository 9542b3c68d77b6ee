/* SPDX-License-Identifier: PostgreSQL */
/* The schema on a real server: made once, migrated, refused, and used with few rights. */
#include "tests/unit/db_world.h"

#include <unistd.h>

#define ROLE_BYTES 64
#define MIGRATIONS 8 /* files in db/sql/migrations */

static struct db_error migrate_as(struct world *world, const struct db_settings *settings)
{
    struct reply lost = {0}, reply = {0};
    struct db_conn *conn = connect_as(world, settings, &lost);

    schema_migrate(conn, take_done, &reply);
    await(world, &reply.here);
    assert_int_equal(reply.times, 1);
    assert_false(lost.here);
    db_conn_close(conn);
    return reply.error;
}

static void test_current_schema_is_left_alone(void **state)
{
    struct world *world = world_of(state);

    assert_int_equal(migrate_as(world, &world->settings).meaning, DB_DONE);
    assert_int_equal(side_int(world, "SELECT count(*) FROM schema_version"), MIGRATIONS);
}

static void test_two_migrate_at_once(void **state)
{
    struct world *world = world_of(state);
    struct db_settings settings = world->settings;
    struct reply lost[2] = {0}, reply[2] = {0};
    struct db_conn *conns[2];

    settings.schema = "uploader_twice";
    for (int i = 0; i < 2; i++)
        conns[i] = connect_as(world, &settings, &lost[i]);
    for (int i = 0; i < 2; i++)
        schema_migrate(conns[i], take_done, &reply[i]);
    for (int i = 0; i < 2; i++) {
        await(world, &reply[i].here);
        assert_no_error(&reply[i]);
        db_conn_close(conns[i]);
    }
    assert_int_equal(side_int(world, "SELECT count(*) FROM uploader_twice.schema_version"),
                     MIGRATIONS);
    side(world, "DROP SCHEMA uploader_twice CASCADE");
}

/* A migration that fails leaves nothing, and the connection usable for the next try. */
static void test_failed_migration_leaves_nothing(void **state)
{
    struct world *world = world_of(state);
    struct db_settings settings = world->settings;
    struct reply lost = {0}, reply = {0};

    settings.schema = "uploader_half";
    side(world, "CREATE SCHEMA uploader_half");
    side(world, "CREATE TABLE uploader_half.file_event ()");
    struct db_conn *conn = connect_as(world, &settings, &lost);
    schema_migrate(conn, take_done, &reply);
    await(world, &reply.here);
    assert_int_equal(reply.error.meaning, DB_DENIED);
    assert_string_equal(reply.error.error.sqlstate, "42P07");
    assert_int_equal(side_int(world, "SELECT count(*) FROM pg_class WHERE relnamespace = "
                                     "'uploader_half'::regnamespace"),
                     1);
    side(world, "DROP TABLE uploader_half.file_event");
    migrate(world, conn);
    db_conn_close(conn);
    side(world, "DROP SCHEMA uploader_half CASCADE");
}

static void test_newer_schema(void **state)
{
    struct world *world = world_of(state);

    side(world, "INSERT INTO schema_version VALUES (999)");
    struct db_error err = migrate_as(world, &world->settings);
    side(world, "DELETE FROM schema_version WHERE version = 999");
    assert_int_equal(err.meaning, DB_DENIED);
    assert_non_null(strstr(err.error.message, "has version 999, but this program knows versions "
                                              "up to 8"));
    assert_true(err.error.hint[0]);
}

/* Runs the commands of the hint, as who may. */
static void obey(struct world *world, const struct db_error *err)
{
    const char *commands = strstr(err->error.hint, ": ");
    char first[512];

    assert_non_null(commands);
    snprintf(first, sizeof first, "%s", commands + 2);
    char * or = strstr(first, "; or");
    if (or)
        * or = '\0';
    side(world, "%s", first);
}

/* Moves the tracker on this connection, by a role that does not own the tables. */
static void move_on(struct world *world, struct db_conn *conn, struct reply *reply, enum move m)
{
    const struct move_args args = {.owner = WORLD_OWNER, .asker = {-1, "few rights"}};
    struct tracker before = reply->tracker;

    *reply = (struct reply){0};
    tracker_move(conn, m, &before, &args, take_tracker, reply);
    await(world, &reply->here);
    assert_no_error(reply);
    assert_true(reply->found);
    tracker_fini(&before);
}

/* An upload and its rollback as this role, with the worker's part played by the session beside. */
static void use_as_service(struct world *world, const struct db_settings *settings,
                           const char *role, const char *quoted_schema)
{
    const struct move_args args = {
        .owner = WORLD_OWNER, .profile_text = "{}", .asker = {-1, "few rights"}};
    struct reply lost = {0}, reply = {0};
    struct db_conn *conn = connect_as(world, settings, &lost);

    tracker_create(conn, "/poor", "contacts", &args, take_tracker, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
    move_on(world, conn, &reply, MOVE_START);
    side(world, "SET ROLE %s; SET search_path = %s", role, quoted_schema);
    gate(world, &reply.tracker, 1, false);
    move_on(world, conn, &reply, MOVE_STOP);
    assert_int_equal(reply.tracker.line, 10);
    side(world, "SELECT pop_rows(%lld, 1, 10)", (long long)reply.tracker.id);
    side(world, "SELECT pop_chunks(%lld, %lld, %lld, 1, 1, 0)", (long long)reply.tracker.id,
         (long long)reply.tracker.epoch, (long long)reply.tracker.token);
    move_on(world, conn, &reply, MOVE_EMPTY);
    side(world, "RESET ROLE; SET search_path = " WORLD_QUOTED);
    reply_fini(&reply);
    db_conn_close(conn);
}

/* A role without rights is told which it lacks, in commands that work, step by step. */
static void test_rights(void **state)
{
    struct world *world = world_of(state);
    struct db_settings settings = world->settings;
    char role[ROLE_BYTES];

    snprintf(role, sizeof role, "uploader_poor_%d", (int)getpid());
    char *conninfo = mem_format("%s user=%s", world->settings.conninfo, role);
    settings.conninfo = conninfo;
    side(world, "CREATE ROLE %s LOGIN", role);

    settings.schema = "uploader_poor";
    struct db_error err = migrate_as(world, &settings);
    assert_int_equal(err.meaning, DB_DENIED);
    assert_non_null(strstr(err.error.message, "has no schema"));
    obey(world, &err);
    assert_int_equal(migrate_as(world, &settings).meaning, DB_DONE);
    use_as_service(world, &settings, role, "uploader_poor");
    side(world, "DROP SCHEMA uploader_poor CASCADE");

    side(world, "CREATE SCHEMA uploader_poor");
    err = migrate_as(world, &settings);
    assert_non_null(strstr(err.error.message, "lacks the service's tables"));
    obey(world, &err);
    assert_int_equal(migrate_as(world, &settings).meaning, DB_DONE);
    side(world, "DROP SCHEMA uploader_poor CASCADE");

    settings.schema = WORLD_SCHEMA;
    err = migrate_as(world, &settings);
    assert_non_null(strstr(err.error.message, "may not use the tables"));
    obey(world, &err);
    assert_int_equal(migrate_as(world, &settings).meaning, DB_DONE);
    use_as_service(world, &settings, role, WORLD_QUOTED);

    side(world, "DROP OWNED BY %s", role);
    side(world, "DROP ROLE %s", role);
    free(conninfo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_current_schema_is_left_alone),
        WORLD_TEST(test_two_migrate_at_once),
        WORLD_TEST(test_failed_migration_leaves_nothing),
        WORLD_TEST(test_newer_schema),
        WORLD_TEST(test_rights),
    };

    return cmocka_run_group_tests(tests, world_open, world_close);
}
