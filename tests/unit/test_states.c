/* SPDX-License-Identifier: PostgreSQL */
/* The state machine, whole: its dump is the expected one, docs/design.md's states and commands are
 * all in it, and what a state promises (at rest, busy, with a worker) holds for each of its edges.
 */
#include "supervisor/states.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the dump ---- */

/* A change of the machine is looked at by a person: the difference of these two is what changed.
 * `uploaderd --print-states > tests/unit/states.expected` accepts it. */
static void test_dump_is_the_expected_one(void **state)
{
    static const char path[] = "tests/unit/states.expected";
    char *text = NULL;
    size_t size = 0;
    size_t at = 0;
    int c;

    (void)state;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    states_print_text(out);
    fclose(out);
    FILE *expected = fopen(path, "r");
    if (!expected)
        fail_msg("%s is not there: this test runs in the source's folder", path);
    while ((c = fgetc(expected)) != EOF) {
        if (at >= size || text[at] != (char)c)
            fail_msg("the dump differs from %s at byte %zu: %.80s", path, at,
                     at < size ? text + at : "(its end)");
        at++;
    }
    assert_int_equal(at, size);
    fclose(expected);
    free(text);
}

/* ---- the states and commands of docs/design.md ---- */

struct cell {
    enum state state;
    enum event command;
    enum verdict verdict;
    enum state next;         /* of an edge */
    enum action action;      /* of an edge */
    enum error_code refusal; /* of a refusal */
};

#define DOES(state, command, next, action)                                                         \
    {                                                                                              \
        state, command, FSM_EDGE, next, action, ERR_NONE                                           \
    }
#define REFUSES(state, command, refusal)                                                           \
    {                                                                                              \
        state, command, FSM_REFUSED, state, ACT_NOTHING, refusal                                   \
    }
#define WAITS(state, command)                                                                      \
    {                                                                                              \
        state, command, FSM_WAITS, state, ACT_NOTHING, ERR_NONE                                    \
    }

