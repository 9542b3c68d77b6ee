/* SPDX-License-Identifier: PostgreSQL */
/* Chunks on a real server: through BEGIN, COPY, gate and COMMIT, and all that can come between. */
#include "tests/unit/db_world.h"

#include "db/chunks.h"

#include <arpa/inet.h>
#include <endian.h>
#include <malloc.h>

#define LOCK_TIMEOUT_MS 5000

/* Bytes of a COPY in binary format. */
struct bytes {
    char *data;
    size_t size, capacity;
};

static void put(struct bytes *bytes, const void *data, size_t size)
{
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = (bytes->size + size) * 2;
        bytes->data = mem_resize(bytes->data, bytes->capacity, 1);
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static void put_count(struct bytes *bytes, int16_t count)
{
    uint16_t wire = htons((uint16_t)count);

    put(bytes, &wire, sizeof wire);
}

static void put_field(struct bytes *bytes, const void *data, size_t size)
{
    uint32_t wire = htonl((uint32_t)size);

    put(bytes, &wire, sizeof wire);
    put(bytes, data, size);
}

static void put_int64(struct bytes *bytes, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);

    put_field(bytes, &wire, sizeof wire);
}

static void put_text(struct bytes *bytes, const char *text)
{
    put_field(bytes, text, strlen(text));
}

