/* SPDX-License-Identifier: PostgreSQL */
/* The state machine of an upload, as data: states, events, actions, and one table of
 * (state, event) -> (state, action, reason). Pure: it knows no database, process or client.
 * docs/states.md and `uploaderd --print-states` are printed from it. */
#ifndef SUPERVISOR_STATES_H
#define SUPERVISOR_STATES_H

#include "base/error.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdio.h>

/* While a state is STATE_BUSY a statement is under way, and commands wait for its answer. At
 * STATE_REST nothing is under way or owed: the upload may be forgotten. The durable status is the
 * row's; STATUS_NONE: it depends on where the upload came from. X(NAME, name, durable status,
 * phase, kind) */
#define STATES(X)                                                                                  \
    X(ST_ABSENT, "absent", STATUS_NONE, "absent", STATE_REST)                                      \
    X(ST_READING, "reading", STATUS_NONE, "reading", STATE_BUSY)                                   \
    X(ST_CREATING, "creating", STATUS_NONE, "creating", STATE_BUSY)                                \
    X(ST_QUEUEING, "queueing", STATUS_NONE, "queueing", STATE_BUSY)                                \
    X(ST_QUEUED, "queued", STATUS_INITIALIZING, "queued", STATE_OPEN)                              \
    X(ST_STARTING, "starting", STATUS_NONE, "starting", STATE_BUSY)                                \
    X(ST_RUNNING, "running", STATUS_PROCESSING, "running", STATE_OPEN)                             \
    X(ST_RETRYING, "retrying", STATUS_PROCESSING, "retrying", STATE_OPEN)                          \
    X(ST_FENCING, "fencing", STATUS_NONE, "fencing", STATE_BUSY)                                   \
    X(ST_FINISHING, "finishing", STATUS_NONE, "finishing", STATE_BUSY)                             \
    X(ST_STOPPING, "stopping", STATUS_NONE, "stopping", STATE_BUSY)                                \
    X(ST_ROLLING_BACK, "rolling_back", STATUS_PROCESSING, "stopping", STATE_OPEN)                  \
    X(ST_RELAUNCHING, "relaunching", STATUS_PROCESSING, "stopping", STATE_OPEN)                    \
    X(ST_EMPTYING, "emptying", STATUS_PROCESSING, "stopping", STATE_BUSY)                          \
    X(ST_CLEARING, "clearing", STATUS_PROCESSING, "restarting", STATE_OPEN)                        \
    X(ST_RECLEARING, "reclearing", STATUS_PROCESSING, "restarting", STATE_OPEN)                    \
    X(ST_RESTARTING, "restarting", STATUS_PROCESSING, "restarting", STATE_BUSY)                    \
    X(ST_KILLING, "killing", STATUS_NONE, "killing", STATE_BUSY)                                   \
    X(ST_KILL_FENCING, "kill_fencing", STATUS_NONE, "fencing", STATE_BUSY)                         \
    X(ST_ENDING, "ending", STATUS_PROCESSING, "ending", STATE_OPEN)                                \
    X(ST_INTERRUPTING, "interrupting", STATUS_NONE, "fencing", STATE_BUSY)                         \
    X(ST_FAILING, "failing", STATUS_NONE, "fencing", STATE_BUSY)                                   \
    X(ST_RETURNING, "returning", STATUS_PROCESSING, "returning", STATE_BUSY)                       \
    X(ST_STOPPED, "stopped", STATUS_STOPPED, "ended", STATE_REST)                                  \
    X(ST_KILLED, "killed", STATUS_KILLED, "ended", STATE_REST)                                     \
    X(ST_INTERRUPTED, "interrupted", STATUS_KILLED, "interrupted", STATE_REST)                     \
    X(ST_FAILED, "failed", STATUS_FAILED, "ended", STATE_REST)                                     \
    X(ST_PROCESSED, "processed", STATUS_PROCESSED, "ended", STATE_REST)                            \
    X(ST_FOREIGN, "foreign", STATUS_NONE, "foreign", STATE_REST)                                   \
    X(ST_FOREIGN_STOP, "foreign_stop", STATUS_NONE, "foreign", STATE_REST)                         \
    X(ST_LEFT, "left", STATUS_PROCESSING, "stopping", STATE_REST)