static const struct cell cells[] = {
    /* no tracker: creates one; not found; not found */
    DOES(ST_ABSENT, EV_UPLOAD, ST_CREATING, ACT_CREATE),
    REFUSES(ST_ABSENT, EV_STOP, ERR_NOT_FOUND),
    REFUSES(ST_ABSENT, EV_KILL, ERR_NOT_FOUND),
    /* INITIALIZING: the same tracker; rolled back, STOPPED; KILLED */
    DOES(ST_QUEUED, EV_UPLOAD, ST_QUEUED, ACT_SAME),
    DOES(ST_QUEUED, EV_STOP, ST_STOPPING, ACT_SAVE_STOP),
    DOES(ST_QUEUED, EV_KILL, ST_KILLING, ACT_KILL),
    WAITS(ST_STARTING, EV_UPLOAD),
    WAITS(ST_STARTING, EV_STOP),
    WAITS(ST_STARTING, EV_KILL),
    /* PROCESSING: the same tracker; rolls back; SIGKILL */
    DOES(ST_RUNNING, EV_UPLOAD, ST_RUNNING, ACT_SAME),
    DOES(ST_RUNNING, EV_RESTART, ST_STOPPING, ACT_SAVE_RESTART),
    DOES(ST_RUNNING, EV_STOP, ST_STOPPING, ACT_SAVE_STOP),
    DOES(ST_RUNNING, EV_KILL, ST_KILLING, ACT_KILL),
    DOES(ST_RETRYING, EV_UPLOAD, ST_RETRYING, ACT_SAME),
    DOES(ST_RETRYING, EV_STOP, ST_STOPPING, ACT_SAVE_STOP),
    DOES(ST_RETRYING, EV_KILL, ST_KILLING, ACT_KILL),
    /* PROCESSING, stop under way: refused; joins it; SIGKILL */
    WAITS(ST_STOPPING, EV_UPLOAD),
    WAITS(ST_STOPPING, EV_STOP),
    DOES(ST_STOPPING, EV_KILL, ST_KILLING, ACT_KILL),
    REFUSES(ST_ROLLING_BACK, EV_UPLOAD, ERR_STOP_UNDER_WAY),
    REFUSES(ST_ROLLING_BACK, EV_RESTART, ERR_STOP_UNDER_WAY),
    DOES(ST_ROLLING_BACK, EV_STOP, ST_ROLLING_BACK, ACT_JOIN),
    DOES(ST_ROLLING_BACK, EV_KILL, ST_KILLING, ACT_KILL),
    DOES(ST_ROLLING_BACK, EV_KILL_FINAL, ST_KILLING, ACT_KILL),
    REFUSES(ST_RELAUNCHING, EV_UPLOAD, ERR_STOP_UNDER_WAY),
    DOES(ST_RELAUNCHING, EV_STOP, ST_RELAUNCHING, ACT_JOIN),
    DOES(ST_RELAUNCHING, EV_KILL, ST_KILLING, ACT_KILL),
    /* ... another owner's: a stop and a kill take it over */
    REFUSES(ST_FOREIGN_STOP, EV_UPLOAD, ERR_STOP_UNDER_WAY),
    DOES(ST_FOREIGN_STOP, EV_STOP, ST_STOPPING, ACT_SAVE_STOP),
    DOES(ST_FOREIGN_STOP, EV_KILL, ST_KILLING, ACT_KILL),
    DOES(ST_FOREIGN, EV_UPLOAD, ST_FOREIGN, ACT_SAME),
    DOES(ST_FOREIGN, EV_STOP, ST_STOPPING, ACT_SAVE_STOP),
    DOES(ST_FOREIGN, EV_KILL, ST_KILLING, ACT_KILL),
    /* STOPPED: the same tracker, from record 1; a no-op; not running */
    DOES(ST_STOPPED, EV_UPLOAD, ST_QUEUEING, ACT_SAVE_QUEUE),
    DOES(ST_STOPPED, EV_STOP, ST_STOPPED, ACT_NOOP),
    REFUSES(ST_STOPPED, EV_KILL, ERR_NOT_RUNNING),
    /* KILLED, FAILED: goes on; rolls back; a no-op, but for a mark that it takes away */
    DOES(ST_KILLED, EV_UPLOAD, ST_QUEUEING, ACT_SAVE_QUEUE),
    DOES(ST_KILLED, EV_RESTART, ST_STOPPING, ACT_SAVE_RESTART),
    DOES(ST_KILLED, EV_STOP, ST_STOPPING, ACT_SAVE_STOP),
    DOES(ST_KILLED, EV_KILL, ST_KILLED, ACT_NOOP),
    DOES(ST_KILLED, EV_KILL_FINAL, ST_FINISHING, ACT_SAVE_FINISH),
    DOES(ST_INTERRUPTED, EV_UPLOAD, ST_QUEUEING, ACT_SAVE_QUEUE),
    DOES(ST_INTERRUPTED, EV_STOP, ST_STOPPING, ACT_SAVE_STOP),
    DOES(ST_INTERRUPTED, EV_KILL, ST_KILLING, ACT_KILL),
    DOES(ST_FAILED, EV_UPLOAD, ST_QUEUEING, ACT_SAVE_QUEUE),
    DOES(ST_FAILED, EV_RESTART, ST_STOPPING, ACT_SAVE_RESTART),
    DOES(ST_FAILED, EV_STOP, ST_STOPPING, ACT_SAVE_STOP),
    DOES(ST_FAILED, EV_KILL, ST_FAILED, ACT_NOOP),
    /* ... whose file was found to be in, wholly or its beginning, and is as it was then */
    DOES(ST_QUEUED, EV_REORDER, ST_QUEUEING, ACT_SAVE_PRIORITY),
    REFUSES(ST_FAILED, EV_UPLOAD_KNOWN, ERR_ALREADY_UPLOADED),
    REFUSES(ST_FAILED, EV_UPLOAD_GROWN, ERR_GROWN),
    /* PROCESSED: refused as it was; a new tracker with --again or for another file; refused */
    REFUSES(ST_PROCESSED, EV_UPLOAD, ERR_ALREADY_UPLOADED),
    REFUSES(ST_PROCESSED, EV_RESTART, ERR_ALREADY_UPLOADED),
    DOES(ST_PROCESSED, EV_UPLOAD_NEW, ST_CREATING, ACT_CREATE),
    REFUSES(ST_PROCESSED, EV_STOP, ERR_PROCESSED),
    REFUSES(ST_PROCESSED, EV_KILL, ERR_PROCESSED),
    REFUSES(ST_PROCESSED, EV_KILL_FINAL, ERR_PROCESSED),
};

