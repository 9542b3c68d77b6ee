/* SPDX-License-Identifier: PostgreSQL */
/* A batch run: what the [batch NAME] sections name is uploaded, each file through a request of its
 * own (requests.h), a line a file and totals on standard output; then the supervisor ends. */
#ifndef SUPERVISOR_BATCH_H
#define SUPERVISOR_BATCH_H

#include <stdbool.h>

struct batch;
struct supervisor;

/* Expands the patterns (one that matches nothing is a warning). What was STOPPED stays so, unless
 * `include_stopped`. When all files have their line it prints the totals and ends the supervisor.
 * While the database is away it waits, for as long as it takes; but database.c ends a run whose
 * database was not there from the beginning. */
struct batch *batch_new(struct supervisor *supervisor, bool include_stopped);

/* The database is ready: it begins, or goes on. NULL is allowed. */
void batch_database_open(struct batch *batch);

/* The connections are closed: what was asked of them is asked again. NULL is allowed. */
void batch_database_lost(struct batch *batch);

/* The supervisor ends: no further file is begun. NULL is allowed. */
void batch_stop(struct batch *batch);

/* At the end, before the uploads are freed: prints what has no line yet as it is, and the totals,
 * unless they are printed. EXIT_DONE when all files are in (now or before), EXIT_REJECTS when some
 * have rejects, EXIT_FAILED when one is not in. */
int batch_report(struct batch *batch);

/* After the loop has ended, before the requests are freed. NULL is allowed. */
void batch_free(struct batch *batch);

#endif
