/* SPDX-License-Identifier: PostgreSQL */
/* The table of states.h, and the look-ups in it. Does nothing. */
#include "supervisor/states.h"

#define EDGE(state, event, next, action, reason)                                                   \
    [state][event] = {true, next, action, ERR_NONE, reason}
#define REFUSED(state, event, refusal, reason)                                                     \
    [state][event] = {true, state, ACT_NOTHING, refusal, reason}

/* Whatever an upload is asked for. */
#define UPLOADS_SAME(state, reason) EDGE(state, EV_UPLOAD, state, ACT_SAME, reason)
#define UPLOADS_REFUSED(state, refusal, reason)                                                    \
    REFUSED(state, EV_UPLOAD, refusal, reason), REFUSED(state, EV_RESTART, refusal, reason)

#define KILLS(state, reason)                                                                       \
    EDGE(state, EV_KILL, ST_KILLING, ACT_KILL, reason),                                            \
        EDGE(state, EV_KILL_FINAL, ST_KILLING, ACT_KILL, reason)

/* An unfinished upload: what the commands do to it while it is open. */
#define OPEN_TO_COMMANDS(state)                                                                    \
    UPLOADS_SAME(state, "it is under way already"),                                                \
        EDGE(state, EV_RESTART, ST_STOPPING, ACT_SAVE_RESTART, "a user starts it over"),           \
        EDGE(state, EV_STOP, ST_STOPPING, ACT_SAVE_STOP, "a user stops it"),                       \
        KILLS(state, "a user kills it")

/* A rollback under way, with a worker or between two. */
#define STOP_UNDER_WAY(state)                                                                      \
    UPLOADS_REFUSED(state, ERR_STOP_UNDER_WAY, "a stop of it is under way"),                       \
        EDGE(state, EV_STOP, state, ACT_JOIN, "a stop of it is under way already"),                \
        KILLS(state, "a user kills its rollback"),                                                 \
        EDGE(state, EV_SHUTDOWN, ST_LEFT, ACT_LEAVE, "the rollback goes on in the next life")
#define RESTART_UNDER_WAY(state)                                                                   \
    UPLOADS_SAME(state, "it starts over"),                                                         \
        EDGE(state, EV_RESTART, state, ACT_SAME, "it starts over already"),                        \
        EDGE(state, EV_STOP, ST_STOPPING, ACT_SAVE_STOP, "a user stops it"),                       \
        KILLS(state, "a user kills its rollback"),                                                 \
        EDGE(state, EV_SHUTDOWN, ST_LEFT, ACT_LEAVE, "the rollback goes on in the next life")

/* A worker that rolls back. Whatever ends it early: fence, and start another. */
#define ROLLING(state, between, emptied, next, action)                                             \
    EDGE(state, emptied, next, action, "nothing of it is left"),                                   \
        EDGE(state, EV_LOADED, ST_FENCING, ACT_SAVE_FENCE, "the worker ended before it was told"), \
        EDGE(state, EV_FINISHED, ST_FENCING, ACT_SAVE_FENCE, "another worker rolls it back"),      \
        EDGE(state, EV_CHANGED, ST_FENCING, ACT_SAVE_FENCE,                                        \
             "the worker ended before it was told"),                                               \
        EDGE(state, EV_WORKER_FAILED, between, ACT_BACK_OFF, "the rollback failed"),               \
        EDGE(state, EV_TROUBLE, between, ACT_BACK_OFF, "trouble during the rollback"),             \
        EDGE(state, EV_CRASHED, between, ACT_BACK_OFF, "the rollback's worker crashed"),           \
        EDGE(state, EV_TIMEOUT, between, ACT_ABANDON, "the rollback's worker does not answer"),    \
        EDGE(state, EV_FENCED, ST_READING, ACT_READ, "somebody else has it"),                      \
        EDGE(between, EV_TIMER, ST_FENCING, ACT_SAVE_FENCE, "another worker rolls it back")