enum state_kind { STATE_OPEN, STATE_BUSY, STATE_REST };

enum state {
#define X(name, text, status, phase, kind) name,
    STATES(X)
#undef X
        STATE_COUNT
};

/* X(NAME, name, is it a command, what happened) */
#define EVENTS(X)                                                                                  \
    X(EV_UPLOAD, "upload", true, "upload")                                                         \
    X(EV_UPLOAD_NEW, "upload_new", true, "upload of a file that is not as it was, or --again")     \
    X(EV_UPLOAD_KNOWN, "upload_known", true, "upload of a file found to be in already")            \
    X(EV_UPLOAD_GROWN, "upload_grown", true, "upload of a file whose beginning is in already")     \
    X(EV_REORDER, "reorder", true, "upload of one that waits, with another --priority")            \
    X(EV_RESTART, "restart", true, "upload --restart")                                             \
    X(EV_STOP, "stop", true, "stop")                                                               \
    X(EV_KILL, "kill", true, "kill")                                                               \
    X(EV_KILL_FINAL, "kill_final", true, "kill, and the final checkpoint is in")                   \
    X(EV_RESUME, "resume", false, "an interrupted upload goes on by itself")                       \
    X(EV_GIVE_UP, "give_up", false, "retry_limit tries made no progress")                          \
    X(EV_SHUTDOWN, "shutdown", false, "the supervisor ends")                                       \
    X(EV_SLOT, "slot", false, "a worker is free for it")                                           \
    X(EV_TIMER, "timer", false, "the back-off is over")                                            \
    X(EV_TIMEOUT, "timeout", false, "the worker did not answer in stop_timeout")                   \
    X(EV_POLL, "poll", false, "somebody waits for another owner's upload")                         \
    X(EV_SAVED, "saved", false, "the move is durable")                                             \
    X(EV_SAVED_FINAL, "saved_final", false, "the move is durable; the final checkpoint is in")     \
    X(EV_SAVED_STOP, "saved_stop", false, "the move is durable; a stop is wanted")                 \
    X(EV_SAVED_RESTART, "saved_restart", false, "the move is durable; a restart is wanted")        \
    X(EV_EMPTY_STOP, "empty_stop", false, "a stop is wanted and nothing is left")                  \
    X(EV_EMPTY_RESTART, "empty_restart", false, "a restart is wanted and nothing is left")         \
    X(EV_MISSED, "missed", false, "the row had moved on, or the answer is lost")                   \
    X(EV_LOADED, "loaded", false, "worker: the final chunk is in")                                 \
    X(EV_FINISHED, "finished", false, "worker: the chunk in hand is in")                           \
    X(EV_WORKER_FAILED, "worker_failed", false, "worker: an error that a retry does not mend")     \
    X(EV_FENCED, "fenced", false, "worker: the gate refused")                                      \
    X(EV_TROUBLE, "trouble", false, "worker: trouble that may pass")                               \
    X(EV_CHANGED, "changed", false, "worker: not the file that was uploaded so far")               \
    X(EV_CRASHED, "crashed", false, "worker: gone without a last message")                         \
    X(EV_GONE, "gone", false, "no worker is left")                                                 \
    X(EV_ROW_NONE, "row_none", false, "read: no tracker")                                          \
    X(EV_ROW_MINE, "row_mine", false, "read: unfinished, and this supervisor's")                   \
    X(EV_ROW_STOPPED, "row_stopped", false, "read: STOPPED")                                       \
    X(EV_ROW_KILLED, "row_killed", false, "read: KILLED")                                          \
    X(EV_ROW_INTERRUPTED, "row_interrupted", false, "read: KILLED, marked interrupted")            \
    X(EV_ROW_FAILED, "row_failed", false, "read: FAILED")                                          \
    X(EV_ROW_PROCESSED, "row_processed", false, "read: PROCESSED")                                 \
    X(EV_ROW_FOREIGN, "row_foreign", false, "read: another owner's, unfinished")                   \
    X(EV_ROW_FOREIGN_STOP, "row_foreign_stop", false, "read: another owner's, a stop is wanted")

