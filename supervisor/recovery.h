/* SPDX-License-Identifier: PostgreSQL */
/* When the database is there for the first time in a life: what earlier lives of this name
 * have left unfinished. It is fenced, and what was cut off becomes KILLED and marked interrupted;
 * after that the supervisor is open, and what is wanted goes on: stops and restarts at once, what
 * was interrupted little by little, so that neither commands nor memory suffer from many of them.
 */
#ifndef SUPERVISOR_RECOVERY_H
#define SUPERVISOR_RECOVERY_H

#include "db/meaning.h"

#include <stdbool.h>
#include <stdint.h>

struct recovery;
struct supervisor;

/* `err` NULL: nothing stands against being open. Otherwise the connections are of no use any more:
 * the caller closes them, and begins again on others. */
typedef void (*on_recovered)(void *arg, const struct db_error *err);

struct recovery *recovery_new(struct supervisor *supervisor, on_recovered done, void *arg);

/* Fences and interrupts, on the connection for reads; then calls `done`, and after it, when that
 * has made the supervisor open, takes up what is left to do. */
void recovery_begin(struct recovery *recovery);

/* When the database is there once more: it may be another server, which lacks the last of what the
 * one before had. What is unfinished there and is no upload of this life any more is taken up. What
 * this life works on is left to itself. Calls `done` as recovery_begin does. */
void recovery_look_again(struct recovery *recovery);

/* The database is open again, or the connections are closed: what goes on little by little does
 * so, or waits. */
void recovery_database_open(struct recovery *recovery);
void recovery_database_lost(struct recovery *recovery);

/* Is this tracker, interrupted as it is, still to go on by itself? */
bool recovery_will_resume(const struct recovery *recovery, int64_t id);

/* Nothing more goes on. */
void recovery_stop(struct recovery *recovery);

/* After the loop has ended, and the connections are closed. NULL is allowed. */
void recovery_free(struct recovery *recovery);

#endif
