/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/timer.h"

#include "base/mem.h"

#include <stdlib.h>

uv_timer_t *timer_new(uv_loop_t *loop, void *data)
{
    uv_timer_t *timer = NEW(uv_timer_t);

    uv_timer_init(loop, timer);
    timer->data = data;
    return timer;
}

uv_timer_t *timer_every(uv_loop_t *loop, uv_timer_cb each, uint64_t period_ms, void *data)
{
    uv_timer_t *timer = timer_new(loop, data);

    uv_timer_start(timer, each, period_ms, period_ms);
    uv_unref((uv_handle_t *)timer);
    return timer;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void timer_close(uv_timer_t *timer)
{
    if (timer)
        uv_close((uv_handle_t *)timer, on_closed);
}