/* A statement that may find the final checkpoint, which then wins. */
#define FINAL_WINS(state)                                                                          \
    EDGE(state, EV_SAVED_FINAL, ST_FINISHING, ACT_SAVE_FINISH, "its final checkpoint is in"),      \
        EDGE(state, EV_MISSED, ST_READING, ACT_READ, "the row has moved on")

/* A statement that finds what is wanted of it. */
#define WANTED(state)                                                                              \
    EDGE(state, EV_SAVED_STOP, ST_ROLLING_BACK, ACT_ROLL_BACK, "fenced; the stop is durable"),     \
        EDGE(state, EV_SAVED_RESTART, ST_CLEARING, ACT_ROLL_BACK,                                  \
             "fenced; the restart is durable"),                                                    \
        EDGE(state, EV_EMPTY_STOP, ST_EMPTYING, ACT_SAVE_EMPTY, "nothing of it is left"),          \
        EDGE(state, EV_EMPTY_RESTART, ST_RESTARTING, ACT_SAVE_RESTARTED, "nothing of it is left")

/* A tracker at rest that an upload goes on with. */
#define GOES_ON(state)                                                                             \
    EDGE(state, EV_UPLOAD, ST_QUEUEING, ACT_SAVE_QUEUE, "it goes on from its recovery point"),     \
        EDGE(state, EV_RESTART, ST_STOPPING, ACT_SAVE_RESTART, "a user starts it over"),           \
        EDGE(state, EV_STOP, ST_STOPPING, ACT_SAVE_STOP, "a user rolls it back"),                  \
        EDGE(state, EV_KILL_FINAL, ST_FINISHING, ACT_SAVE_FINISH, "its final checkpoint is in")

/* Another owner's, whose stop or kill is the remedy for a lost host. */
#define FOREIGN(state)                                                                             \
    EDGE(state, EV_STOP, ST_STOPPING, ACT_SAVE_STOP, "a user stops it, and takes it over"),        \
        KILLS(state, "a user kills it by a fence"),                                                \
        EDGE(state, EV_POLL, ST_READING, ACT_READ, "somebody waits for it")

#define ENDS_OF_A_KILLED_WORKER(event)                                                             \
    EDGE(ST_KILLING, event, ST_KILL_FENCING, ACT_SAVE_KILL, "a user killed it; its worker is gone")
#define ENDS_WHILE_STOPPING(event)                                                                 \
    EDGE(ST_STOPPING, event, ST_STOPPING, ACT_NOTHING, "the worker ended before it was told")