static void put_head(struct bytes *bytes)
{
    put(bytes, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
}

static void put_row(struct bytes *bytes, int64_t tracker, int64_t line, const char *name)
{
    put_count(bytes, 4);
    put_int64(bytes, tracker);
    put_int64(bytes, line);
    put_text(bytes, name);
    put_text(bytes, "somebody@example.org");
}

static void put_rows(struct bytes *bytes, int64_t tracker, int64_t first, int64_t last)
{
    char name[32];

    for (int64_t line = first; line <= last; line++) {
        snprintf(name, sizeof name, "name %lld", (long long)line);
        put_row(bytes, tracker, line, name);
    }
}

/* ---- answers ---- */

static void take_checkpoints(void *arg, const struct checkpoint *checkpoints, size_t count,
                             const struct db_error *err)
{
    struct reply *reply = arg;

    take_error(reply, err);
    reply->count = (int64_t)count;
    reply->skipped = count > 0 ? checkpoints[count - 1].chunk_no : 0;
}

static void take_flag(void *arg, bool yes, const struct db_error *err)
{
    struct reply *reply = arg;

    take_error(reply, err);
    reply->count = yes;
}

static void take_popped(void *arg, const struct checkpoint *left, const struct db_error *err)
{
    struct reply *reply = arg;

    take_error(reply, err);
    reply->count = left ? left->chunk_no : 0;
    reply->skipped = left ? left->last_line : 0;
}

static void take_drained(void *arg)
{
    struct reply *reply = arg;

    reply->here = true;
    reply->times++;
}

/* ---- an upload in PROCESSING ---- */

struct upload {
    struct reply reply;
    struct claim claim;
};

static void upload_open(struct world *world, struct upload *upload)
{
    *upload = (struct upload){0};
    create(world, &upload->reply, "/chunks.csv", WORLD_OWNER);
    move(world, &upload->reply, MOVE_START);
    assert_no_error(&upload->reply);
    const struct tracker *tracker = &upload->reply.tracker;
    upload->claim = (struct claim){tracker->id, tracker->epoch, tracker->token, WORLD_OWNER};
}

static void upload_fini(struct upload *upload)
{
    reply_fini(&upload->reply);
}

/* Ten records a chunk, 100 bytes. */
static struct checkpoint checkpoint_of(int64_t chunk, bool final)
{
    return (struct checkpoint){.chunk_no = chunk,
                               .first_line = chunk * 10 - 9,
                               .last_line = chunk * 10,
                               .start_offset = chunk * 100 - 100,
                               .end_offset = chunk * 100,
                               .row_count = 10,
                               .hash = {1, 2, 3, (unsigned char)chunk, 255},
                               .final = final};
}

static struct reply begin(struct world *world, const struct upload *upload, int64_t timeout_ms)
{
    struct reply reply = {0};

    chunk_begin(world->conn, &upload->claim, false, timeout_ms, take_done, &reply);
    await(world, &reply.here);
    return reply;
}

static void copy_open(struct world *world, enum copy_target target)
{
    struct reply reply = {0};

    copy_begin(world->conn, target, take_done, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
}

static struct reply copy_close(struct world *world, const char *abort_reason)
{
    struct reply reply = {0};

    copy_end(world->conn, abort_reason, take_count, &reply);
    await(world, &reply.here);
    return reply;
}

static struct reply rollback(struct world *world)
{
    struct reply reply = {0};

    chunk_rollback(world->conn, take_done, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
    return reply;
}

static struct reply commit(struct world *world, const struct upload *upload, int64_t chunk)
{
    struct reply reply = {0};
    struct checkpoint checkpoint = checkpoint_of(chunk, false);

    chunk_commit(world->conn, &upload->claim, &checkpoint, take_done, &reply);
    await(world, &reply.here);
    return reply;
}

/* BEGIN and the COPY of a chunk's ten rows; the answer is the COPY's. */
static struct reply send_chunk(struct world *world, const struct upload *upload, int64_t chunk)
{
    struct bytes bytes = {0};
    struct reply reply = begin(world, upload, LOCK_TIMEOUT_MS);

    assert_no_error(&reply);
    copy_open(world, COPY_ROWS);
    put_head(&bytes);
    put_rows(&bytes, upload->claim.tracker, chunk * 10 - 9, chunk * 10);
    put_count(&bytes, -1);
    copy_put(world->conn, bytes.data, bytes.size);
    free(bytes.data);
    return copy_close(world, NULL);
}

static void load_chunk(struct world *world, const struct upload *upload, int64_t chunk)
{
    struct reply reply = send_chunk(world, upload, chunk);

    assert_no_error(&reply);
    assert_int_equal(reply.count, 10);
    reply = commit(world, upload, chunk);
    assert_no_error(&reply);
}

static struct reply pop(struct world *world, const struct upload *upload, int64_t max_rows)
{
    struct reply reply = {0};

    chunks_pop(world->conn, &upload->claim, max_rows, take_popped, &reply);
    await(world, &reply.here);
    return reply;
}

static void assert_seen(struct world *world, const char *last)
{
    char value[64];

    side_value(world, value, sizeof value, "DELETE FROM seen RETURNING level || ' ' || timeout");
    assert_string_equal(value, last);
}

static void assert_rows(struct world *world, int64_t rows, int64_t checkpoints)
{
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_data"), rows);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_checkpoint"), checkpoints);
}

/* ---- tests ---- */

static void test_chunk(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct reply chain = {0};
    char hash[64];

    upload_open(world, &upload);
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
    struct reply reply = pop(world, &upload, 10);
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
    struct reply reply = pop(world, &upload, 10);
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

static void test_fenced_at_gate(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    load_chunk(world, &upload, 1);
    struct reply reply = send_chunk(world, &upload, 2);
    assert_no_error(&reply);
    side(world, "UPDATE file_tracker SET wanted = 'stop'");
    reply = commit(world, &upload, 2);
    assert_int_equal(reply.error.meaning, DB_FENCED);
    assert_string_equal(reply.error.error.sqlstate, "UP001");
    rollback(world);
    assert_rows(world, 10, 1);
    side(world, "UPDATE file_tracker SET wanted = NULL");
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

/* What the COMMIT itself refuses, a deferred trigger here, is no success. */
static void test_refused_by_commit(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    side(world, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN RAISE EXCEPTION 'never'; END$$");
    side(world, "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON file_data DEFERRABLE "
                "INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()");
    struct reply reply = send_chunk(world, &upload, 1);
    assert_no_error(&reply);
    reply = commit(world, &upload, 1);
    assert_int_equal(reply.error.meaning, DB_DATA);
    assert_string_equal(reply.error.error.message, "never");
    assert_rows(world, 0, 0);
    side(world, "DROP FUNCTION refuse() CASCADE");
    load_chunk(world, &upload, 1);
    upload_fini(&upload);
}

static void test_copy_refused(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct bytes bytes = {0};

    upload_open(world, &upload);
    begin(world, &upload, LOCK_TIMEOUT_MS);
    copy_open(world, COPY_ROWS);
    put_head(&bytes);
    put_rows(&bytes, upload.claim.tracker, 1, 5);
    put_row(&bytes, upload.claim.tracker, 6, "not UTF-8: \xff");
    copy_put(world->conn, bytes.data, bytes.size);
    bytes.size = 0;
    put_rows(&bytes, upload.claim.tracker, 7, 1000);
    size_t puts = 0; /* until the server's word is heard, long before a big chunk's end */
    while (!copy_broken(world->conn)) {
        assert_true(puts++ < 1000);
        copy_put(world->conn, bytes.data, bytes.size);
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    struct reply reply = copy_close(world, "broken");
    assert_int_equal(reply.error.meaning, DB_DATA);
    assert_string_equal(reply.error.error.sqlstate, "22021");
    assert_int_equal(reply.error.error.code, ERR_DATA_REFUSED);
    reply = commit(world, &upload, 1); /* as the transaction failed */
    assert_int_equal(reply.error.meaning, DB_DATA);
    rollback(world);
    load_chunk(world, &upload, 1);
    assert_rows(world, 10, 1);
    free(bytes.data);
    upload_fini(&upload);
}

static void test_copy_aborted(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct bytes bytes = {0};

    upload_open(world, &upload);
    begin(world, &upload, LOCK_TIMEOUT_MS);
    copy_open(world, COPY_ROWS);
    put_head(&bytes);
    put_rows(&bytes, upload.claim.tracker, 1, 10);
    copy_put(world->conn, bytes.data, bytes.size);
    struct reply reply = copy_close(world, "a stop is wanted");
    assert_string_equal(reply.error.error.sqlstate, "57014");
    rollback(world);
    assert_rows(world, 0, 0);
    free(bytes.data);
    upload_fini(&upload);
}

/* The backend dies in the middle of a COPY: the question is answered, then the owner is told. */
static void test_lost_in_copy(void **state)
{
    struct world *world = world_of(state);
    struct db_conn *conn = world->conn;
    struct reply lost = {0}, drained = {0};
    struct bytes bytes = {0};
    struct upload upload;

    upload_open(world, &upload);
    world->conn = connect_as(world, &world->settings, &lost);
    begin(world, &upload, LOCK_TIMEOUT_MS);
    copy_open(world, COPY_ROWS);
    put_head(&bytes);
    put_rows(&bytes, upload.claim.tracker, 1, 10);
    copy_put(world->conn, bytes.data, bytes.size);
    side(world, "SELECT pg_terminate_backend(%d, 5000)", db_conn_backend_pid(world->conn));
    copy_when_drained(world->conn, take_drained, &drained);
    struct reply reply = copy_close(world, NULL);
    assert_int_equal(reply.error.meaning, DB_LOST);
    assert_string_equal(reply.error.error.sqlstate, "57P01");
    await(world, &lost.here);
    assert_true(drained.here);
    assert_string_equal(lost.error.error.sqlstate, "57P01");
    assert_true(copy_broken(world->conn));
    copy_put(world->conn, bytes.data, bytes.size); /* is dropped */
    reply = commit(world, &upload, 1);
    assert_int_equal(reply.error.meaning, DB_LOST);
    assert_rows(world, 0, 0);
    db_conn_close(world->conn);
    world->conn = conn;
    free(bytes.data);
    upload_fini(&upload);
}

/* From here on a COPY stops at its first row, until the session beside lets it go. */
static void hold_up(struct world *world)
{
    side(world, "CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN PERFORM pg_advisory_xact_lock_shared(815); RETURN NEW; END$$");
    side(world, "CREATE TRIGGER hold_up BEFORE INSERT ON file_data FOR EACH ROW "
                "EXECUTE FUNCTION hold_up()");
    side(world, "SELECT pg_advisory_lock(815)");
}

static void let_go(struct world *world)
{
    side(world, "SELECT pg_advisory_unlock(815)");
}

static void hold_up_no_more(struct world *world)
{
    side(world, "DROP FUNCTION hold_up() CASCADE");
}

/* Puts rows until no more should be put; answers how many. */
static int64_t fill(struct world *world, const struct upload *upload)
{
    struct bytes bytes = {0};
    int64_t rows = 0;

    put_head(&bytes);
    for (; !copy_full(world->conn); rows += 1000) {
        put_rows(&bytes, upload->claim.tracker, rows + 1, rows + 1000);
        copy_put(world->conn, bytes.data, bytes.size);
        bytes.size = 0;
        assert_true(rows < 1000000);
    }
    free(bytes.data);
    return rows;
}

/* A server that takes nothing: what waits for it in this process is bounded. */
static void test_copy_full(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct reply drained = {0};
    struct bytes bytes = {0};

    upload_open(world, &upload);
    hold_up(world);
    struct reply reply = begin(world, &upload, 0);
    assert_no_error(&reply);
    copy_open(world, COPY_ROWS);
    size_t before = mallinfo2().uordblks;
    int64_t rows = fill(world, &upload);
    assert_true(mallinfo2().uordblks < before + 2 * 1024 * 1024);
    copy_when_drained(world->conn, take_drained, &drained);
    expect_silence(world, &drained, 100);
    let_go(world);
    await(world, &drained.here);
    assert_false(copy_full(world->conn) || copy_broken(world->conn));

    put_count(&bytes, -1);
    copy_put(world->conn, bytes.data, bytes.size);
    reply = copy_close(world, NULL);
    assert_no_error(&reply);
    assert_int_equal(reply.count, rows);
    assert_int_equal(drained.times, 1);
    rollback(world);
    hold_up_no_more(world);
    free(bytes.data);
    upload_fini(&upload);
}

/* Lanes that block each other: the lock's time limit ends the COPY, and who waits hears of it. */
static void test_lock_timeout(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct reply drained = {0};

    upload_open(world, &upload);
    hold_up(world);
    struct reply reply = begin(world, &upload, 200);
    assert_no_error(&reply);
    copy_open(world, COPY_ROWS);
    fill(world, &upload);
    copy_when_drained(world->conn, take_drained, &drained);
    await(world, &drained.here);
    assert_true(copy_broken(world->conn));
    reply = copy_close(world, "broken");
    assert_int_equal(reply.error.meaning, DB_CONFLICT);
    assert_string_equal(reply.error.error.sqlstate, "55P03");
    rollback(world);
    let_go(world);
    hold_up_no_more(world);
    load_chunk(world, &upload, 1);
    upload_fini(&upload);
}

/* What a trigger says to all clients is no failure of the COPY. */
static void test_notice_in_copy(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct bytes bytes = {0};

    upload_open(world, &upload);
    side(world, "CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN RAISE WARNING 'hear'; RAISE INFO 'hear, hear'; RETURN NEW; END$$");
    side(world, "CREATE TRIGGER say BEFORE INSERT ON file_data FOR EACH ROW "
                "EXECUTE FUNCTION say()");
    begin(world, &upload, LOCK_TIMEOUT_MS);
    copy_open(world, COPY_ROWS);
    put_head(&bytes);
    put_rows(&bytes, upload.claim.tracker, 1, 1000);
    copy_put(world->conn, bytes.data, bytes.size);
    struct reply quiet = {0};
    expect_silence(world, &quiet, 100);
    assert_false(copy_broken(world->conn));
    bytes.size = 0;
    put_count(&bytes, -1);
    copy_put(world->conn, bytes.data, bytes.size);
    struct reply reply = copy_close(world, NULL);
    assert_no_error(&reply);
    assert_int_equal(reply.count, 1000);
    rollback(world);
    side(world, "DROP FUNCTION say() CASCADE");
    free(bytes.data);
    upload_fini(&upload);
}

static void assert_needs_one_lane(struct world *world, bool expected)
{
    struct reply reply = {0};

    target_needs_one_lane(world->conn, take_flag, &reply);
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
    hold_up(world);
    let_go(world);
    assert_needs_one_lane(world, true);
    hold_up_no_more(world);
    assert_needs_one_lane(world, false);
}

static void test_unique(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;

    upload_open(world, &upload);
    side(world, "CREATE UNIQUE INDEX once ON file_data (email)");
    struct reply reply = send_chunk(world, &upload, 1);
    assert_int_equal(reply.error.meaning, DB_DATA);
    assert_string_equal(reply.error.error.sqlstate, "23505");
    assert_null(strstr(reply.error.error.message, "somebody"));
    assert_string_equal(reply.error.error.detail, "");
    rollback(world);
    side(world, "DROP INDEX once");
    load_chunk(world, &upload, 1);
    upload_fini(&upload);
}

static void put_reject(struct bytes *bytes, int64_t tracker, int64_t line)
{
    put_count(bytes, 7);
    put_int64(bytes, tracker);
    put_int64(bytes, line);
    put_int64(bytes, line * 10);
    put_int64(bytes, 3);
    put_text(bytes, "a field too many");
    put_text(bytes, "22P04");
    put_field(bytes, "a\0\xff", 3);
}

/* The same reject again is a matter of fencing: no data makes it. */
static void test_rejects(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct bytes bytes = {0};

    upload_open(world, &upload);
    put_head(&bytes);
    put_reject(&bytes, upload.claim.tracker, 1);
    put_reject(&bytes, upload.claim.tracker, 2);
    size_t once = bytes.size;
    put_count(&bytes, -1);
    begin(world, &upload, LOCK_TIMEOUT_MS);
    copy_open(world, COPY_REJECTS);
    copy_put(world->conn, bytes.data, bytes.size);
    struct reply reply = copy_close(world, NULL);
    assert_no_error(&reply);
    assert_int_equal(reply.count, 2);

    bytes.size = once;
    put_reject(&bytes, upload.claim.tracker, 2);
    put_count(&bytes, -1);
    copy_open(world, COPY_REJECTS);
    copy_put(world->conn, bytes.data, bytes.size);
    reply = copy_close(world, NULL);
    assert_int_equal(reply.error.meaning, DB_FENCED);
    rollback(world);
    free(bytes.data);
    upload_fini(&upload);
}

static void test_pop(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct reply summarized = {0};

    upload_open(world, &upload);
    for (int64_t chunk = 1; chunk <= 5; chunk++)
        load_chunk(world, &upload, chunk);
    struct reply reply = pop(world, &upload, 10); /* nobody wants a stop */
    assert_int_equal(reply.error.meaning, DB_FENCED);
    assert_rows(world, 50, 5);

    side(world, "UPDATE file_tracker SET wanted = 'stop'");
    target_summarize(world->conn, take_done, &summarized);
    reply = pop(world, &upload, 20);
    assert_true(summarized.here);
    assert_no_error(&summarized);
    assert_int_equal(reply.count, 3);
    assert_int_equal(reply.skipped, 30);
    assert_rows(world, 30, 3);
    reply = pop(world, &upload, 1);
    assert_int_equal(reply.count, 2);
    reply = pop(world, &upload, 1000);
    assert_no_error(&reply);
    assert_int_equal(reply.count, 0);
    reply = pop(world, &upload, 1000);
    assert_no_error(&reply);
    assert_int_equal(reply.count, 0);
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
        WORLD_TEST(test_chain_is_unbroken),
        WORLD_TEST(test_only_inside_a_transaction),
        WORLD_TEST(test_refused_by_commit),
        WORLD_TEST(test_copy_refused),
        WORLD_TEST(test_copy_aborted),
        WORLD_TEST(test_lost_in_copy),
        WORLD_TEST(test_copy_full),
        WORLD_TEST(test_lock_timeout),
        WORLD_TEST(test_notice_in_copy),
        WORLD_TEST(test_target),
        WORLD_TEST(test_unique),
        WORLD_TEST(test_rejects),
        WORLD_TEST(test_pop),
        WORLD_TEST(test_summary_gives_up),
    };

    return cmocka_run_group_tests_name("db_chunks", tests, world_open, world_close);
}
