/* SPDX-License-Identifier: PostgreSQL */
/* Chunks on a real server: through BEGIN, COPY, gate and COMMIT, and out again. */
#include "tests/unit/db_upload.h"

#include "db/content.h"

static void test_chunk(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct reply chain = {0}, before = {0}, last = {0};
    char hash[64];

    upload_open(world, &upload);
    checkpoint_last(world->conn, upload.claim.tracker, take_last, &before);
    await(world, &before.here);
    assert_no_error(&before);
    assert_int_equal(before.count, 0);
    for (int64_t chunk = 1; chunk <= 3; chunk++)
        load_chunk(world, &upload, chunk);
    assert_rows(world, 30, 3);
    side_value(world, hash, sizeof hash,
               "SELECT encode(hash, 'hex') FROM file_checkpoint WHERE chunk_no = 3");
    assert_string_equal(hash, "01020303ff0000000000000000000000");
    checkpoints_read(world->conn, upload.claim.tracker, 1, 10, take_checkpoints, &chain);
    await(world, &chain.here);
    assert_no_error(&chain);
    assert_int_equal(chain.count, 2);
    assert_int_equal(chain.skipped, 3);
    checkpoint_last(world->conn, upload.claim.tracker, take_last, &last);
    await(world, &last.here);
    assert_int_equal(last.count, 3);
    assert_int_equal(last.skipped, 30);
    upload_fini(&upload);
}

/* A durable level of the operator's is left as it is; "off" is none. */
static void assert_pop_level(struct world *world, const char *configured, const char *expected)
{
    char *conninfo =
        mem_format("%s options='-c synchronous_commit=%s'", world->settings.conninfo, configured);
    struct db_settings settings = world->settings;
    struct db_conn *conn = world->conn;
    struct reply lost = {0};
    struct upload upload;

    world_clear((void **)&world);
    upload_open(world, &upload);
    load_chunk(world, &upload, 1);
    side(world, "UPDATE file_tracker SET wanted = 'stop'");
    side(world, "DELETE FROM seen");
    settings.conninfo = conninfo;
    world->conn = connect_as(world, &settings, &lost);
    struct reply reply = step_back(world, &upload, 10);
    assert_no_error(&reply);
    assert_seen(world, expected);
    db_conn_close(world->conn);
    world->conn = conn;
    upload_fini(&upload);
    free(conninfo);
}

/* A chunk in the middle need not be durable, one whose commit is acknowledged is; both settings end
 * with the transaction. */
static void test_durability(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    side(world, "CREATE TABLE seen (level text, timeout text)");
    side(world, "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT "
                "INTO " WORLD_QUOTED ".seen VALUES (current_setting('synchronous_commit'), "
                "current_setting('lock_timeout')); RETURN NULL; END$$");
    side(world, "CREATE TRIGGER look_in AFTER INSERT ON file_data FOR EACH STATEMENT "
                "EXECUTE FUNCTION look()");
    side(world, "CREATE TRIGGER look_out AFTER DELETE ON file_data FOR EACH STATEMENT "
                "EXECUTE FUNCTION look()");
    load_chunk(world, &upload, 1);
    assert_seen(world, "off 5s");
    side(world, "UPDATE file_tracker SET wanted = 'stop'");
    struct reply reply = step_back(world, &upload, 10);
    assert_no_error(&reply);
    upload_fini(&upload);
    assert_pop_level(world, "off", "on 0");
    assert_pop_level(world, "local", "local 0");
    side(world, "DROP FUNCTION look() CASCADE");
    side(world, "DROP TABLE seen");
}

static void test_fenced_at_begin(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    side(world, "UPDATE file_tracker SET epoch = epoch + 1");
    struct reply reply = begin(world, &upload, LOCK_TIMEOUT_MS);
    assert_int_equal(reply.error.meaning, DB_FENCED);
    rollback(world);
    upload_fini(&upload);
}

/* What may have moved between the look at BEGIN and the gate, each alone, and back. */
static const char *const moved[][2] = {
    {"wanted = 'stop'", "wanted = NULL"},
    {"epoch = epoch + 1", "epoch = epoch - 1"},
    {"token = token + 1", "token = token - 1"},
    {"owner = owner || 'x'", "owner = left(owner, -1)"},
    {"status = 'KILLED'", "status = 'PROCESSING'"},
    {"status = 'INITIALIZING'", "status = 'PROCESSING'"},
};

