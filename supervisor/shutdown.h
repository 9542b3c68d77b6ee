/* SPDX-License-Identifier: PostgreSQL */
/* The end in order: workers are told to, the queue is interrupted in a few statements however long
 * it is, and when nothing is owed any more, or time is up, the parts are closed, so that the loop
 * has nothing left. */
#ifndef SUPERVISOR_SHUTDOWN_H
#define SUPERVISOR_SHUTDOWN_H

#include <stdint.h>

struct conf;
struct shutdown;
struct supervisor;

struct shutdown *shutdown_new(struct supervisor *supervisor);

/* How long it takes from its beginning to the end of the process, at most. */
uint64_t shutdown_longest_ms(const struct conf *conf);

/* Begins it; once. */
void shutdown_begin(struct shutdown *shutdown);

/* An upload came to rest, or will not any more: is looked at in the next turn of the loop. Cheap,
 * and nothing before the shutdown has begun. */
void shutdown_look(struct shutdown *shutdown);

/* The connections are closed: what was under way on them is not answered. */
void shutdown_database_lost(struct shutdown *shutdown);

/* After the loop has ended. NULL is allowed. */
void shutdown_free(struct shutdown *shutdown);

#endif
