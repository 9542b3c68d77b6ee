/* SPDX-License-Identifier: PostgreSQL */
/* The supervisor's transactions on one tracker. Each answers through its callback in a later turn
 * of the loop, with an error or without, exactly once, unless its connection is closed first.
 * Results are borrowed for the time of the callback. */
#ifndef DB_TRACKERS_H
#define DB_TRACKERS_H

#include "base/error.h"
#include "base/identity.h"
#include "base/status.h"
#include "db/conn.h"
#include "db/moves.h"

#include <stdbool.h>
#include <stdint.h>

#define TRACKER_TIME_BYTES 40 /* RFC 3339 in UTC, with microseconds */

#define TRACKER_CONTENT_BYTES 33
#define TRACKER_FIRST_START 2 /* the epoch of a tracker's first start: it is made with 1 */

/* A row of file_tracker with its recovery point, read in one snapshot. */
struct tracker {
    int64_t id;
    char *path;
    char *profile;
    char *profile_text;
    enum status status;
    char *owner;
    int64_t epoch, token;
    enum wanted wanted;
    bool interrupted;          /* the mark: a crash or shutdown ended it, not a user */
    bool again;                /* was begun with --again: not compared with an earlier one */
    int64_t priority;          /* PRIORITY_LEAST to PRIORITY_MOST: the order of the queue */
    int64_t tries, tries_line; /* resumes by itself in a row, and the recovery point at the last */
    struct identity identity;  /* of the file, when it was queued or finished */
    struct error error;        /* why it FAILED; ERR_NONE */
    char created_at[TRACKER_TIME_BYTES], updated_at[TRACKER_TIME_BYTES]; /* a fence is no update */
    /* the last checkpoint; all 0 when there is none */
    int64_t chunk_no, line, offset, rows, rejects;
    bool final;
    char content[TRACKER_CONTENT_BYTES]; /* the hash of the file, in hexadecimal, once PROCESSED */
};

/* A deep copy, ended with tracker_fini, which frees what the tracker owns, not the tracker. */
void tracker_copy(struct tracker *to, const struct tracker *from);
void tracker_fini(struct tracker *tracker);

/* Who asked for a change, for file_event. */
struct asker {
    int64_t uid;        /* of the client, by SO_PEERCRED; -1: the supervisor itself */
    const char *reason; /* English, also the log's text */
};

/* `tracker` is NULL when there is none, or when a compare-and-swap met another epoch. */
typedef void (*on_tracker)(void *arg, const struct tracker *tracker, const struct db_error *err);

/* `err` may be NULL everywhere below for success. */
void tracker_by_id(struct db_conn *conn, int64_t id, on_tracker answer, void *arg);
void tracker_by_path(struct db_conn *conn, const char *path, on_tracker answer, void *arg);
/* Removes a tracker that has ended, with its rows unless `keep_rows`; durable when it is answered.
 * `gone` is false when it has moved on. May take as long as deleting its rows does. */
typedef void (*on_gone)(void *arg, bool gone, const struct db_error *err);
void tracker_forget(struct db_conn *conn, const struct tracker *tracker, bool keep_rows,
                    on_gone answer, void *arg);

/* The tracker that an upload of this file under this profile means: the one that is not
 * PROCESSED, else the newest. */
void tracker_by_upload(struct db_conn *conn, const char *path, const char *profile,
                       on_tracker answer, void *arg);

/* At most `limit` trackers below id `before` (0: from the newest), newest first. */
typedef void (*on_trackers)(void *arg, const struct tracker *trackers, size_t count,
                            const struct db_error *err);
void tracker_list(struct db_conn *conn, enum status only, int64_t before, int64_t limit,
                  on_trackers answer, void *arg);

/* The newest PROCESSED tracker of a path and profile, for "earlier" of a job; NULL when none. */
void tracker_processed(struct db_conn *conn, const char *path, const char *profile,
                       on_tracker answer, void *arg);

/* Looks at the target: an error (DB_DENIED) when file_data is no table, or an unlogged one; else
 * whether it has a unique or exclusion constraint or index, or any trigger that is not the
 * service's own: then lanes could block each other, and one lane loads it. */
typedef void (*on_flag)(void *arg, bool yes, const struct db_error *err);
void target_inspect(struct db_conn *conn, on_flag answer, void *arg);

/* What a move may bring with it; fields that are NULL or absent keep what the row has. */
struct move_args {
    enum status status; /* MOVE_RETURN: the status to return to */
    const char *owner;  /* for moves with OWNER_SET */
    const char *profile_text;
    const struct identity *identity;
    const struct error *error; /* why it failed; NULL clears what the row has */
    const bool *again;
    const int64_t *priority;
    int64_t tries, tries_line; /* always written */
    struct asker asker;
};

/* INSERT of a new tracker, INITIALIZING, with its event "create"; ON CONFLICT DO NOTHING: the
 * answer's tracker is NULL when another holds the place (path and profile, not PROCESSED). */
void tracker_create(struct db_conn *conn, const char *path, const char *profile,
                    const struct move_args *args, on_tracker answer, void *arg);

/* The compare-and-swap on tracker->epoch and ->token. The answer is the row with the new epoch and
 * token and, read in a second statement after it, the true recovery point; NULL when the row had
 * moved on, or lacks what the move requires. Durable when it is answered. A lock that is not had
 * within 2 s is DB_CONFLICT: see blockers_terminate. Each move writes a file_event, but for one
 * that changes epoch and token alone: MOVE_FENCE is no transition. */
void tracker_move(struct db_conn *conn, enum move move, const struct tracker *tracker,
                  const struct move_args *args, on_tracker answer, void *arg);

/* While another connection of this program waits for a lock: terminates the backends of this
 * service at the root of what blocks the backend `pid` (or one of the application_name of `conn`,
 * since a pooler invents pids). Answers how many, and in `foreign` the pid of a root that is not
 * the service's or not this role's (0: none; -1: a prepared transaction). */
typedef void (*on_blockers)(void *arg, int terminated, int foreign, const struct db_error *err);
void blockers_terminate(struct db_conn *conn, int pid, on_blockers answer, void *arg);

/* Courtesy after a fence: terminates backends of older epochs of this tracker that still hold locks
 * on the service's tables. No answer. */
void stragglers_terminate(struct db_conn *conn, int64_t tracker, int64_t epoch);

/* Pages for history and rejects, oldest and first line first: at most `limit`, behind `after`. A
 * page of rejects ends early at 4 MiB of raw bytes; only an empty one is the end. */
struct tracker_event {
    int64_t id;
    char at[TRACKER_TIME_BYTES];
    const char *from_status, *to_status, *event, *reason, *host; /* from_status may be NULL */
    int64_t uid;                                                 /* -1: the supervisor itself */
};
typedef void (*on_events)(void *arg, const struct tracker_event *events, size_t count,
                          const struct db_error *err);
void tracker_events(struct db_conn *conn, int64_t tracker, int64_t after, int64_t limit,
                    on_events answer, void *arg);

struct tracker_reject {
    int64_t line, offset, length;
    const char *reason, *sqlstate; /* sqlstate may be NULL */
    const unsigned char *raw;
    size_t raw_bytes;
};
typedef void (*on_rejects)(void *arg, const struct tracker_reject *rejects, size_t count,
                           const struct db_error *err);
void tracker_rejects(struct db_conn *conn, int64_t tracker, int64_t after, int64_t limit,
                     on_rejects answer, void *arg);

#endif
