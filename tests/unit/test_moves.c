/* SPDX-License-Identifier: PostgreSQL */
/* The table of moves keeps what the columns' constraints and DESIGN.md ask of every move. */
#include "db/moves.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_events_are_named_once(void **state)
{
    (void)state;
    for (enum move a = 0; a < MOVE_COUNT; a++) {
        assert_non_null(move_table[a].event);
        for (enum move b = 0; b < a; b++)
            assert_string_not_equal(move_table[a].event, move_table[b].event);
    }
}

/* file_tracker_wanted_while_processing */
static void test_what_is_wanted_is_processing(void **state)
{
    (void)state;
    for (enum move move = 0; move < MOVE_COUNT; move++) {
        const struct move_row *row = &move_table[move];
        bool wants = row->wanted == WANTED_STOP || row->wanted == WANTED_RESTART;

        if (wants)
            assert_int_equal(row->status, STATUS_PROCESSING);
        if (row->wanted == WANTED_KEPT && row->status != STATUS_NONE)
            assert_int_equal(row->status, STATUS_PROCESSING);
    }
}

/* file_tracker_interrupted_is_killed */
static void test_what_is_marked_is_killed(void **state)
{
    (void)state;
    for (enum move move = 0; move < MOVE_COUNT; move++) {
        const struct move_row *row = &move_table[move];

        if (row->mark == MARK_SET)
            assert_int_equal(row->status, STATUS_KILLED);
        if (row->mark == MARK_KEPT)
            assert_int_equal(row->status, STATUS_NONE);
    }
}

static void test_ends_require_what_they_say(void **state)
{
    (void)state;
    for (enum move move = 0; move < MOVE_COUNT; move++) {
        const struct move_row *row = &move_table[move];

        assert_int_equal(row->status == STATUS_PROCESSED, row->requires == REQUIRES_FINAL);
        if (row->status == STATUS_STOPPED)
            assert_int_equal(row->requires, REQUIRES_EMPTY);
        if (row->requires == REQUIRES_EMPTY)
            assert_int_equal(row->wanted, WANTED_NOTHING);
    }
}

/* Who takes a tracker up works on it from now on; who ends one, or kills another's, does not. */
static void test_owner_is_set_by_who_takes_it_up(void **state)
{
    (void)state;
    for (enum move move = 0; move < MOVE_COUNT; move++) {
        bool takes =
            move == MOVE_QUEUE || move == MOVE_START || move == MOVE_STOP || move == MOVE_RESTART;

        assert_int_equal(move_table[move].owner == OWNER_SET, takes);
    }
}

static void test_only_the_fence_is_no_transition(void **state)
{
    (void)state;
    for (enum move move = 0; move < MOVE_COUNT; move++)
        assert_int_equal(move_is_transition(move), move != MOVE_FENCE);
}

static void test_status_is_kept_or_brought_by_two_only(void **state)
{
    (void)state;
    for (enum move move = 0; move < MOVE_COUNT; move++)
        assert_int_equal(move_table[move].status == STATUS_NONE,
                         move == MOVE_FENCE || move == MOVE_RETURN);
}

static void test_wanted_names(void **state)
{
    (void)state;
    assert_null(wanted_name(WANTED_NOTHING));
    assert_string_equal(wanted_name(WANTED_STOP), "stop");
    assert_string_equal(wanted_name(WANTED_RESTART), "restart");
    assert_int_equal(wanted_parse(NULL), WANTED_NOTHING);
    assert_int_equal(wanted_parse("stop"), WANTED_STOP);
    assert_int_equal(wanted_parse("restart"), WANTED_RESTART);
    assert_int_equal(wanted_parse("kept"), WANTED_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_are_named_once),
        cmocka_unit_test(test_what_is_wanted_is_processing),
        cmocka_unit_test(test_what_is_marked_is_killed),
        cmocka_unit_test(test_ends_require_what_they_say),
        cmocka_unit_test(test_owner_is_set_by_who_takes_it_up),
        cmocka_unit_test(test_only_the_fence_is_no_transition),
        cmocka_unit_test(test_status_is_kept_or_brought_by_two_only),
        cmocka_unit_test(test_wanted_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
