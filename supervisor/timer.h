/* SPDX-License-Identifier: PostgreSQL */
/* Timers with memory of their own: libuv closes a handle in a later turn of the loop, in which its
 * owner may be gone already. */
#ifndef SUPERVISOR_TIMER_H
#define SUPERVISOR_TIMER_H

#include <stdint.h>
#include <uv.h>

/* A timer that is not started; `data` is its own. */
uv_timer_t *timer_new(uv_loop_t *loop, void *data);

/* One that calls `each` every so often, and keeps no loop alive. */
uv_timer_t *timer_every(uv_loop_t *loop, uv_timer_cb each, uint64_t period_ms, void *data);

/* Stops it, and frees it in a later turn of the loop. NULL is allowed. */
void timer_close(uv_timer_t *timer);

#endif
