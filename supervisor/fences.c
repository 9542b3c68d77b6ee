/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/fences.h"

#include "base/log.h"
#include "base/mem.h"
#include "db/recovery.h"
#include "supervisor/timer.h"

#include <stdlib.h>

#define MOST 4
#define WATCH_MS 500
#define PATIENCE_MS 1000 /* a fence that waits longer for a lock has its blocker ended */
#define FOREIGN_LOG_MS 60000
#define REST_MS 5000   /* a further one that had nothing to do so long is closed again */
#define AGAIN_MS 60000 /* after one that could not be had */

struct fence {
    struct fences *fences;
    struct db_conn *conn;
    uint64_t since_ms; /* its queue is not empty since; 0: it is */
    uint64_t given_ms; /* when it was last given to somebody, or opened */
    bool watching;     /* blockers are being looked for */
    bool had;          /* it was ready */
};

struct fences {
    uv_loop_t *loop;
    const struct db_settings *settings;
    struct db_conn *reads;
    const struct db_events *events;
    void *arg;
    struct fence list[MOST];
    size_t count;
    uint64_t again_ms; /* no further one is opened before */
    uv_timer_t *watch;
    uint64_t foreign_at_ms; /* a foreign blocker was logged last; 0: never */
};

/* ---- one that waits too long for a lock ---- */

static void on_blockers_ended(void *arg, int terminated, int foreign, const struct db_error *err)
{
    struct fence *fence = arg;
    struct fences *fences = fence->fences;
    uint64_t now = uv_now(fences->loop);

    fence->watching = false;
    if (err)
        return;
    if (terminated > 0)
        log_line(LOG_LEVEL_NOTICE, 0, "a fence waited for a lock; backends terminated count=%d",
                 terminated);
    if (foreign != 0 && (!fences->foreign_at_ms || now - fences->foreign_at_ms >= FOREIGN_LOG_MS)) {
        fences->foreign_at_ms = now;
        log_line(LOG_LEVEL_WARNING, 0,
                 "a fence waits for a lock of a backend that is not this service's pid=%d",
                 foreign);
    }
}

static void watch(struct fence *fence, uint64_t now)
{
    if (db_conn_pending(fence->conn) == 0) {
        fence->since_ms = 0;
    } else if (fence->since_ms == 0) {
        fence->since_ms = now;
    } else if (now - fence->since_ms >= PATIENCE_MS && !fence->watching) {
        fence->watching = true;
        blockers_terminate(fence->fences->reads, db_conn_backend_pid(fence->conn),
                           on_blockers_ended, fence);
    }
}

/* The server may need the place for a worker. */
static void close_rested(struct fences *fences, uint64_t now)
{
    struct fence *last = &fences->list[fences->count - 1];

    if (fences->count == 1 || !last->had || last->watching || db_conn_pending(last->conn) > 0 ||
        now - last->given_ms < REST_MS)
        return;
    db_conn_close(last->conn);
    fences->count--;
}

static void on_watch(uv_timer_t *timer)
{
    struct fences *fences = timer->data;

    for (size_t i = 0; i < fences->count; i++)
        watch(&fences->list[i], uv_now(timer->loop));
    close_rested(fences, uv_now(timer->loop));
}

/* ---- the connections ---- */

static bool is_first(const struct fence *fence)
{
    return fence == fence->fences->list;
}

static void on_ready(void *arg)
{
    struct fence *fence = arg;
    struct fences *fences = fence->fences;

    fence->had = true; /* fences_conn finds it */
    if (is_first(fence)) {
        uv_timer_start(fences->watch, on_watch, WATCH_MS, WATCH_MS);
        fences->events->on_ready(fences->arg);
    }
}

/* A further one that was not had yet is the last of the list, and nothing was given to it. */
static void on_lost(void *arg, const struct db_error *err)
{
    struct fence *fence = arg;
    struct fences *fences = fence->fences;

    if (is_first(fence) || fence->had) {
        fences->events->on_lost(fences->arg, err);
        return;
    }
    log_line(LOG_LEVEL_NOTICE, 0, "a further connection cannot be had; done without");
    db_conn_close(fence->conn);
    fences->count--;
    fences->again_ms = uv_now(fences->loop) + AGAIN_MS;
}

static const struct db_events conn_events = {on_ready, on_lost};

static void open_one(struct fences *fences)
{
    struct fence *fence = &fences->list[fences->count++];

    *fence = (struct fence){.fences = fences, .given_ms = uv_now(fences->loop)};
    fence->conn = db_conn_new(fences->loop, fences->settings, &conn_events, fence);
}

struct fences *fences_new(uv_loop_t *loop, const struct db_settings *settings,
                          struct db_conn *reads, const struct db_events *events, void *arg)
{
    struct fences *fences = NEW(struct fences);

    fences->loop = loop;
    fences->settings = settings;
    fences->reads = reads;
    fences->events = events;
    fences->arg = arg;
    fences->watch = timer_new(loop, fences);
    open_one(fences);
    return fences;
}

void fences_close(struct fences *fences)
{
    if (!fences)
        return;
    for (size_t i = 0; i < fences->count; i++)
        db_conn_close(fences->list[i].conn);
    timer_close(fences->watch);
    free(fences);
}

bool fences_ready(const struct fences *fences)
{
    return db_conn_ready(fences->list[0].conn);
}

/* Of those that are ready; the first one is, or all are as good as lost. */
static size_t least_busy(const struct fences *fences)
{
    size_t best = 0;

    for (size_t i = 1; i < fences->count; i++) {
        const struct db_conn *conn = fences->list[i].conn;
        if (db_conn_ready(conn) && db_conn_pending(conn) < db_conn_pending(fences->list[best].conn))
            best = i;
    }
    return best;
}

static bool may_open(const struct fences *fences)
{
    const struct fence *last = &fences->list[fences->count - 1];

    return fences->count < MOST && db_conn_ready(last->conn) &&
           uv_now(fences->loop) >= fences->again_ms;
}

struct db_conn *fences_conn(struct fences *fences)
{
    struct fence *fence = &fences->list[least_busy(fences)];

    if (db_conn_pending(fence->conn) > 0 && may_open(fences))
        open_one(fences);
    fence->given_ms = uv_now(fences->loop);
    return fence->conn;
}

size_t fences_waiting(const struct fences *fences)
{
    return db_conn_pending(fences->list[least_busy(fences)].conn);
}
