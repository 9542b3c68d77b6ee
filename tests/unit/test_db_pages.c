/* SPDX-License-Identifier: PostgreSQL */
/* Pages of history and rejects on a real server. */
#include "tests/unit/db_world.h"

struct page {
    bool here;
    size_t count;
    int64_t first, last;
    size_t bytes;
};

static void take_events(void *arg, const struct tracker_event *events, size_t count,
                        const struct db_error *err)
{
    struct page *page = arg;

    assert_null(err);
    *page = (struct page){.here = true, .count = count};
    if (count == 0)
        return;
    page->first = events[0].id;
    page->last = events[count - 1].id;
    if (!events[0].from_status) {
        assert_string_equal(events[0].event, "create");
        assert_int_equal(events[0].uid, 1000);
    } else {
        assert_int_equal(events[0].uid, -1);
    }
    assert_string_not_equal(events[0].host, "");
    assert_int_equal(strlen(events[0].at), 27);
}

static void test_history(void **state)
{
    struct world *world = world_of(state);
    struct reply reply = {0};
    struct page page = {0};

    create(world, &reply, "/a", WORLD_OWNER);
    for (int i = 0; i < 4; i++)
        move(world, &reply, MOVE_QUEUE);
    tracker_events(world->conn, reply.tracker.id, 0, 3, take_events, &page);
    await(world, &page.here);
    assert_int_equal(page.count, 3);
    int64_t last = page.last;
    page = (struct page){0};
    tracker_events(world->conn, reply.tracker.id, last, 3, take_events, &page);
    await(world, &page.here);
    assert_int_equal(page.count, 2);
    assert_true(page.first > last);
    reply_fini(&reply);
}

static void take_rejects(void *arg, const struct tracker_reject *rejects, size_t count,
                         const struct db_error *err)
{
    struct page *page = arg;

    assert_null(err);
    *page = (struct page){.here = true, .count = count};
    for (size_t i = 0; i < count; i++)
        page->bytes += rejects[i].raw_bytes;
    if (count == 0)
        return;
    page->first = rejects[0].line;
    page->last = rejects[count - 1].line;
    if (page->first == 1) {
        assert_null(rejects[0].sqlstate);
        assert_int_equal(rejects[0].raw_bytes, 4);
        assert_memory_equal(rejects[0].raw, "\x00\xff\\'", 4);
        assert_int_equal(rejects[0].offset, 5);
        assert_string_equal(rejects[0].reason, "bad");
    }
}

static struct page rejects_after(struct world *world, int64_t tracker, int64_t after)
{
    struct page page = {0};

    tracker_rejects(world->conn, tracker, after, 100, take_rejects, &page);
    await(world, &page.here);
    return page;
}

/* A page of large ones ends early, and even one larger than a page comes. */
static void test_rejects(void **state)
{
    struct world *world = world_of(state);
    struct reply reply = {0};

    create(world, &reply, "/a", WORLD_OWNER);
    int64_t id = reply.tracker.id;
    side(world, "INSERT INTO file_reject VALUES (%lld, 1, 5, 4, 'bad', NULL, '\\x00ff5c27')",
         (long long)id);
    side(world,
         "INSERT INTO file_reject SELECT %lld, n, n, 1000000, 'bad', '22021', "
         "convert_to(repeat('x', 1000000), 'UTF8') FROM generate_series(2, 10) AS n",
         (long long)id);
    side(world,
         "INSERT INTO file_reject SELECT %lld, 11, 0, 5000000, 'bad', '22021', "
         "convert_to(repeat('x', 5000000), 'UTF8')",
         (long long)id);
    struct page page = rejects_after(world, id, 0);
    assert_int_equal(page.first, 1);
    assert_int_equal(page.last, 6);
    page = rejects_after(world, id, 10);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.bytes, 5000000);
    assert_int_equal(rejects_after(world, id, 11).count, 0);
    reply_fini(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_history),
        WORLD_TEST(test_rejects),
    };

    return cmocka_run_group_tests(tests, world_open, world_close);
}
