/* SPDX-License-Identifier: PostgreSQL */
/* Connections to a real server, and to none: made, used in order, lost, closed at any moment. */
#include "tests/unit/db_world.h"

#include "db/query.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A connection of a test's own. */
struct party {
    struct world *world;
    struct db_conn *conn;
    bool ready, lost;
    int answers, losses;
    int answers_at_loss;
    char order[16]; /* the digits of the statements as they were answered */
    struct db_error error;
    bool close_when_answered, close_when_lost;
};

static void party_close(struct party *party)
{
    db_conn_close(party->conn);
    party->conn = NULL;
}

static void on_party_ready(void *arg)
{
    struct party *party = arg;

    party->ready = true;
}

static void on_party_lost(void *arg, const struct db_error *err)
{
    struct party *party = arg;

    party->lost = true;
    party->losses++;
    party->answers_at_loss = party->answers;
    party->error = *err;
    if (party->close_when_lost)
        party_close(party);
}

static const struct db_events party_events = {on_party_ready, on_party_lost};

static void party_open(struct party *party, struct world *world, const char *conninfo)
{
    char *gone = strdup(conninfo); /* before it connects */
    struct db_settings settings = world->settings;

    *party = (struct party){.world = world};
    settings.conninfo = gone;
    party->conn = db_conn_new(&world->loop, &settings, &party_events, party);
    memset(gone, 'x', strlen(gone));
    free(gone);
    assert_false(party->ready || party->lost || db_conn_ready(party->conn));
    assert_int_equal(db_conn_backend_pid(party->conn), 0);
    assert_null(db_conn_conninfo(party->conn, NULL));
}

static void party_open_ready(struct party *party, struct world *world, const char *conninfo)
{
    party_open(party, world, conninfo);
    await(world, &party->ready);
    assert_true(db_conn_ready(party->conn));
}

static void settle(struct world *world)
{
    struct reply never = {0};

    expect_silence(world, &never, 20);
}

/* One statement of a party, with the digit that tells it from the others. */
struct question {
    struct party *party;
    char digit;
};

static void on_answer(void *arg, PGresult *result, const struct db_error *err)
{
    const struct question *question = arg;
    struct party *party = question->party;

    assert_true(!result != !err);
    party->order[party->answers++] = question->digit;
    party->error = err ? *err : (struct db_error){.meaning = DB_DONE};
    if (party->close_when_answered)
        party_close(party);
}

static void ask(struct party *party, char digit, const char *text)
{
    struct question question = {party, digit};
    int before = party->answers;

    query_send_text_context(party->conn, text, on_answer, &question, sizeof question);
    assert_int_equal(party->answers, before); /* never at once */
}

static void await_answers(struct party *party, int count)
{
    bool here = false;

    for (int i = 0; i < PATIENCE_MS / TICK_MS && !here; i++) {
        settle(party->world);
        here = party->answers >= count;
    }
    assert_int_equal(party->answers, count);
}

static void terminate(struct world *world, const struct party *party)
{
    side(world, "SELECT pg_terminate_backend(%d, 5000)", db_conn_backend_pid(party->conn));
}

static void assert_one_line(const struct db_error *err)
{
    assert_int_equal(err->meaning, DB_LOST);
    assert_int_equal(err->error.code, ERR_DATABASE_AWAY);
    assert_true(err->error.message[0] != '\0');
    assert_null(strpbrk(err->error.message, "\n\r\t"));
}

/* ---- statements ---- */

static void test_in_order(void **state)
{
    struct world *world = world_of(state);
    struct party party;

    party_open(&party, world, world->settings.conninfo);
    ask(&party, '1', "SELECT 1"); /* before it is connected */
    ask(&party, '2', "SELECT pg_sleep(0.05)");
    ask(&party, '3', "SELECT 3; SELECT 3");
    ask(&party, '4', "SELECT 1/0");
    ask(&party, '5', "SELECT 5");
    assert_int_equal(db_conn_pending(party.conn), 5);
    await_answers(&party, 5);
    assert_string_equal(party.order, "12345");
    assert_int_equal(party.error.meaning, DB_DONE);
    assert_int_equal(db_conn_pending(party.conn), 0);
    assert_false(party.lost);
    party_close(&party);
    settle(world);
}

static void test_failed_transaction(void **state)
{
    struct world *world = world_of(state);
    struct party party;

    party_open_ready(&party, world, world->settings.conninfo);
    ask(&party, '1', "BEGIN; SELECT 1/0; COMMIT");
    await_answers(&party, 1);
    assert_int_equal(party.error.meaning, DB_DATA);
    assert_string_equal(party.error.error.sqlstate, "22012");
    ask(&party, '2', "SELECT 2"); /* it was rolled back */
    await_answers(&party, 2);
    assert_int_equal(party.error.meaning, DB_DONE);

    ask(&party, '3', "BEGIN");
    ask(&party, '4', "SELECT 1/0");
    ask(&party, '5', "COMMIT;\n"); /* which the server answers with ROLLBACK */
    await_answers(&party, 5);
    assert_int_equal(party.error.meaning, DB_DENIED);
    assert_non_null(strstr(party.error.error.message, "ROLLBACK"));
    ask(&party, '6', "BEGIN; SELECT 6; COMMIT");
    await_answers(&party, 6);
    assert_int_equal(party.error.meaning, DB_DONE);
    party_close(&party);
    settle(world);
}

