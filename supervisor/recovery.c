/* SPDX-License-Identifier: PostgreSQL */
/* In the order of its steps: fenced, interrupted, read again, taken up, resumed. Never waits for a
 * row that somebody else has locked: such a straggler is fenced by itself, by the state machine,
 * once the supervisor is open. */
#include "supervisor/recovery.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/pause.h"
#include "db/recovery.h"
#include "supervisor/database.h"
#include "supervisor/supervisor.h"
#include "supervisor/timer.h"
#include "supervisor/uploads.h"

#include <stdlib.h>
#include <string.h>

/* Trackers in one statement. */
#define BLOCK 1000

/* What goes on by itself: so many are read ahead, may wait for a fence's connection, and may be
 * queued. A command's fence waits behind so many others at most. */
#define READ_AHEAD 16
#define FENCES_AHEAD 32
#define QUEUE_AHEAD 1000
#define AGAIN_MS 20

struct recovery {
    struct supervisor *supervisor;
    on_recovered done;
    void *arg;
    size_t blocks; /* of interrupts, to be answered */
    int64_t unfinished, interrupted;
    bool broken; /* one of them met an error that is told already */

    int64_t *ids;   /* to be resumed, ascending */
    size_t count;   /* of ids */
    size_t begun;   /* these many have been asked for */
    size_t resumed; /* these many have been answered; so, too, in order */
    uv_timer_t *pump;
};

static struct db_conn *reads(const struct recovery *recovery)
{
    return database_reads(recovery->supervisor->database);
}

/* ---- what was interrupted goes on, little by little ---- */

static void on_pump(uv_timer_t *timer);

static void pump_later(struct recovery *recovery, uint64_t ms)
{
    if (recovery->pump && !uv_is_active((uv_handle_t *)recovery->pump))
        uv_timer_start(recovery->pump, on_pump, ms, 0);
}

/* As the row is now: a command may have come before. */
static void resume(const struct recovery *recovery, const struct tracker *row)
{
    struct supervisor *supervisor = recovery->supervisor;
    struct upload *upload = uploads_by_id(supervisor->uploads, row->id);
    bool ours = strcmp(row->owner, supervisor->name) == 0;

    if (!supervisor->conf.resume || supervisor->ending)
        return;
    if (!upload && ours && row->status == STATUS_KILLED && row->interrupted)
        upload = uploads_add(supervisor->uploads, row->path, row->profile, row);
    if (upload && upload->state == ST_INTERRUPTED) {
        upload->crashed = true;
        upload_resume(upload);
    }
}

/* Nobody looks at a row again that could not be read: when that may pass, the connections are made
 * anew, and all is read again. */
static bool may_pass(const struct db_error *err)
{
    return err->meaning == DB_CANCELLED || err->meaning == DB_CONFLICT ||
           err->meaning == DB_EXHAUSTED;
}

static void on_row(void *arg, const struct tracker *row, const struct db_error *err)
{
    struct recovery *recovery = arg;

    if (err && err->meaning == DB_LOST)
        return; /* recovery_database_lost begins it again */
    if (err && may_pass(err)) {
        recovery->done(recovery->arg, err);
        return;
    }
    recovery->resumed++;
    if (err)
        log_error(0, &err->error, "an interrupted upload cannot be read");
    else if (row)
        resume(recovery, row);
    pump_later(recovery, 0);
}

static bool has_room(const struct recovery *recovery)
{
    const struct supervisor *supervisor = recovery->supervisor;

    return recovery->begun - recovery->resumed < READ_AHEAD &&
           database_fences_waiting(supervisor->database) < FENCES_AHEAD &&
           uploads_queued(supervisor->uploads) < QUEUE_AHEAD;
}

static void on_pump(uv_timer_t *timer)
{
    struct recovery *recovery = timer->data;
    const struct supervisor *supervisor = recovery->supervisor;

    if (!supervisor->open || supervisor->ending)
        return;
    while (recovery->begun < recovery->count && has_room(recovery))
        tracker_by_id(reads(recovery), recovery->ids[recovery->begun++], on_row, recovery);
    if (recovery->begun < recovery->count)
        pump_later(recovery, AGAIN_MS);
}

