/* SPDX-License-Identifier: PostgreSQL */
/* The talk with the supervisor over the socketpair: does the job, takes what changes it on the way,
 * and tells how it goes. One load or one rollback at a time; `end` is the last message, and when it
 * is out, everything is let go of, so that the loop ends. When the supervisor is gone, the process
 * ends at once. */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include "base/error.h"
#include "ipc/job.h"

#include <uv.h>

struct db_kept;
struct session;

/* Begins the job, which it takes over, as its descriptor; `kept` is a connection to upload over, or
 * NULL. Errors: ERR_SYSTEM. */
int session_new(uv_loop_t *loop, int fd, const struct job *job, struct db_kept *kept,
                struct session **session, struct error *err) MUST_USE;

/* What the process has to exit with, as forker.h says. */
int session_exit_code(const struct session *session);

/* Frees it, once the loop has ended: in one more run of the loop. */
void session_close(struct session *session);

#endif