/* More than libpq's buffers hold, and the detail and context of errors stay at the server. */
static void test_answers(void **state)
{
    struct world *world = world_of(state);
    struct party party;

    party_open_ready(&party, world, world->settings.conninfo);
    ask(&party, '1', "SELECT repeat('x', 100000) FROM generate_series(1, 100)");
    await_answers(&party, 1);
    assert_int_equal(party.error.meaning, DB_DONE);
    ask(&party, '2',
        "DO $$BEGIN RAISE EXCEPTION E'first\nsecond' USING DETAIL = 'secret', HINT = "
        "'secret'; END$$");
    await_answers(&party, 2);
    assert_string_equal(party.error.error.message, "first; second");
    assert_string_equal(party.error.error.detail, "");
    assert_string_equal(party.error.error.hint, "");
    ask(&party, '3', "SELECT nothing()");
    await_answers(&party, 3);
    assert_int_equal(party.error.meaning, DB_DENIED);
    assert_true(party.error.error.hint[0] != '\0');
    party_close(&party);
    settle(world);
}

/* ---- loss ---- */

static void test_lost_when_idle(void **state)
{
    struct world *world = world_of(state);
    struct party party;

    party_open_ready(&party, world, world->settings.conninfo);
    terminate(world, &party);
    await(world, &party.lost);
    assert_one_line(&party.error);
    assert_string_equal(party.error.error.sqlstate, "57P01");
    assert_false(db_conn_ready(party.conn));
    ask(&party, '1', "SELECT 1");
    await_answers(&party, 1);
    assert_int_equal(party.error.meaning, DB_LOST);
    settle(world);
    assert_int_equal(party.losses, 1);
    party_close(&party);
    settle(world);
}

static void test_lost_with_questions(void **state)
{
    struct world *world = world_of(state);
    struct party party;

    party_open_ready(&party, world, world->settings.conninfo);
    ask(&party, '1', "SELECT pg_sleep(60)");
    ask(&party, '2', "SELECT 2");
    ask(&party, '3', "SELECT 3");
    settle(world);
    terminate(world, &party);
    await(world, &party.lost);
    assert_string_equal(party.order, "123");
    assert_int_equal(party.answers_at_loss, 3);
    assert_string_equal(party.error.error.sqlstate, "57P01");
    party_close(&party);
    settle(world);
    assert_int_equal(party.losses, 1);
}

static void test_closed_by_callbacks(void **state)
{
    struct world *world = world_of(state);
    struct party party;

    party_open_ready(&party, world, world->settings.conninfo);
    party.close_when_answered = true;
    ask(&party, '1', "SELECT 1");
    ask(&party, '2', "SELECT 2");
    await_answers(&party, 1);
    assert_null(party.conn);

    party_open_ready(&party, world, world->settings.conninfo);
    party.close_when_answered = true; /* by the first of two that are lost */
    ask(&party, '1', "SELECT pg_sleep(60)");
    ask(&party, '2', "SELECT 2");
    settle(world);
    terminate(world, &party);
    await_answers(&party, 1);
    assert_false(party.lost);

    party_open_ready(&party, world, world->settings.conninfo);
    party.close_when_lost = true;
    terminate(world, &party);
    await(world, &party.lost);
    assert_null(party.conn);
    settle(world);
}

static void test_closed_silently(void **state)
{
    struct world *world = world_of(state);
    struct party party;

    party_open_ready(&party, world, world->settings.conninfo);
    ask(&party, '1', "SELECT pg_sleep(0.1)");
    ask(&party, '2', "SELECT 2");
    settle(world);
    party_close(&party);
    settle(world);
    assert_int_equal(party.answers, 0);

    party_open(&party, world, world->settings.conninfo); /* at any moment of connecting */
    party_close(&party);
    for (int turns = 1; turns < 12; turns++) {
        party_open(&party, world, world->settings.conninfo);
        ask(&party, '1', "SELECT 1");
        for (int i = 0; i < turns; i++)
            uv_run(&world->loop, UV_RUN_NOWAIT);
        party_close(&party);
    }
    settle(world);
    assert_false(party.lost);
}

/* ---- connecting ---- */