bool recovery_will_resume(const struct recovery *recovery, int64_t id)
{
    size_t low = recovery->resumed;
    size_t high = recovery->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (recovery->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < recovery->count && recovery->ids[low] == id;
}

/* ---- taken up ---- */

static bool is_cut_off(const struct tracker *row)
{
    return row->wanted == WANTED_NOTHING && !row->final && status_is_unfinished(row->status);
}

/* A stop, a restart or a final chunk is seen to the end. What was cut off and could not be
 * interrupted with the others, because it was locked, is once its fence has been had. */
static void take_up(const struct recovery *recovery, const struct tracker *row)
{
    struct uploads *uploads = recovery->supervisor->uploads;

    if (uploads_by_id(uploads, row->id))
        return;
    struct upload *upload = uploads_add(uploads, row->path, row->profile, row);
    if (is_cut_off(row) && upload->state == ST_FENCING)
        upload->after_fence = EV_CRASHED;
}

static void on_read_again(void *arg, const struct tracker *trackers, size_t count, int64_t skipped,
                          const struct db_error *err)
{
    struct recovery *recovery = arg;

    recovery->done(recovery->arg, err);
    if (err)
        return;
    for (size_t i = 0; i < count + (size_t)skipped; i++)
        take_up(recovery, &trackers[i]);
    if (recovery->count > 0 && recovery->supervisor->conf.resume)
        log_line(LOG_LEVEL_INFO, 0, "interrupted uploads go on count=%zu", recovery->count);
    pump_later(recovery, 0);
}

/* What goes on little by little. */
static void on_ids_read(void *arg, int64_t *ids, size_t count, const struct db_error *err)
{
    struct recovery *recovery = arg;

    if (err) {
        recovery->done(recovery->arg, err);
        return;
    }
    free(recovery->ids);
    recovery->ids = ids;
    recovery->count = count;
    recovery->begun = recovery->resumed = 0;
    if (recovery->supervisor->recovered)
        unfinished_read(reads(recovery), recovery->supervisor->name, on_read_again, recovery);
    else if (recovery->interrupted == recovery->unfinished)
        on_read_again(recovery, NULL, 0, 0, NULL);
    else
        unfinished_fence(reads(recovery), recovery->supervisor->name, on_read_again, recovery);
}

/* ---- interrupted ---- */

static void read_again(struct recovery *recovery)
{
    if (recovery->interrupted > 0)
        log_line(LOG_LEVEL_NOTICE, 0, "recovered interrupted=%lld",
                 (long long)recovery->interrupted);
    PAUSE("supervisor.recovered");
    interrupted_read(reads(recovery), recovery->supervisor->name, on_ids_read, recovery);
}

/* Where a lock was not had in time (DB_CONFLICT), the trackers are taken up one by one. */
static void on_interrupted(void *arg, int64_t count, const struct db_error *err)
{
    struct recovery *recovery = arg;

    if (recovery->broken)
        return;
    if (err && err->meaning != DB_CONFLICT) {
        recovery->broken = true;
        recovery->done(recovery->arg, err);
        return;
    }
    recovery->interrupted += count;
    if (--recovery->blocks == 0)
        read_again(recovery);
}

/* Over both connections in turn: they have nothing else to do yet. */
static void send_block(struct recovery *recovery, const struct tracker *block, size_t used)
{
    const struct asker asker = {-1, "the supervisor had ended"};
    struct db_conn *conn = recovery->blocks++ % 2 == 0
                               ? reads(recovery)
                               : database_fence(recovery->supervisor->database);

    unfinished_interrupt(conn, block, used, &asker, on_interrupted, recovery);
}

/* In blocks: what is sent, and what is copied for it, stays small. */
static void interrupt(struct recovery *recovery, const struct tracker *trackers, size_t count)
{
    struct tracker *block = mem_new(BLOCK, sizeof *block);
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (!is_cut_off(&trackers[i]))
            continue;
        block[used++] = trackers[i]; /* borrowed as the rows are */
        if (used == BLOCK) {
            send_block(recovery, block, used);
            used = 0;
        }
    }
    if (used > 0)
        send_block(recovery, block, used);
    free(block);
    if (recovery->blocks == 0)
        read_again(recovery);
}

/* ---- fenced ---- */

static void on_fenced(void *arg, const struct tracker *trackers, size_t count, int64_t skipped,
                      const struct db_error *err)
{
    struct recovery *recovery = arg;

    if (err) {
        recovery->done(recovery->arg, err);
        return;
    }
    if (skipped > 0)
        log_line(LOG_LEVEL_WARNING, 0, "trackers are locked, and are fenced one by one count=%lld",
                 (long long)skipped);
    recovery->unfinished = (int64_t)count + skipped;
    interrupt(recovery, trackers, count);
}

void recovery_begin(struct recovery *recovery)
{
    PAUSE("supervisor.before_recovery");
    recovery->blocks = 0;
    recovery->interrupted = 0;
    recovery->broken = false;
    unfinished_fence(reads(recovery), recovery->supervisor->name, on_fenced, recovery);
}

void recovery_look_again(struct recovery *recovery)
{
    interrupted_read(reads(recovery), recovery->supervisor->name, on_ids_read, recovery);
}

/* ---- its life ---- */

void recovery_database_open(struct recovery *recovery)
{
    pump_later(recovery, 0);
}

void recovery_database_lost(struct recovery *recovery)
{
    recovery->begun = recovery->resumed;
}

struct recovery *recovery_new(struct supervisor *supervisor, on_recovered done, void *arg)
{
    struct recovery *recovery = NEW(struct recovery);

    *recovery = (struct recovery){.supervisor = supervisor, .done = done, .arg = arg};
    recovery->pump = timer_new(supervisor->loop, recovery);
    return recovery;
}

void recovery_stop(struct recovery *recovery)
{
    timer_close(recovery->pump);
    recovery->pump = NULL;
}

void recovery_free(struct recovery *recovery)
{
    if (!recovery)
        return;
    recovery_stop(recovery);
    free(recovery->ids);
    free(recovery);
}