static void test_states_and_commands(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cells); i++) {
        const struct cell *cell = &cells[i];
        struct transition t = fsm_next(cell->state, cell->command);
        if (t.verdict != cell->verdict || t.next != cell->next || t.action != cell->action ||
            t.refusal != cell->refusal)
            fail_msg("%s + %s is not as docs/design.md has it", state_name(cell->state),
                     event_name(cell->command));
    }
}

/* Where a command has an effect, its result is the one of the table: the states on the way lead
 * there and nowhere else, as long as nothing goes wrong and nobody else comes. */
static void test_commands_lead_where_they_say(void **state)
{
    static const struct {
        enum state from;
        enum event events[6]; /* ended by the 0 of EV_UPLOAD, which is no answer to anything */
        enum state to;
    } ways[] = {
        {ST_CREATING, {EV_SAVED}, ST_QUEUED},
        {ST_QUEUED, {EV_SLOT, EV_SAVED, EV_LOADED, EV_SAVED}, ST_PROCESSED},
        {ST_QUEUED, {EV_SLOT, EV_SAVED_FINAL, EV_SAVED}, ST_PROCESSED},
        {ST_QUEUED, {EV_STOP, EV_EMPTY_STOP, EV_SAVED}, ST_STOPPED},
        {ST_RUNNING, {EV_STOP, EV_SAVED_STOP, EV_EMPTY_STOP, EV_SAVED}, ST_STOPPED},
        {ST_RUNNING, {EV_STOP, EV_LOADED, EV_SAVED_STOP, EV_EMPTY_STOP, EV_SAVED}, ST_STOPPED},
        {ST_RUNNING, {EV_KILL, EV_CRASHED, EV_SAVED}, ST_KILLED},
        {ST_RUNNING, {EV_KILL, EV_LOADED, EV_SAVED_FINAL, EV_SAVED}, ST_PROCESSED},
        {ST_ROLLING_BACK, {EV_KILL_FINAL, EV_CRASHED, EV_SAVED_FINAL, EV_SAVED}, ST_PROCESSED},
        {ST_ROLLING_BACK, {EV_KILL, EV_EMPTY_STOP, EV_SAVED}, ST_KILLED},
        {ST_RUNNING, {EV_RESTART, EV_SAVED_RESTART, EV_EMPTY_RESTART, EV_SAVED}, ST_QUEUED},
        {ST_INTERRUPTED, {EV_KILL, EV_GONE, EV_SAVED}, ST_KILLED},
        {ST_FOREIGN, {EV_KILL, EV_GONE, EV_SAVED}, ST_KILLED},
        {ST_RUNNING, {EV_SHUTDOWN, EV_FINISHED, EV_SAVED}, ST_INTERRUPTED},
        {ST_RUNNING, {EV_CRASHED, EV_SAVED, EV_RESUME, EV_SAVED}, ST_QUEUED},
        {ST_RUNNING, {EV_CHANGED, EV_ROW_KILLED}, ST_KILLED},
        {ST_ROLLING_BACK, {EV_SHUTDOWN}, ST_LEFT},
        {ST_READING, {EV_ROW_MINE, EV_SAVED_STOP, EV_EMPTY_STOP, EV_SAVED}, ST_STOPPED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        enum state at = ways[i].from;
        for (size_t k = 0; k < COUNT_OF(ways[i].events) && ways[i].events[k]; k++) {
            struct transition t = fsm_next(at, ways[i].events[k]);
            if (t.verdict != FSM_EDGE)
                fail_msg("%s + %s is no edge", state_name(at), event_name(ways[i].events[k]));
            at = t.next;
        }
        if (at != ways[i].to)
            fail_msg("the way from %s ends at %s, not at %s", state_name(ways[i].from),
                     state_name(at), state_name(ways[i].to));
    }
}

/* ---- what every pair keeps ---- */

/* Commands that a state cannot meet, since they say what kind of upload it is. */
static bool says_what_it_is(enum state state, enum event command)
{
    switch ((int)command) {
    case EV_UPLOAD_NEW:
        return state != ST_PROCESSED;
    case EV_UPLOAD_KNOWN:
    case EV_UPLOAD_GROWN:
        return state != ST_FAILED;
    case EV_REORDER:
        return state != ST_QUEUED;
    case EV_KILL_FINAL: /* no checkpoint is left there */
        return state == ST_ABSENT || state == ST_STOPPED;
    default: /* allowed: these alone are looked for */
        return false;
    }
}

static void test_every_command_has_an_answer(void **state)
{
    (void)state;
    for (enum state s = 0; s < STATE_COUNT; s++)
        for (enum event e = 0; e < EVENT_COUNT; e++) {
            struct transition t = fsm_next(s, e);
            if (!event_is_command(e))
                continue;
            bool answered = t.verdict != FSM_IMPOSSIBLE;
            bool busy = state_kind(s) == STATE_BUSY;
            if (answered == (says_what_it_is(s, e) && !busy))
                fail_msg("%s + %s: %s", state_name(s), event_name(e),
                         answered ? "cannot happen" : "has no answer");
            if (t.verdict == FSM_WAITS)
                assert_int_equal(state_kind(s), STATE_BUSY);
        }
}

static void test_transitions_explain_themselves(void **state)
{
    (void)state;
    for (enum state s = 0; s < STATE_COUNT; s++)
        for (enum event e = 0; e < EVENT_COUNT; e++) {
            struct transition t = fsm_next(s, e);
            assert_non_null(t.reason);
            assert_true(t.reason[0] != '\0');
            assert_int_equal(t.verdict == FSM_REFUSED, t.refusal != ERR_NONE);
            if (t.verdict == FSM_REFUSED)
                assert_true(event_is_command(e));
            if (t.verdict != FSM_EDGE)
                assert_int_equal(t.next, s);
        }
}

static bool is_answer(enum action action)
{
    return action == ACT_SAME || action == ACT_JOIN || action == ACT_NOOP || action == ACT_NOTHING;
}

static bool sends_statement(enum action action)
{
    switch ((int)action) {
    case ACT_READ:
    case ACT_CREATE:
    case ACT_SAVE_QUEUE:
    case ACT_SAVE_PRIORITY:
    case ACT_SAVE_START:
    case ACT_SAVE_FENCE:
    case ACT_SAVE_FINISH:
    case ACT_SAVE_STOP:
    case ACT_SAVE_RESTART:
    case ACT_SAVE_EMPTY:
    case ACT_SAVE_RESTARTED:
    case ACT_SAVE_KILL:
    case ACT_SAVE_INTERRUPT:
    case ACT_SAVE_FAIL:
    case ACT_SAVE_RETURN:
        return true;
    default: /* allowed: these alone are looked for */
        return false;
    }
}

/* At rest nothing is under way; a busy state waits for what its edge has sent (killing: for the
 * end of the process); an open one waits for no statement. */
static void test_actions_fit_the_kind_of_state(void **state)
{
    (void)state;
    for (enum state s = 0; s < STATE_COUNT; s++)
        for (enum event e = 0; e < EVENT_COUNT; e++) {
            struct transition t = fsm_next(s, e);
            if (t.verdict != FSM_EDGE || (t.next == s && is_answer(t.action)))
                continue;
            bool fits = true;
            switch (state_kind(t.next)) {
            case STATE_REST:
                fits = t.action == ACT_REST || t.action == ACT_LEAVE;
                break;
            case STATE_BUSY:
                fits = t.next == ST_KILLING ? t.action == ACT_KILL : sends_statement(t.action);
                break;
            case STATE_OPEN:
                fits = !sends_statement(t.action) && t.action != ACT_REST;
                break;
            }
            if (!fits)
                fail_msg("%s + %s -> %s / %s", state_name(s), event_name(e), state_name(t.next),
                         action_name(t.action));
        }
}

/* Whatever is sent may be lost. */
static void test_every_statement_may_be_missed(void **state)
{
    (void)state;
    for (enum state s = 0; s < STATE_COUNT; s++)
        if (state_kind(s) == STATE_BUSY && s != ST_KILLING) {
            struct transition t = fsm_next(s, EV_MISSED);
            assert_int_equal(t.verdict, FSM_EDGE);
            assert_int_equal(t.next, ST_READING);
        }
}

/* Whatever a worker says, and whenever it dies, the state it belongs to knows what then. */
static void test_every_ending_of_a_worker_is_known(void **state)
{
    static const enum event endings[] = {EV_LOADED,  EV_WORKER_FAILED, EV_FENCED,
                                         EV_TROUBLE, EV_CHANGED,       EV_CRASHED};
    static const enum state with_worker[] = {ST_RUNNING,  ST_STOPPING, ST_ROLLING_BACK,
                                             ST_CLEARING, ST_KILLING,  ST_ENDING};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(with_worker); i++)
        for (size_t k = 0; k < COUNT_OF(endings); k++)
            if (fsm_next(with_worker[i], endings[k]).verdict != FSM_EDGE)
                fail_msg("%s + %s", state_name(with_worker[i]), event_name(endings[k]));
    assert_int_equal(fsm_next(ST_ROLLING_BACK, EV_EMPTY_STOP).verdict, FSM_EDGE);
    assert_int_equal(fsm_next(ST_CLEARING, EV_EMPTY_RESTART).verdict, FSM_EDGE);
    assert_int_equal(fsm_next(ST_ENDING, EV_FINISHED).verdict, FSM_EDGE);
}

