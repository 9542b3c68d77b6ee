/* SPDX-License-Identifier: PostgreSQL */
/* The supervisor's transactions that are not about one tracker: taking its name, ending its earlier
 * life, the schema, and what it finds unfinished. */
#ifndef DB_RECOVERY_H
#define DB_RECOVERY_H

#include "db/conn.h"
#include "db/trackers.h"

typedef void (*on_done)(void *arg, const struct db_error *err);

/* "uploader/<16 hex digits of the name's XXH3>/<start>/<tracker>/<epoch>", under 64 bytes.
 * `start` tells a supervisor's lives apart. The caller frees. */
char *backend_name(const char *owner, const char *start, int64_t tracker, int64_t epoch);

/* Whether the pooler between (if any) gives each session a server process of its own: asks both for
 * theirs, in turns that a pooler which shares them between transactions cannot answer alike. There
 * are no false alarms. `other` is a second connection of the same settings; neither may be closed
 * before the answer unless both are, in the same turn of the loop. */
typedef void (*on_session)(void *arg, bool own, const struct db_error *err);
void session_check(struct db_conn *conn, struct db_conn *other, on_session answer, void *arg);

/* Tries to take the session's advisory lock of this owner's name. `holder` is the backend pid that
 * has it (0: taken by this session; -1: it has just gone, ask again), `holder_name` its
 * application_name, NULL when unknown. */
typedef void (*on_guard)(void *arg, int holder, const char *holder_name,
                         const struct db_error *err);
void guard_take(struct db_conn *conn, const char *owner, on_guard answer, void *arg);

/* Terminates backends of this owner's name in this database whose start is not `start` (field by
 * field), or that are the supervisor's own (tracker 0) and have another application_name than
 * `conn`: connections that it has lost. Answers how many were there: the caller asks again until it
 * is 0. Those of another database role are counted, but cannot be terminated: they are to end by
 * themselves. */
typedef void (*on_count)(void *arg, int64_t count, const struct db_error *err);
void earlier_life_terminate(struct db_conn *conn, const char *owner, const char *start,
                            on_count answer, void *arg);

/* Creates the schema or migrates it to this program's version, one transaction a migration, under a
 * lock; nothing else may be given to the connection until it has answered. A current schema needs
 * no more than rights to use it. A schema of a newer version, or a role that may not create what is
 * missing: DB_DENIED with a message and a hint that say so. */
void schema_migrate(struct db_conn *conn, on_done answer, void *arg);

/* Whether this owner begins uploads; kept over its lives. pause_set answers when it is durable. */
typedef void (*on_paused)(void *arg, bool paused, const struct db_error *err);
void pause_set(struct db_conn *conn, const char *owner, int64_t uid, bool paused, on_done answer,
               void *arg);
void pause_read(struct db_conn *conn, const char *owner, on_paused answer, void *arg);

/* Recovery's set-based fence: all trackers of this owner that are INITIALIZING or PROCESSING, or
 * want a stop or restart, get a new epoch, and one new token for all of them, and nothing else of
 * theirs changes; rows that others have locked are skipped. Then, in a second statement, they are
 * answered with their recovery points, in the order of their ids. The `skipped` ones, read and not
 * fenced, stand behind them as trackers[count] and on: the caller asks again until there are none,
 * or fences each with MOVE_FENCE, which waits for its lock. */
typedef void (*on_unfinished)(void *arg, const struct tracker *trackers, size_t count,
                              int64_t skipped, const struct db_error *err);
void unfinished_fence(struct db_conn *conn, const char *owner, on_unfinished answer, void *arg);

/* The same without a fence: all that are unfinished are answered as skipped. */
void unfinished_read(struct db_conn *conn, const char *owner, on_unfinished answer, void *arg);

/* Of this owner, those that are KILLED and marked interrupted: their ids, ascending; the one who is
 * called frees them. */
typedef void (*on_ids)(void *arg, int64_t *ids, size_t count, const struct db_error *err);
void interrupted_read(struct db_conn *conn, const char *owner, on_ids answer, void *arg);

/* Set-based end of recovery or shutdown for the trackers given, by compare-and-swap on their epochs
 * and tokens: MOVE_INTERRUPT for each (those with a final checkpoint go through tracker_move
 * instead). Answers how many were moved. One lock that is not had in time is DB_CONFLICT, and then
 * none was. */
void unfinished_interrupt(struct db_conn *conn, const struct tracker *trackers, size_t count,
                          const struct asker *asker, on_count answer, void *arg);

#endif
