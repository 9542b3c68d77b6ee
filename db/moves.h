/* SPDX-License-Identifier: PostgreSQL */
/* Every way to change a tracker's status, owner, intent or mark, as one table. Each is one
 * compare-and-swap on epoch and token that renews both and writes its file_event in the same
 * statement; there is no other. (A move that changes epoch and token alone is a fence and no
 * transition, and writes none; creation has its own statement and event.) */
#ifndef DB_MOVES_H
#define DB_MOVES_H

#include "base/status.h"

#include <stdbool.h>

/* What the service still owes a tracker: file_tracker.wanted. */
enum wanted { WANTED_NOTHING, WANTED_STOP, WANTED_RESTART, WANTED_KEPT };

/* What the rows must show, in the same statement, for the move to be made. */
enum move_requires {
    REQUIRES_NOTHING,
    REQUIRES_FINAL, /* the last checkpoint is final, records = rows + rejects up to it, and nothing
                       is wanted */
    REQUIRES_EMPTY  /* no checkpoint, no reject (and so no row) is left, and a stop or restart is
                       wanted */
};

enum move_mark { MARK_KEPT, MARK_SET, MARK_CLEARED };
enum move_owner { OWNER_KEPT, OWNER_SET };

/* X(NAME, event, status, wanted, mark, owner, requires, what it is for)
 * STATUS_NONE: the status is kept. MOVE_RETURN's status comes with the call. */
#define MOVES(X)                                                                                   \
    X(MOVE_QUEUE, "queue", STATUS_INITIALIZING, WANTED_NOTHING, MARK_CLEARED, OWNER_SET,           \
      REQUIRES_NOTHING, "an upload is accepted, or goes on")                                       \
    X(MOVE_START, "start", STATUS_PROCESSING, WANTED_KEPT, MARK_CLEARED, OWNER_SET,                \
      REQUIRES_NOTHING, "a worker is about to start")                                              \
    X(MOVE_FENCE, "fence", STATUS_NONE, WANTED_KEPT, MARK_KEPT, OWNER_KEPT, REQUIRES_NOTHING,      \
      "nothing of an earlier epoch can commit any more")                                           \
    X(MOVE_FINISH, "finish", STATUS_PROCESSED, WANTED_NOTHING, MARK_CLEARED, OWNER_KEPT,           \
      REQUIRES_FINAL, "the final checkpoint is in")                                                \
    X(MOVE_STOP, "stop", STATUS_PROCESSING, WANTED_STOP, MARK_CLEARED, OWNER_SET,                  \
      REQUIRES_NOTHING, "fence and durable intent at once")                                        \
    X(MOVE_RESTART, "restart", STATUS_PROCESSING, WANTED_RESTART, MARK_CLEARED, OWNER_SET,         \
      REQUIRES_NOTHING, "as stop; the upload begins anew after it")                                \
    X(MOVE_EMPTY, "empty", STATUS_STOPPED, WANTED_NOTHING, MARK_CLEARED, OWNER_KEPT,               \
      REQUIRES_EMPTY, "the rollback of a stop is complete")                                        \
    X(MOVE_RESTARTED, "restarted", STATUS_INITIALIZING, WANTED_NOTHING, MARK_CLEARED, OWNER_KEPT,  \
      REQUIRES_EMPTY, "the rollback of a restart is complete")                                     \
    X(MOVE_KILL, "kill", STATUS_KILLED, WANTED_NOTHING, MARK_CLEARED, OWNER_KEPT,                  \
      REQUIRES_NOTHING, "a user killed it")                                                        \
    X(MOVE_INTERRUPT, "interrupt", STATUS_KILLED, WANTED_NOTHING, MARK_SET, OWNER_KEPT,            \
      REQUIRES_NOTHING, "a crash or shutdown interrupted it")                                      \
    X(MOVE_FAIL, "fail", STATUS_FAILED, WANTED_NOTHING, MARK_CLEARED, OWNER_KEPT,                  \
      REQUIRES_NOTHING, "it ended on its own error")                                               \
    X(MOVE_RETURN, "return", STATUS_NONE, WANTED_NOTHING, MARK_CLEARED, OWNER_KEPT,                \
      REQUIRES_NOTHING, "the file has changed: back to the status it had")

enum move {
#define X(name, event, status, wanted, mark, owner, requires, what) name,
    MOVES(X)
#undef X
        MOVE_COUNT
};

struct move_row {
    const char *event;
    enum status status;
    enum wanted wanted;
    enum move_mark mark;
    enum move_owner owner;
    enum move_requires requires;
};

extern const struct move_row move_table[MOVE_COUNT];

/* Does it change more than epoch and token, and so write an event? */
bool move_is_transition(enum move move);

/* "stop", "restart", NULL for WANTED_NOTHING; static. */
const char *wanted_name(enum wanted wanted);

/* The way back; WANTED_NOTHING for NULL. */
enum wanted wanted_parse(const char *name);

#endif