static const struct {
    bool listed;
    enum state next;
    enum action action;
    enum error_code refusal;
    const char *reason;
} table[STATE_COUNT][EVENT_COUNT] = {
    /* no tracker */
    EDGE(ST_ABSENT, EV_UPLOAD, ST_CREATING, ACT_CREATE, "a new upload"),
    EDGE(ST_ABSENT, EV_RESTART, ST_CREATING, ACT_CREATE, "a new upload"),
    REFUSED(ST_ABSENT, EV_STOP, ERR_NOT_FOUND, "there is no such upload"),
    REFUSED(ST_ABSENT, EV_KILL, ERR_NOT_FOUND, "there is no such upload"),
    EDGE(ST_CREATING, EV_SAVED, ST_QUEUED, ACT_ENQUEUE, "accepted"),
    EDGE(ST_CREATING, EV_MISSED, ST_READING, ACT_READ, "another holds the place"),

    /* the row is read, and decides */
    EDGE(ST_READING, EV_MISSED, ST_READING, ACT_READ, "it is read again"),
    EDGE(ST_READING, EV_ROW_NONE, ST_ABSENT, ACT_REST, "there is no tracker"),
    EDGE(ST_READING, EV_ROW_MINE, ST_FENCING, ACT_SAVE_FENCE, "adopted: nobody works on it"),
    EDGE(ST_READING, EV_ROW_STOPPED, ST_STOPPED, ACT_REST, "it is STOPPED"),
    EDGE(ST_READING, EV_ROW_KILLED, ST_KILLED, ACT_REST, "it is KILLED"),
    EDGE(ST_READING, EV_ROW_INTERRUPTED, ST_INTERRUPTED, ACT_REST, "it is KILLED, interrupted"),
    EDGE(ST_READING, EV_ROW_FAILED, ST_FAILED, ACT_REST, "it is FAILED"),
    EDGE(ST_READING, EV_ROW_PROCESSED, ST_PROCESSED, ACT_REST, "it is PROCESSED"),
    EDGE(ST_READING, EV_ROW_FOREIGN, ST_FOREIGN, ACT_REST, "another supervisor has it"),
    EDGE(ST_READING, EV_ROW_FOREIGN_STOP, ST_FOREIGN_STOP, ACT_REST,
         "another supervisor rolls it back"),

    /* from rest to running */
    EDGE(ST_QUEUEING, EV_SAVED, ST_QUEUED, ACT_ENQUEUE, "accepted"),
    EDGE(ST_QUEUEING, EV_SAVED_FINAL, ST_QUEUED, ACT_ENQUEUE, "accepted"),
    EDGE(ST_QUEUEING, EV_MISSED, ST_READING, ACT_READ, "the row has moved on"),
    OPEN_TO_COMMANDS(ST_QUEUED),
    EDGE(ST_QUEUED, EV_REORDER, ST_QUEUEING, ACT_SAVE_PRIORITY, "a user moves it in the queue"),
    EDGE(ST_QUEUED, EV_SLOT, ST_STARTING, ACT_SAVE_START, "a worker is free"),
    EDGE(ST_QUEUED, EV_SHUTDOWN, ST_INTERRUPTING, ACT_SAVE_INTERRUPT, "the supervisor ends"),
    EDGE(ST_STARTING, EV_SAVED, ST_RUNNING, ACT_SPAWN, "fenced; its recovery point is known"),
    EDGE(ST_STARTING, EV_GIVE_UP, ST_FAILING, ACT_SAVE_FAIL, "retry_limit is reached"),
    FINAL_WINS(ST_STARTING),
    OPEN_TO_COMMANDS(ST_RUNNING),
    EDGE(ST_RUNNING, EV_LOADED, ST_FINISHING, ACT_SAVE_FINISH, "its final checkpoint is in"),
    EDGE(ST_RUNNING, EV_WORKER_FAILED, ST_FAILING, ACT_SAVE_FAIL, "it failed"),
    EDGE(ST_RUNNING, EV_FENCED, ST_READING, ACT_READ, "somebody else has it"),
    EDGE(ST_RUNNING, EV_TROUBLE, ST_RETRYING, ACT_BACK_OFF, "trouble on the way"),
    EDGE(ST_RUNNING, EV_CHANGED, ST_RETURNING, ACT_SAVE_RETURN, "the file has changed"),
    EDGE(ST_RUNNING, EV_CRASHED, ST_INTERRUPTING, ACT_SAVE_INTERRUPT, "its worker crashed"),
    EDGE(ST_RUNNING, EV_SHUTDOWN, ST_ENDING, ACT_TELL_FINISH, "the supervisor ends"),
    OPEN_TO_COMMANDS(ST_RETRYING),
    EDGE(ST_RETRYING, EV_TIMER, ST_STARTING, ACT_SAVE_START, "the back-off is over"),
    EDGE(ST_RETRYING, EV_SHUTDOWN, ST_INTERRUPTING, ACT_SAVE_INTERRUPT, "the supervisor ends"),
    EDGE(ST_FINISHING, EV_SAVED, ST_PROCESSED, ACT_REST, "all records are in"),
    EDGE(ST_FINISHING, EV_SAVED_FINAL, ST_PROCESSED, ACT_REST, "all records are in"),
    EDGE(ST_FINISHING, EV_MISSED, ST_READING, ACT_READ, "the row has moved on"),

    /* fenced without a worker: recovery, adoption, between two workers of a rollback; an ending
     * whose move was lost is done again */
    EDGE(ST_FENCING, EV_SAVED, ST_QUEUED, ACT_ENQUEUE, "fenced; it goes on"),
    WANTED(ST_FENCING),
    EDGE(ST_FENCING, EV_CRASHED, ST_INTERRUPTING, ACT_SAVE_INTERRUPT, "its worker had crashed"),
    EDGE(ST_FENCING, EV_WORKER_FAILED, ST_FAILING, ACT_SAVE_FAIL, "it had failed"),
    EDGE(ST_FENCING, EV_CHANGED, ST_RETURNING, ACT_SAVE_RETURN, "the file had changed"),
    FINAL_WINS(ST_FENCING),

    /* stop: fence and intent at once, then the rollback */
    WANTED(ST_STOPPING),
    EDGE(ST_STOPPING, EV_MISSED, ST_READING, ACT_READ, "the row has moved on"),
    KILLS(ST_STOPPING, "a user kills it"),
    ENDS_WHILE_STOPPING(EV_LOADED),
    ENDS_WHILE_STOPPING(EV_FINISHED),
    ENDS_WHILE_STOPPING(EV_WORKER_FAILED),
    ENDS_WHILE_STOPPING(EV_FENCED),
    ENDS_WHILE_STOPPING(EV_TROUBLE),
    ENDS_WHILE_STOPPING(EV_CHANGED),
    ENDS_WHILE_STOPPING(EV_CRASHED),
    STOP_UNDER_WAY(ST_ROLLING_BACK),
    STOP_UNDER_WAY(ST_RELAUNCHING),
    ROLLING(ST_ROLLING_BACK, ST_RELAUNCHING, EV_EMPTY_STOP, ST_EMPTYING, ACT_SAVE_EMPTY),
    EDGE(ST_EMPTYING, EV_SAVED, ST_STOPPED, ACT_REST, "rolled back"),
    EDGE(ST_EMPTYING, EV_MISSED, ST_READING, ACT_READ, "the row has moved on"),

    /* --restart: the same rollback, and the upload begins anew */
    RESTART_UNDER_WAY(ST_CLEARING),
    RESTART_UNDER_WAY(ST_RECLEARING),
    ROLLING(ST_CLEARING, ST_RECLEARING, EV_EMPTY_RESTART, ST_RESTARTING, ACT_SAVE_RESTARTED),
    EDGE(ST_RESTARTING, EV_SAVED, ST_QUEUED, ACT_ENQUEUE, "it begins anew"),
    EDGE(ST_RESTARTING, EV_MISSED, ST_READING, ACT_READ, "the row has moved on"),

    /* kill: SIGKILL, the end of the process, the fence */
    ENDS_OF_A_KILLED_WORKER(EV_GONE),
    ENDS_OF_A_KILLED_WORKER(EV_LOADED),
    ENDS_OF_A_KILLED_WORKER(EV_FINISHED),
    ENDS_OF_A_KILLED_WORKER(EV_WORKER_FAILED),
    ENDS_OF_A_KILLED_WORKER(EV_FENCED),
    ENDS_OF_A_KILLED_WORKER(EV_TROUBLE),
    ENDS_OF_A_KILLED_WORKER(EV_CHANGED),
    ENDS_OF_A_KILLED_WORKER(EV_CRASHED),
    ENDS_OF_A_KILLED_WORKER(EV_EMPTY_STOP),
    ENDS_OF_A_KILLED_WORKER(EV_EMPTY_RESTART),
    EDGE(ST_KILL_FENCING, EV_SAVED, ST_KILLED, ACT_REST, "killed; its recovery point is known"),
    FINAL_WINS(ST_KILL_FENCING),

    /* shutdown and crash */
    UPLOADS_REFUSED(ST_ENDING, ERR_SHUTTING_DOWN, "the supervisor ends"),
    EDGE(ST_ENDING, EV_STOP, ST_STOPPING, ACT_SAVE_STOP, "a user stops it"),
    KILLS(ST_ENDING, "a user kills it"),
    EDGE(ST_ENDING, EV_LOADED, ST_FINISHING, ACT_SAVE_FINISH, "its final checkpoint is in"),
    EDGE(ST_ENDING, EV_FINISHED, ST_INTERRUPTING, ACT_SAVE_INTERRUPT, "the supervisor ends"),
    EDGE(ST_ENDING, EV_TROUBLE, ST_INTERRUPTING, ACT_SAVE_INTERRUPT, "the supervisor ends"),
    EDGE(ST_ENDING, EV_CRASHED, ST_INTERRUPTING, ACT_SAVE_INTERRUPT, "the supervisor ends"),
    EDGE(ST_ENDING, EV_FENCED, ST_READING, ACT_READ, "somebody else has it"),
    EDGE(ST_ENDING, EV_WORKER_FAILED, ST_FAILING, ACT_SAVE_FAIL, "it failed"),
    EDGE(ST_ENDING, EV_CHANGED, ST_RETURNING, ACT_SAVE_RETURN, "the file has changed"),
    EDGE(ST_ENDING, EV_TIMEOUT, ST_ENDING, ACT_KILL, "its worker does not end"),
    EDGE(ST_INTERRUPTING, EV_SAVED, ST_INTERRUPTED, ACT_REST,
         "interrupted; its recovery point is known"),
    FINAL_WINS(ST_INTERRUPTING),
    UPLOADS_REFUSED(ST_LEFT, ERR_SHUTTING_DOWN, "the supervisor ends"),
    REFUSED(ST_LEFT, EV_STOP, ERR_SHUTTING_DOWN, "the supervisor ends"),
    REFUSED(ST_LEFT, EV_KILL, ERR_SHUTTING_DOWN, "the supervisor ends"),
    REFUSED(ST_LEFT, EV_KILL_FINAL, ERR_SHUTTING_DOWN, "the supervisor ends"),

    /* its own error, and a file that is not the one */
    EDGE(ST_FAILING, EV_SAVED, ST_FAILED, ACT_REST, "failed; its recovery point is known"),
    FINAL_WINS(ST_FAILING),
    EDGE(ST_RETURNING, EV_ROW_STOPPED, ST_STOPPED, ACT_REST, "back to the status it had"),
    EDGE(ST_RETURNING, EV_ROW_KILLED, ST_KILLED, ACT_REST, "back to the status it had"),
    EDGE(ST_RETURNING, EV_ROW_FAILED, ST_FAILED, ACT_REST, "back to the status it had"),
    EDGE(ST_RETURNING, EV_MISSED, ST_READING, ACT_READ, "the row has moved on"),

    /* at rest */
    EDGE(ST_STOPPED, EV_UPLOAD, ST_QUEUEING, ACT_SAVE_QUEUE, "it begins anew"),
    EDGE(ST_STOPPED, EV_RESTART, ST_QUEUEING, ACT_SAVE_QUEUE, "it begins anew"),
    EDGE(ST_STOPPED, EV_STOP, ST_STOPPED, ACT_NOOP, "it is STOPPED already"),
    REFUSED(ST_STOPPED, EV_KILL, ERR_NOT_RUNNING, "it is STOPPED and does not run"),
    GOES_ON(ST_KILLED),
    EDGE(ST_KILLED, EV_KILL, ST_KILLED, ACT_NOOP, "it is KILLED already"),
    GOES_ON(ST_INTERRUPTED),
    EDGE(ST_INTERRUPTED, EV_KILL, ST_KILLING, ACT_KILL, "a user kills it: it will not go on"),
    EDGE(ST_INTERRUPTED, EV_RESUME, ST_QUEUEING, ACT_SAVE_QUEUE, "it goes on by itself"),
    EDGE(ST_INTERRUPTED, EV_GIVE_UP, ST_FAILING, ACT_SAVE_FAIL, "retry_limit is reached"),
    GOES_ON(ST_FAILED),
    REFUSED(ST_FAILED, EV_UPLOAD_KNOWN, ERR_ALREADY_UPLOADED, "this file is in already"),
    REFUSED(ST_FAILED, EV_UPLOAD_GROWN, ERR_GROWN, "the beginning of this file is in already"),
    EDGE(ST_FAILED, EV_KILL, ST_FAILED, ACT_NOOP, "it is FAILED already and does not run"),
    UPLOADS_REFUSED(ST_PROCESSED, ERR_ALREADY_UPLOADED, "this file is in already"),
    EDGE(ST_PROCESSED, EV_UPLOAD_NEW, ST_CREATING, ACT_CREATE, "a new upload of this path"),
    REFUSED(ST_PROCESSED, EV_STOP, ERR_PROCESSED, "it is PROCESSED; nothing is in progress"),
    REFUSED(ST_PROCESSED, EV_KILL, ERR_PROCESSED, "it is PROCESSED; nothing is in progress"),
    REFUSED(ST_PROCESSED, EV_KILL_FINAL, ERR_PROCESSED, "it is PROCESSED; nothing is in progress"),

    /* another owner's */
    UPLOADS_SAME(ST_FOREIGN, "another supervisor has it"),
    EDGE(ST_FOREIGN, EV_RESTART, ST_FOREIGN, ACT_SAME, "another supervisor has it"),
    FOREIGN(ST_FOREIGN),
    UPLOADS_REFUSED(ST_FOREIGN_STOP, ERR_STOP_UNDER_WAY, "a stop of it is under way"),
    FOREIGN(ST_FOREIGN_STOP),
};

