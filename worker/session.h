/* SPDX-License-Identifier: PostgreSQL */
/* The talk with the supervisor over the socketpair: takes the job and what changes it on the way,
 * and tells how it goes. One load or one rollback at a time; `end` is the last message, and when it
 * is out, everything is let go of, so that the loop ends. When the supervisor is gone, the process
 * ends at once. */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include "base/error.h"

#include <uv.h>

struct session;

/* Talks over this descriptor, which it takes over. Errors: ERR_SYSTEM. */
int session_new(uv_loop_t *loop, int fd, struct session **session, struct error *err) MUST_USE;

/* Frees it, once the loop has ended: in one more run of the loop. */
void session_close(struct session *session);

#endif