static void assert_fenced(struct world *world, const struct upload *upload, const char *there,
                          const char *back)
{
    struct reply reply = send_chunk(world, upload, 2);

    assert_no_error(&reply);
    side(world, "UPDATE file_tracker SET %s", there);
    reply = commit(world, upload, 2);
    assert_int_equal(reply.error.meaning, DB_FENCED);
    assert_string_equal(reply.error.error.sqlstate, "UP001");
    rollback(world);
    assert_rows(world, 10, 1);
    side(world, "UPDATE file_tracker SET %s", back);
}

static void take_content(void *arg, const struct owner_of_content *found,
                         const struct db_error *err)
{
    struct reply *reply = arg;

    reply->count = found ? found->tracker : 0;
    take_error(reply, err);
    reply->here = true;
}

static struct reply claim(struct world *world, const struct upload *upload, int64_t size)
{
    static const unsigned char hash[CHECKPOINT_HASH_BYTES] = {1, 2, 3};
    struct reply reply = {0};

    content_claim(world->conn, &upload->claim, hash, size, false, take_content, &reply);
    await(world, &reply.here);
    return reply;
}

static void test_fenced_at_claim(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
        side(world, "UPDATE file_tracker SET %s", moved[i][0]);
        struct reply reply = claim(world, &upload, 1);
        assert_int_equal(reply.error.meaning, DB_FENCED);
        side(world, "UPDATE file_tracker SET %s", moved[i][1]);
    }
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_content"), 0);
    upload_fini(&upload);
}

/* What another has, and from when on it does not count any more. */
static void test_claim(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct reply reply;

    upload_open(world, &upload);
    side(world, "INSERT INTO file_tracker (id, path, profile, profile_text, status, owner, epoch)"
                " OVERRIDING SYSTEM VALUE"
                " SELECT 99, '/other', profile, '{}', 'PROCESSING', 'x', 7 FROM file_tracker");
    side(world, "INSERT INTO file_content SELECT 99, 7, 1, hash FROM"
                " (SELECT decode('010203' || repeat('00', 13), 'hex') AS hash) AS h");
    reply = claim(world, &upload, 1);
    assert_no_error(&reply);
    assert_int_equal(reply.count, 99);
    reply = claim(world, &upload, 2); /* a size of its own */
    assert_int_equal(reply.count, 0);
    side(world, "UPDATE file_tracker SET profile = 'other' WHERE id = 99");
    reply = claim(world, &upload, 1);
    assert_int_equal(reply.count, 0);
    side(world, "UPDATE file_tracker SET profile = o.profile, epoch = 8 FROM file_tracker AS o"
                " WHERE file_tracker.id = 99 AND o.id <> 99");
    reply = claim(world, &upload, 1); /* another epoch than that in which it was taken */
    assert_int_equal(reply.count, 0);
    side(world, "UPDATE file_tracker SET status = 'PROCESSED' WHERE id = 99");
    reply = claim(world, &upload, 1);
    assert_int_equal(reply.count, 99);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_content"), 1);
    upload_fini(&upload);
}

static void test_fenced_at_gate(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    load_chunk(world, &upload, 1);
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++)
        assert_fenced(world, &upload, moved[i][0], moved[i][1]);
    load_chunk(world, &upload, 2);
    assert_rows(world, 20, 2);
    upload_fini(&upload);
}

static void test_chain_is_unbroken(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    struct reply reply = send_chunk(world, &upload, 2);
    assert_no_error(&reply);
    reply = commit(world, &upload, 2);
    assert_int_equal(reply.error.meaning, DB_FENCED);
    assert_string_equal(reply.error.error.sqlstate, "UP002");
    assert_rows(world, 0, 0);
    rollback(world);
    upload_fini(&upload);
}

/* Neither a checkpoint without its rows nor rows without the gate. */
static void test_only_inside_a_transaction(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct reply copy = {0};

    upload_open(world, &upload);
    struct reply reply = commit(world, &upload, 1);
    assert_int_equal(reply.error.meaning, DB_DENIED);
    copy_begin(world->conn, COPY_ROWS, take_done, &copy);
    await(world, &copy.here);
    assert_int_equal(copy.error.meaning, DB_DENIED);
    reply = copy_close(world, NULL);
    assert_int_equal(reply.error.meaning, DB_DENIED);
    assert_rows(world, 0, 0);
    load_chunk(world, &upload, 1);
    upload_fini(&upload);
}