/* A shutdown waits for what is busy, and ends or leaves what is open. */
static void test_a_shutdown_reaches_every_state(void **state)
{
    (void)state;
    for (enum state s = 0; s < STATE_COUNT; s++) {
        struct transition t = fsm_next(s, EV_SHUTDOWN);
        if (state_kind(s) == STATE_BUSY)
            assert_int_equal(t.verdict, FSM_WAITS);
        else if (state_kind(s) == STATE_OPEN && s != ST_ENDING)
            assert_int_equal(t.verdict, FSM_EDGE);
        else
            assert_int_equal(t.verdict, FSM_IMPOSSIBLE);
    }
}

static void test_every_state_is_reachable(void **state)
{
    bool reached[STATE_COUNT] = {[ST_ABSENT] = true};
    bool grown = true;

    (void)state;
    while (grown) {
        grown = false;
        for (enum state s = 0; s < STATE_COUNT; s++)
            for (enum event e = 0; reached[s] && e < EVENT_COUNT; e++) {
                struct transition t = fsm_next(s, e);
                grown = grown || !reached[t.next];
                reached[t.next] = true;
            }
    }
    for (enum state s = 0; s < STATE_COUNT; s++)
        if (!reached[s])
            fail_msg("%s is not reachable", state_name(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dump_is_the_expected_one),
        cmocka_unit_test(test_states_and_commands),
        cmocka_unit_test(test_commands_lead_where_they_say),
        cmocka_unit_test(test_every_command_has_an_answer),
        cmocka_unit_test(test_transitions_explain_themselves),
        cmocka_unit_test(test_actions_fit_the_kind_of_state),
        cmocka_unit_test(test_every_statement_may_be_missed),
        cmocka_unit_test(test_every_ending_of_a_worker_is_known),
        cmocka_unit_test(test_a_shutdown_reaches_every_state),
        cmocka_unit_test(test_every_state_is_reachable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
