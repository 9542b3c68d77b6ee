/* SPDX-License-Identifier: PostgreSQL */
/* The supervisor's connections: one for reads and recovery, and those for what it changes, which
 * may wait for a lock (fences.h). Connects, takes the name, ends the earlier life, migrates,
 * recovers; says supervisor_database_open when all is done and supervisor_database_lost when it is
 * lost again, and then starts over by itself with a back-off. */
#ifndef SUPERVISOR_DATABASE_H
#define SUPERVISOR_DATABASE_H

#include "db/conn.h"

#include <stdbool.h>
#include <stdint.h>

struct database;
struct supervisor;

/* Starts to connect. Never NULL. */
struct database *database_new(struct supervisor *supervisor);

/* The configuration has another password: for what connects from now on, workers included. */
void database_password_changed(struct database *database);

/* Closes the connections, and stops trying. */
void database_stop(struct database *database);

/* After the loop has ended. NULL is allowed. */
void database_free(struct database *database);

/* Only while supervisor->open. Borrowed for one statement. */
struct db_conn *database_reads(struct database *database);
struct db_conn *database_fence(struct database *database);

/* So many statements are ahead of the next one that database_fence gets, at least. */
size_t database_fences_waiting(const struct database *database);

/* A further connection as these are, for what takes long; the caller closes it. */
struct db_conn *database_connect(const struct database *database, const struct db_events *events,
                                 void *arg);

/* Why the last try to reach the database failed; NULL while it is ready, and before that is known.
 * Borrowed until the loop goes on. */
const struct error *database_trouble(const struct database *database);

/* The conninfo for a worker, password included; the caller frees and never logs it. NULL while the
 * database is away. */
char *database_conninfo(struct database *database);

/* Is this tracker, KILLED and marked interrupted, still to go on by itself in this life? Then that
 * is no end of it. */
bool database_will_resume(const struct database *database, int64_t id);

#endif