/* What the COMMIT itself refuses is no success: a deferred trigger here, which another one defers
 * again, for chunk_begin has made it immediate. */
static void test_refused_by_commit(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    side(world, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN RAISE EXCEPTION 'never'; END$$");
    side(world, "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON file_data DEFERRABLE "
                "INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()");
    side(world, "CREATE FUNCTION defer() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN SET CONSTRAINTS ALL DEFERRED; RETURN NEW; END$$");
    side(world, "CREATE TRIGGER early BEFORE INSERT ON file_data FOR EACH ROW "
                "EXECUTE FUNCTION defer()");
    struct reply reply = send_chunk(world, &upload, 1);
    assert_no_error(&reply);
    reply = commit(world, &upload, 1);
    assert_int_equal(reply.error.meaning, DB_DATA);
    assert_string_equal(reply.error.error.message, "never");
    assert_rows(world, 0, 0);
    side(world, "DROP FUNCTION refuse() CASCADE");
    side(world, "DROP FUNCTION defer() CASCADE");
    load_chunk(world, &upload, 1);
    upload_fini(&upload);
}

static void assert_needs_one_lane(struct world *world, bool expected)
{
    struct reply reply = {0};

    target_inspect(world->conn, take_flag, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
    assert_int_equal(reply.count, expected);
}

static void test_target(void **state)
{
    struct world *world = world_of(state);

    assert_needs_one_lane(world, false);
    side(world, "CREATE INDEX plain ON file_data (email)");
    assert_needs_one_lane(world, false);
    side(world, "CREATE UNIQUE INDEX once ON file_data (email) WHERE name <> ''");
    assert_needs_one_lane(world, true);
    side(world, "DROP INDEX once, plain");
    side(world, "ALTER TABLE file_data ADD EXCLUDE USING hash (email WITH =)");
    assert_needs_one_lane(world, true);
    side(world, "ALTER TABLE file_data DROP CONSTRAINT file_data_email_excl");
    side(world, "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN RETURN NULL; END$$");
    side(world, "CREATE TRIGGER nothing AFTER INSERT ON file_data FOR EACH STATEMENT "
                "EXECUTE FUNCTION nothing()");
    assert_needs_one_lane(world, true);
    side(world, "DROP FUNCTION nothing() CASCADE");
    assert_needs_one_lane(world, false);
}

static void test_pop(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct reply summarized = {0};

    upload_open(world, &upload);
    for (int64_t chunk = 1; chunk <= 5; chunk++)
        load_chunk(world, &upload, chunk);
    struct reply reply = step_back(world, &upload, 10); /* nobody wants a stop */
    assert_int_equal(reply.error.meaning, DB_FENCED);
    assert_rows(world, 50, 5);

    side(world, "UPDATE file_tracker SET wanted = 'stop'");
    target_summarize(world->conn, take_done, &summarized);
    reply = step_back(world, &upload, 20);
    assert_true(summarized.here);
    assert_no_error(&summarized);
    assert_int_equal(reply.count, 3);
    assert_int_equal(reply.skipped, 30);
    assert_rows(world, 30, 3);
    reply = step_back(world, &upload, 1);
    assert_int_equal(reply.count, 2);
    reply = step_back(world, &upload, 1000);
    assert_no_error(&reply);
    assert_int_equal(reply.count, 0);
    assert_rows(world, 0, 0);
    assert_false(plan(world, &upload, 0, 1000).reply.found);
    upload_fini(&upload);
}

/* Rows go before the gate, but for everybody else only with it; and only the newest chunks pass. */
static void test_pop_in_two(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    for (int64_t chunk = 1; chunk <= 5; chunk++)
        load_chunk(world, &upload, chunk);
    side(world, "UPDATE file_tracker SET wanted = 'stop'");
    struct planned newest = plan(world, &upload, 0, 15), older = plan(world, &upload, 4, 1);
    assert_int_equal(newest.step.first_chunk, 4);
    assert_int_equal(newest.step.last_chunk, 5);
    assert_int_equal(newest.step.first_line, 31);
    assert_int_equal(older.step.first_chunk, 3);
    assert_int_equal(older.step.last_chunk, 3);
    assert_false(plan(world, &upload, 1, 1).reply.found);

    struct reply reply = take_out(world, &upload, &older.step);
    assert_int_equal(reply.count, 10);
    assert_rows(world, 50, 5);
    reply = pop(world, &upload, &older.step, 10);
    assert_int_equal(reply.error.meaning, DB_CONFLICT);
    assert_rows(world, 50, 5);

    reply = take_out(world, &upload, &newest.step);
    assert_int_equal(reply.count, 20);
    side(world, "UPDATE file_tracker SET epoch = epoch + 1");
    reply = pop(world, &upload, &newest.step, 20);
    assert_int_equal(reply.error.meaning, DB_FENCED);
    assert_rows(world, 50, 5);
    upload_fini(&upload);
}

/* A lock that is not had in time is a conflict, after which the transaction can be ended. */
static void test_pop_waits_no_longer(void **state)
{
    struct world *world = world_of(state);
    struct reply reply = {0};
    struct upload upload;

    upload_open(world, &upload);
    load_chunk(world, &upload, 1);
    side(world, "UPDATE file_tracker SET wanted = 'stop'");
    struct planned planned = plan(world, &upload, 0, 1);
    side(world, "BEGIN");
    side(world, "LOCK TABLE file_data IN SHARE MODE");
    pop_rows(world->conn, upload.claim.tracker, &planned.step, 100, take_count, &reply);
    await(world, &reply.here);
    assert_int_equal(reply.error.meaning, DB_CONFLICT);
    side(world, "ROLLBACK");
    rollback(world);
    reply = step_back(world, &upload, 1);
    assert_no_error(&reply);
    assert_rows(world, 0, 0);
    upload_fini(&upload);
}

static void let_index_hear(struct world *world, bool hears)
{
    side(world,
         "UPDATE pg_index SET indisready = %s WHERE indexrelid = 'file_data_place'::regclass",
         hears ? "true" : "false");
}

/* Its chunks, one after the other; the others' rows stay. */
static void step_all_back(struct world *world, const struct upload *upload, int64_t chunks,
                          int64_t others)
{
    for (int64_t left = chunks - 1; left >= 0; left--) {
        struct reply reply = step_back(world, upload, 1);
        assert_no_error(&reply);
        assert_rows(world, others + 10 * left, left);
    }
}

/* A chunk that loads into pages of its own and is followed by others' rows, then one whose place
 * is not known, and one that is not where its checkpoint says. */
static void test_pop_by_place(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    load_chunk(world, &upload, 1);
    side(world, "INSERT INTO file_data (file_tracker_id, line_no, name, email) "
                "SELECT 0, n, 'another', 'file' FROM generate_series(1, 2000) AS n");
    for (int64_t chunk = 2; chunk <= 4; chunk++)
        load_chunk(world, &upload, chunk);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_checkpoint WHERE chunk_no = 1 "
                                     "AND from_block = 0 AND to_block = 0"),
                     1);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_checkpoint WHERE chunk_no > 1 "
                                     "AND from_block > 10 AND to_block >= from_block"),
                     3);
    side(world, "UPDATE file_tracker SET wanted = 'stop'");
    side(world, "UPDATE file_checkpoint SET from_block = 5000, to_block = 5000 WHERE chunk_no = 4");
    side(world, "UPDATE file_checkpoint SET from_block = NULL, to_block = NULL WHERE chunk_no = 3");
    step_all_back(world, &upload, 4, 2000);
    upload_fini(&upload);
}

