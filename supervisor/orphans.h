/* SPDX-License-Identifier: PostgreSQL */
/* A worker whose forker is killed dies with it, and has no parent then that would reap it but
 * process 1, which in a container is the supervisor itself. */
#ifndef SUPERVISOR_ORPHANS_H
#define SUPERVISOR_ORPHANS_H

#include <uv.h>

/* Where this process inherits orphans, reaps them from now on; the processes that libuv has started
 * on this loop are left to it. Else NULL, and nothing is done. Keeps no loop alive. */
uv_signal_t *orphans_watch(uv_loop_t *loop);

/* No more. NULL is allowed. */
void orphans_leave(uv_signal_t *watch);

#endif
