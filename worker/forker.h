/* SPDX-License-Identifier: PostgreSQL */
/* The process that workers are forked from: the program's fresh image, its libraries loaded,
 * without loop, thread or file. It waits for a job, forks the worker that does it, and waits for
 * its end, before it takes the next: so a worker is a process of its own, and costs no more than a
 * fork. From the second job on it keeps a connection (db/kept.h) for them.
 *
 * To the supervisor both are one: the forker has the worker's socket open, too; a worker that dies
 * takes its forker along (which ends by the same signal, or with the same exit code), and is itself
 * killed with it. Jobs come over a socket of the forker's own, so that a worker that somebody has
 * taken over gets no other, and cannot say that it is gone. */
#ifndef WORKER_FORKER_H
#define WORKER_FORKER_H

#include "ipc/job.h"

#include <sys/types.h>

struct db_kept;

/* What a worker exits with that its forker has to end with in order, because there is nothing to go
 * on with: a session that is not at rest, or an upload that did not go as uploads do. */
#define EXIT_SPENT 100

/* Serves the supervisor, process `parent`, at the other end of FORKER_SOCKET_FD, and ends with it.
 * Returns in every worker: the job, which is the caller's, and the connection that is kept for it,
 * or NULL. */
void forker_run(pid_t parent, struct job *job, struct db_kept **kept);

#endif