static int64_t remove_before(struct world *world, int64_t block)
{
    char *sql = mem_format("SELECT remove_close_before((SELECT id FROM file_tracker), 11, 20, "
                           "%lld, 10)",
                           (long long)block);

    side(world, "BEGIN");
    int64_t removed = side_int(world, sql);
    side(world, "ROLLBACK");
    free(sql);
    return removed;
}

/* A chunk that begins in the page that its session filled last, while others have made many. */
static void test_pop_of_rows_close_before_their_place(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    side(world, "ALTER TABLE file_data ALTER name SET STORAGE PLAIN");
    load_chunk(world, &upload, 1);
    side(world, "INSERT INTO file_data (file_tracker_id, line_no, name, email) "
                "SELECT 0, n, repeat('n', CASE n WHEN 1 THEN 6900 ELSE 8060 END), 'another' "
                "FROM generate_series(1, 600) AS n");
    load_chunk(world, &upload, 2);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_checkpoint AS c WHERE chunk_no = 2 "
                                     "AND lower(place_of(c)) > 0"),
                     1);
    int64_t before = side_int(world, "SELECT count(*) FROM file_data WHERE ctid < '(1,0)' "
                                     "AND line_no BETWEEN 11 AND 20");
    assert_in_range(before, 1, 4);
    assert_int_equal(remove_before(world, 1), before);
    assert_int_equal(remove_before(world, 4096 + 16384 + 65536), 10);
    assert_int_equal(remove_before(world, 4096 + 16384 + 65536 + 1), 10 - before);

    side(world, "ALTER FUNCTION remove_found RENAME TO remove_found_out_of_reach");
    side(world, "UPDATE file_tracker SET wanted = 'stop'");
    step_all_back(world, &upload, 2, 600);
    side(world, "ALTER FUNCTION remove_found_out_of_reach RENAME TO remove_found");
    side(world, "ALTER TABLE file_data ALTER name SET STORAGE EXTENDED");
    upload_fini(&upload);
}