enum event {
#define X(name, text, command, what) name,
    EVENTS(X)
#undef X
        EVENT_COUNT
};

/* X(NAME, name, what is done). SAVE_*: the compare-and-swap of that name is sent. */
#define ACTIONS(X)                                                                                 \
    X(ACT_NOTHING, "-", "nothing")                                                                 \
    X(ACT_SAME, "same", "the tracker as it is is the answer")                                      \
    X(ACT_JOIN, "join", "the answer comes when what is under way is done")                         \
    X(ACT_NOOP, "noop", "the tracker as it is is the answer, and a note says so")                  \
    X(ACT_READ, "read", "the row is read")                                                         \
    X(ACT_CREATE, "create", "the tracker is inserted")                                             \
    X(ACT_SAVE_QUEUE, "save_queue", "move: queue")                                                 \
    X(ACT_SAVE_PRIORITY, "save_priority", "move: queue, with another priority")                    \
    X(ACT_ENQUEUE, "enqueue", "it waits for a worker")                                             \
    X(ACT_SAVE_START, "save_start", "move: start")                                                 \
    X(ACT_SPAWN, "spawn", "a worker is started to load")                                           \
    X(ACT_BACK_OFF, "back_off", "the back-off begins")                                             \
    X(ACT_SAVE_FENCE, "save_fence", "move: fence")                                                 \
    X(ACT_SAVE_FINISH, "save_finish", "move: finish")                                              \
    X(ACT_SAVE_STOP, "save_stop", "move: stop")                                                    \
    X(ACT_SAVE_RESTART, "save_restart", "move: restart")                                           \
    X(ACT_ROLL_BACK, "roll_back", "the worker is told to ROLLBACK, or one is started to")          \
    X(ACT_ABANDON, "abandon", "the worker is killed; a new one follows the back-off")              \
    X(ACT_SAVE_EMPTY, "save_empty", "move: empty")                                                 \
    X(ACT_SAVE_RESTARTED, "save_restarted", "move: restarted")                                     \
    X(ACT_KILL, "kill", "SIGKILL; its end is awaited")                                             \
    X(ACT_SAVE_KILL, "save_kill", "move: kill")                                                    \
    X(ACT_TELL_FINISH, "tell_finish", "the worker is told to commit the chunk in hand and end")    \
    X(ACT_SAVE_INTERRUPT, "save_interrupt", "move: interrupt")                                     \
    X(ACT_SAVE_FAIL, "save_fail", "move: fail")                                                    \
    X(ACT_SAVE_RETURN, "save_return", "move: return")                                              \
    X(ACT_LEAVE, "leave", "its worker is killed; the next life goes on with the rollback")         \
    X(ACT_REST, "rest", "who waits is answered")

enum action {
#define X(name, text, what) name,
    ACTIONS(X)
#undef X
        ACTION_COUNT
};

enum verdict {
    FSM_EDGE,      /* next, action, reason */
    FSM_REFUSED,   /* a command is answered with refusal and reason */
    FSM_WAITS,     /* a command waits until the state is no longer busy */
    FSM_IMPOSSIBLE /* no such thing happens here: a bug, answered by reading the row again */
};

struct transition {
    enum verdict verdict;
    enum state next;
    enum action action;
    enum error_code refusal;
    const char *reason; /* English; log text, history and label of the drawing. Static */
};

/* What this event does in this state. Pure. */
struct transition fsm_next(enum state state, enum event event);

const char *state_name(enum state state);
const char *state_phase(enum state state);
enum status state_status(enum state state); /* STATUS_NONE: as the row says */
bool state_rests(enum state state);
enum state_kind state_kind(enum state state);
const char *event_name(enum event event);
bool event_is_command(enum event event);
const char *action_name(enum action action);

/* What happened, what is done: for documents. */
const char *event_text(enum event event);
const char *action_text(enum action action);

/* Print the whole table: docs/states.md, the plain dump that the test compares, the drawing. */
void states_print_markdown(FILE *out);
void states_print_text(FILE *out);
void states_print_dot(FILE *out);

#endif