static const struct {
    const char *name;
    enum status status;
    const char *phase;
    enum state_kind kind;
} states[] = {
#define X(name, text, status, phase, kind) [name] = {text, status, phase, kind},
    STATES(X)
#undef X
};

static const struct {
    const char *name;
    bool command;
    const char *what;
} events[] = {
#define X(name, text, command, what) [name] = {text, command, what},
    EVENTS(X)
#undef X
};

static const struct {
    const char *name;
    const char *what;
} actions[] = {
#define X(name, text, what) [name] = {text, what},
    ACTIONS(X)
#undef X
};

struct transition fsm_next(enum state state, enum event event)
{
    if (table[state][event].listed)
        return (struct transition){
            .verdict = table[state][event].refusal ? FSM_REFUSED : FSM_EDGE,
            .next = table[state][event].next,
            .action = table[state][event].action,
            .refusal = table[state][event].refusal,
            .reason = table[state][event].reason,
        };
    bool waits =
        states[state].kind == STATE_BUSY && (events[event].command || event == EV_SHUTDOWN);
    return (struct transition){
        .verdict = waits ? FSM_WAITS : FSM_IMPOSSIBLE,
        .next = state,
        .action = ACT_NOTHING,
        .reason = waits ? "it waits for what is under way" : "no such thing happens here",
    };
}

const char *state_name(enum state state)
{
    return states[state].name;
}

const char *state_phase(enum state state)
{
    return states[state].phase;
}

enum status state_status(enum state state)
{
    return states[state].status;
}

bool state_rests(enum state state)
{
    return states[state].kind == STATE_REST;
}

enum state_kind state_kind(enum state state)
{
    return states[state].kind;
}

const char *event_name(enum event event)
{
    return events[event].name;
}

bool event_is_command(enum event event)
{
    return events[event].command;
}

const char *action_name(enum action action)
{
    return actions[action].name;
}

const char *event_text(enum event event)
{
    return events[event].what;
}

const char *action_text(enum action action)
{
    return actions[action].what;
}
