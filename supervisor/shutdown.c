/* SPDX-License-Identifier: PostgreSQL */
/* What does not come to rest in stop_timeout and some seconds is left to the next life's recovery;
 * so is all that cannot be saved because the database is away. */
#include "supervisor/shutdown.h"

#include "base/log.h"
#include "base/mem.h"
#include "db/recovery.h"
#include "supervisor/control.h"
#include "supervisor/database.h"
#include "supervisor/forget.h"
#include "supervisor/process.h"
#include "supervisor/proving.h"
#include "supervisor/spool.h"
#include "supervisor/supervisor.h"
#include "supervisor/timer.h"
#include "supervisor/uploads.h"

#include <stdlib.h>
#include <string.h>

/* Beyond stop_timeout, in which workers end or are killed: for the last moves to be saved. */
#define MARGIN_MS 5000

/* For what the thread pool still does (a look at a file on a dead file server, say), once all else
 * is closed. */
#define THREADS_MS 2000

/* For what follows that. */
#define LAST_MS 1000

/* Of the queue, interrupted by one statement. */
#define BLOCK 1000

struct shutdown {
    struct supervisor *supervisor;
    uv_timer_t *timer;
    bool begun;
    uint64_t end_by_ms;
    int64_t ids[BLOCK]; /* of the block under way */
    size_t count;
};

/* ---- the queue ---- */

static void interrupt_queued(struct shutdown *shutdown);

/* Nobody works on it, and its recovery point has not moved since it was fenced: the row is known
 * but for its token. */
static void now_interrupted(struct upload *upload)
{
    struct tracker row = upload->row;

    row.status = STATUS_KILLED;
    row.interrupted = true;
    row.epoch++;
    upload->shutdown = true;
    upload_take_up(upload, &row);
}

/* When not all were moved, which is not known: each is then done by itself. */
static void on_interrupted(void *arg, int64_t moved, const struct db_error *err)
{
    struct shutdown *shutdown = arg;
    struct uploads *uploads = shutdown->supervisor->uploads;

    if (err || moved != (int64_t)shutdown->count) {
        uploads_shutdown(uploads, false);
        return;
    }
    for (size_t i = 0; i < shutdown->count; i++) {
        struct upload *upload = uploads_by_id(uploads, shutdown->ids[i]);
        if (upload && upload->queued)
            now_interrupted(upload);
    }
    interrupt_queued(shutdown);
}

struct collection {
    struct shutdown *shutdown;
    struct tracker *rows;
};

static void collect(struct upload *upload, void *arg)
{
    const struct collection *to = arg;
    struct shutdown *shutdown = to->shutdown;

    if (!upload->queued || upload->row.final || shutdown->count == BLOCK)
        return;
    shutdown->ids[shutdown->count] = upload->row.id;
    to->rows[shutdown->count++] = upload->row; /* borrowed */
}

static void interrupt_queued(struct shutdown *shutdown)
{
    struct supervisor *supervisor = shutdown->supervisor;
    const struct asker asker = {-1, "the supervisor ends"};
    struct collection to = {shutdown, mem_new(BLOCK, sizeof *to.rows)};

    shutdown->count = 0;
    if (supervisor->open)
        uploads_each(supervisor->uploads, collect, &to);
    if (shutdown->count > 0)
        unfinished_interrupt(database_reads(supervisor->database), to.rows, shutdown->count, &asker,
                             on_interrupted, shutdown);
    else
        uploads_shutdown(supervisor->uploads, false);
    free(to.rows);
}

/* ---- the end ---- */

static void on_hung(uv_timer_t *timer)
{
    const struct shutdown *shutdown = timer->data;

    log_line(LOG_LEVEL_WARNING, 0, "a file or a name server does not answer; not waited for");
    supervisor_leave(shutdown->supervisor, shutdown->supervisor->exit_code);
}

static void close_parts(struct shutdown *shutdown)
{
    struct supervisor *supervisor = shutdown->supervisor;

    supervisor->closed = true;
    if (uploads_unrested(supervisor->uploads) > 0)
        log_line(LOG_LEVEL_WARNING, 0, "left to the next life uploads=%zu",
                 uploads_unrested(supervisor->uploads));
    forgets_stop(supervisor);
    provings_stop(supervisor);
    database_stop(supervisor->database);
    spools_stop(supervisor->spools);
    control_close(supervisor->control);
    uploads_close(supervisor->uploads);
    workers_close(supervisor->workers);
    for (size_t i = 0; i < UPLOADERD_SIGNAL_COUNT; i++)
        uv_close((uv_handle_t *)&supervisor->signals[i], NULL);
    uv_unref((uv_handle_t *)shutdown->timer);
    uv_timer_start(shutdown->timer, on_hung, THREADS_MS, 0);
}

/* Nothing is owed any more; or the database is away, and nothing can be saved. */
static bool may_close(const struct supervisor *supervisor)
{
    return supervisor->open ? uploads_unrested(supervisor->uploads) == 0
                            : uploads_working(supervisor->uploads) == 0;
}

/* In a turn of its own: the parts are not closed from within their own calls. */
static void on_look(uv_timer_t *timer)
{
    struct shutdown *shutdown = timer->data;
    uint64_t now = uv_now(timer->loop);

    if (may_close(shutdown->supervisor) || now >= shutdown->end_by_ms)
        close_parts(shutdown);
    else
        uv_timer_start(timer, on_look, shutdown->end_by_ms - now, 0);
}

void shutdown_look(struct shutdown *shutdown)
{
    if (shutdown->begun && !shutdown->supervisor->closed)
        uv_timer_start(shutdown->timer, on_look, 0, 0);
}

static uint64_t until_closed_ms(const struct conf *conf)
{
    return (uint64_t)conf->stop_timeout_ms + MARGIN_MS;
}

uint64_t shutdown_longest_ms(const struct conf *conf)
{
    return until_closed_ms(conf) + THREADS_MS + LAST_MS;
}

void shutdown_begin(struct shutdown *shutdown)
{
    struct supervisor *supervisor = shutdown->supervisor;

    shutdown->begun = true;
    shutdown->end_by_ms = uv_now(supervisor->loop) + until_closed_ms(&supervisor->conf);
    uploads_shutdown(supervisor->uploads, true);
    interrupt_queued(shutdown);
    shutdown_look(shutdown);
}

void shutdown_database_lost(struct shutdown *shutdown)
{
    if (!shutdown->begun)
        return;
    uploads_shutdown(shutdown->supervisor->uploads, false);
    shutdown_look(shutdown);
}

struct shutdown *shutdown_new(struct supervisor *supervisor)
{
    struct shutdown *shutdown = NEW(struct shutdown);

    shutdown->supervisor = supervisor;
    shutdown->timer = timer_new(supervisor->loop, shutdown);
    return shutdown;
}

void shutdown_free(struct shutdown *shutdown)
{
    if (!shutdown)
        return;
    timer_close(shutdown->timer);
    free(shutdown);
}
