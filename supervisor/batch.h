/* SPDX-License-Identifier: PostgreSQL */
/* A batch run: what the [batch NAME] sections name is uploaded, each file through a request of its
 * own (requests.h), a line a file and totals on standard output; then the supervisor ends. */
#ifndef SUPERVISOR_BATCH_H
#define SUPERVISOR_BATCH_H

#include <stdbool.h>

struct batch;
struct supervisor;

/* Expands the patterns (one that matches nothing is a warning), and begins in the next turn of the
 * loop. What was STOPPED stays so, unless `include_stopped`. When all files have their line it ends
 * the supervisor: EXIT_DONE when all are in, EXIT_REJECTS with rejects, EXIT_FAILED otherwise;
 * EXIT_USAGE when there is no section. While the database is away it waits. */
struct batch *batch_new(struct supervisor *supervisor, bool include_stopped);

/* The supervisor ends: no further file is begun. NULL is allowed. */
void batch_stop(struct batch *batch);

/* After the loop has ended, before the uploads are freed: prints what has no line yet as it is, and
 * the totals. NULL is allowed. */
void batch_free(struct batch *batch);

#endif