/* An index that has lost rows: all of them are taken out all the same. */
static void test_pop_of_rows_that_the_index_has_lost(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    load_chunk(world, &upload, 1);
    side(world, "SELECT brin_summarize_new_values('file_data_place')");
    let_index_hear(world, false);
    load_chunk(world, &upload, 2);
    let_index_hear(world, true);
    side(world, "SET enable_seqscan = off");
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_data WHERE file_tracker_id = "
                                     "(SELECT id FROM file_tracker) AND line_no > 10"),
                     0);
    side(world, "RESET enable_seqscan");
    assert_rows(world, 20, 2);

    side(world, "UPDATE file_checkpoint SET from_block = NULL");
    side(world, "UPDATE file_tracker SET wanted = 'stop'");
    struct reply reply = step_back(world, &upload, 10);
    assert_no_error(&reply);
    assert_rows(world, 10, 1);
    reply = step_back(world, &upload, 10);
    assert_no_error(&reply);
    assert_rows(world, 0, 0);
    upload_fini(&upload);
}

/* Somebody has deleted rows: a rollback finds fewer than were counted, and goes on. */
static void test_pop_of_rows_that_are_gone(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    for (int64_t chunk = 1; chunk <= 3; chunk++)
        load_chunk(world, &upload, chunk);
    side(world, "DELETE FROM file_data WHERE line_no IN (2, 25)");
    side(world, "UPDATE file_tracker SET wanted = 'stop'");
    struct reply reply = step_back(world, &upload, 10);
    assert_no_error(&reply);
    assert_rows(world, 19, 2);
    reply = step_back(world, &upload, 1000);
    assert_no_error(&reply);
    assert_rows(world, 0, 0);
    upload_fini(&upload);
}

/* What goes wrong with the summary is of no consequence. */
static void test_summary_gives_up(void **state)
{
    struct world *world = world_of(state);
    struct reply reply = {0};

    side(world, "BEGIN");
    side(world, "LOCK TABLE file_data IN SHARE UPDATE EXCLUSIVE MODE");
    target_summarize(world->conn, take_done, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
    side(world, "ROLLBACK");
    assert_needs_one_lane(world, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_chunk),
        WORLD_TEST(test_durability),
        WORLD_TEST(test_fenced_at_begin),
        WORLD_TEST(test_fenced_at_gate),
        WORLD_TEST(test_fenced_at_claim),
        WORLD_TEST(test_claim),
        WORLD_TEST(test_chain_is_unbroken),
        WORLD_TEST(test_only_inside_a_transaction),
        WORLD_TEST(test_refused_by_commit),
        WORLD_TEST(test_target),
        WORLD_TEST(test_pop),
        WORLD_TEST(test_pop_in_two),
        WORLD_TEST(test_pop_waits_no_longer),
        WORLD_TEST(test_pop_by_place),
        WORLD_TEST(test_pop_of_rows_close_before_their_place),
        WORLD_TEST(test_pop_of_rows_that_the_index_has_lost),
        WORLD_TEST(test_pop_of_rows_that_are_gone),
        WORLD_TEST(test_summary_gives_up),
    };

    return cmocka_run_group_tests_name("db_chunks", tests, world_open, world_close);
}
