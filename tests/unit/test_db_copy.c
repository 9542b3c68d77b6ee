/* SPDX-License-Identifier: PostgreSQL */
/* The COPY of a chunk on a real server, and all that can end it: the server, its triggers, locks
 * and constraints, the worker, the loss of the connection. */
#include "db/session.h"
#include "tests/unit/db_upload.h"

#include <limits.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int full_polls; /* so many looks at a socket find no room in it */
static bool full;      /* the last one did */

/* In place of the library's, for copy.c looks with them before it sends. */
int ioctl(int fd, unsigned long request, ...)
{
    va_list args;

    va_start(args, request);
    int *value = va_arg(args, int *);
    va_end(args);
    long rc = syscall(SYS_ioctl, fd, request, value);
    if (request == SIOCOUTQ && full)
        *value = INT_MAX;
    return (int)rc;
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    struct timespec time = {.tv_sec = timeout / 1000, .tv_nsec = timeout % 1000 * 1000000L};
    int ready = ppoll(fds, count, timeout < 0 ? NULL : &time, NULL);

    full = full_polls > 0 && ready > 0 && (fds->events & POLLOUT);
    if (full) {
        fds->revents &= ~POLLOUT;
        full_polls--;
    }
    return ready;
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

/* What the connection waits for when the loop is about to wait. */
struct waiting {
    const struct db_conn *conn;
    bool for_room_with_end_alone;
};

static void before_wait(uv_prepare_t *prepare)
{
    struct waiting *waiting = prepare->data;
    const struct db_conn *conn = waiting->conn;

    if (conn->copying.open && conn->copying.size == 0 && copy_unsent(conn))
        waiting->for_room_with_end_alone = conn->watched & UV_WRITABLE;
}

/* There is no room when the end of the COPY is to be sent, and there is when what waits before it
 * is sent, in the same turn: then the end alone waits for the socket. */
static void test_end_waits_alone(void **state)
{
    struct world *world = world_of(state);
    struct upload upload;
    struct bytes bytes = {0};
    struct reply copied = {0};
    struct waiting waiting = {.conn = world->conn};
    uv_prepare_t prepare = {.data = &waiting};

    upload_open(world, &upload);
    begin(world, &upload, LOCK_TIMEOUT_MS);
    copy_open(world, COPY_ROWS);
    put_head(&bytes);
    put_rows(&bytes, upload.claim.tracker, 1, 10);
    put_count(&bytes, -1);
    full_polls = 2; /* here, and when the end is tried */
    copy_put(world->conn, bytes.data, bytes.size);
    copy_end(world->conn, NULL, take_count, &copied);
    assert_true(copy_unsent(world->conn));
    uv_prepare_init(&world->loop, &prepare);
    uv_prepare_start(&prepare, before_wait);
    await(world, &copied.here);
    uv_close((uv_handle_t *)&prepare, NULL);
    assert_int_equal(full_polls, 0);
    assert_true(waiting.for_room_with_end_alone);
    assert_no_error(&copied);
    assert_int_equal(copied.count, 10);
    assert_false(copy_unsent(world->conn));
    rollback(world);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_copy_refused),    WORLD_TEST(test_copy_aborted),
        WORLD_TEST(test_lost_in_copy),    WORLD_TEST(test_copy_full),
        WORLD_TEST(test_end_waits_alone), WORLD_TEST(test_lock_timeout),
        WORLD_TEST(test_notice_in_copy),  WORLD_TEST(test_unique),
        WORLD_TEST(test_rejects),
    };

    return cmocka_run_group_tests_name("db_copy", tests, world_open, world_close);
}