static void assert_unreachable(struct world *world, const char *extra, const char *message)
{
    char *conninfo = mem_format("%s %s", world->settings.conninfo, extra);
    struct party party;

    party_open(&party, world, conninfo);
    ask(&party, '1', "SELECT 1");
    await(world, &party.lost);
    assert_one_line(&party.error);
    if (!strstr(party.error.error.message, message))
        fail_msg("\"%s\" is not in: %s", message, party.error.error.message);
    assert_int_equal(party.answers_at_loss, 1);
    assert_false(party.ready);
    party_close(&party);
    settle(world);
    free(conninfo);
}

static void test_unreachable(void **state)
{
    struct world *world = world_of(state);

    assert_unreachable(world, "host=/nonexistent", "No such file or directory");
    assert_unreachable(world, "host=/nonexistent,/nowhere port=1,2", "/nowhere/.s.PGSQL.2");
    assert_unreachable(world, "host=name.invalid", "could not translate host name");
    assert_unreachable(world, "hostaddr=999.1.1.1 host=x", "999.1.1.1");
    assert_unreachable(world, "dbname=nonexistent", "does not exist");
    assert_unreachable(world, "sslmode=bogus", "sslmode");
    assert_unreachable(world, "service=nonexistent", "nonexistent");
    assert_unreachable(world, "target_session_attrs=standby", "not in hot standby");
}

/* A text that is no conninfo may have a password in it, blank and all. */
static void test_unreadable(void **state)
{
    struct world *world = world_of(state);
    struct party party;

    party_open(&party, world, "host=/tmp password=the secret word");
    await(world, &party.lost);
    assert_one_line(&party.error);
    assert_null(strstr(party.error.error.message, "secret"));
    assert_null(strstr(party.error.error.detail, "secret"));
    party_close(&party);
    settle(world);
}

/* Listens and never answers. */
static int silent_server(char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_non_null(mkdtemp(folder));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432", folder);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

static void test_next_host(void **state)
{
    struct world *world = world_of(state);
    char folder[] = "/tmp/silentXXXXXX", path[64];
    int fd = silent_server(folder);
    struct party party;

    char *conninfo =
        mem_format("%s host=/nonexistent,%s,%s port=5432,5432,%s connect_timeout=1",
                   world->settings.conninfo, folder, PQhost(world->side), PQport(world->side));
    uint64_t before = uv_hrtime();
    party_open_ready(&party, world, conninfo);
    uint64_t ms = (uv_hrtime() - before) / 1000000;
    assert_in_range(ms, 1900, 4000); /* libpq's least is 2 s */
    party_close(&party);
    settle(world);
    free(conninfo);

    snprintf(path, sizeof path, "host=%s port=5432 connect_timeout=2", folder);
    assert_unreachable(world, path, "timeout expired");
    snprintf(path, sizeof path, "%s/.s.PGSQL.5432", folder);
    close(fd);
    unlink(path);
    rmdir(folder);
}

/* What a worker gets connects it, and has the password in it whatever is in that. */
static void test_conninfo(void **state)
{
    struct world *world = world_of(state);
    char *conninfo = mem_format("%s password='it\\'s a \\\\ word'", world->settings.conninfo);
    struct party party, worker;

    party_open_ready(&party, world, conninfo);
    char *printed = db_conn_conninfo(party.conn, NULL);
    assert_non_null(strstr(printed, "password='it\\'s a \\\\ word'"));
    assert_null(strstr(printed, "application_name"));
    party_open_ready(&worker, world, printed);
    char *again = db_conn_conninfo(worker.conn, NULL);
    assert_string_equal(printed, again);
    assert_true(db_conn_backend_pid(worker.conn) != db_conn_backend_pid(party.conn));
    party_close(&worker);
    party_close(&party);
    settle(world);
    free(again);
    free(printed);
    free(conninfo);
}

static void test_settings(void **state)
{
    struct world *world = world_of(state);
    char sql[256], value[256];

    snprintf(sql, sizeof sql, "SELECT application_name FROM pg_stat_activity WHERE pid = %d",
             db_conn_backend_pid(world->conn));
    side_value(world, value, sizeof value, sql);
    assert_string_equal(value, world->name);
    assert_string_equal(db_conn_schema(world->conn), WORLD_QUOTED);
    char *printed = db_conn_conninfo(world->conn, NULL);
    assert_non_null(strstr(printed, "keepalives_idle='15'"));
    assert_non_null(strstr(printed, "target_session_attrs='read-write'"));
    free(printed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_in_order),
        WORLD_TEST(test_failed_transaction),
        WORLD_TEST(test_answers),
        WORLD_TEST(test_lost_when_idle),
        WORLD_TEST(test_lost_with_questions),
        WORLD_TEST(test_closed_by_callbacks),
        WORLD_TEST(test_closed_silently),
        WORLD_TEST(test_unreachable),
        WORLD_TEST(test_unreadable),
        WORLD_TEST(test_next_host),
        WORLD_TEST(test_conninfo),
        WORLD_TEST(test_settings),
    };

    return cmocka_run_group_tests_name("db_conn", tests, world_open, world_close);
}
