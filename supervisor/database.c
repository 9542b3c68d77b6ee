/* SPDX-License-Identifier: PostgreSQL */
/* The steps from nothing to usable, in this file's order: connected, session checked, name taken,
 * earlier life ended, schema there, recovered (once in a life), open. */
#include "supervisor/database.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/pause.h"
#include "db/recovery.h"
#include "supervisor/place.h"
#include "supervisor/supervisor.h"
#include "supervisor/uploads.h"

#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 5000
#define AGAIN_MS 500 /* between two looks at something that is to go away */
#define NAME_PATIENCE_MS 10000
#define WATCH_MS 500
#define FENCE_PATIENCE_MS 1000 /* a fence that waits longer for a lock has its blocker ended */
#define FOREIGN_LOG_MS 60000

struct database {
    struct supervisor *supervisor;
    struct db_conn *reads, *fences;
    char *application_name;
    struct db_settings settings;
    uv_timer_t *again;                       /* the next try, or the next look */
    uv_timer_t *watch;                       /* of fences that wait */
    void (*next)(struct database *database); /* what `again` calls */
    int64_t backoff_ms;
    uint64_t name_since_ms;   /* waiting for the name; 0: not */
    uint64_t fences_since_ms; /* the fences' queue is not empty since; 0: it is */
    uint64_t foreign_at_ms;   /* a foreign blocker was logged last */
    size_t fencing;           /* of recovery's single fences: still to be answered */
    bool watching;            /* blockers are being looked for */
    bool checked_session, stopped;
    struct error last; /* logged last, so that the same is not said every time */
};

static void dial(struct database *database);

/* ---- time ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    free(handle);
}

static uv_timer_t *timer_new(struct database *database)
{
    uv_timer_t *timer = NEW(uv_timer_t);

    uv_timer_init(database->supervisor->loop, timer);
    timer->data = database;
    return timer;
}

static void on_again(uv_timer_t *timer)
{
    struct database *database = timer->data;

    database->next(database);
}

static void call_later(struct database *database, int64_t ms, void (*next)(struct database *))
{
    database->next = next;
    uv_timer_start(database->again, on_again, (uint64_t)ms, 0);
}

/* ---- losing it ---- */

static void close_both(struct database *database)
{
    db_conn_close(database->reads);
    db_conn_close(database->fences);
    database->reads = database->fences = NULL;
    database->fences_since_ms = 0;
    database->watching = false;
    uv_timer_stop(database->watch);
}

/* The same error is said once, until another or success comes between. */
static void log_once(struct database *database, const struct error *err)
{
    if (database->last.code == err->code && strcmp(database->last.message, err->message) == 0)
        return;
    database->last = *err;
    log_error(0, err, "the database is away");
}

static void lose(struct database *database, const struct db_error *err)
{
    struct supervisor *supervisor = database->supervisor;
    bool was_open = supervisor->open;

    if (database->stopped)
        return;
    log_once(database, &err->error);
    close_both(database);
    if (was_open) {
        database->backoff_ms = 0;
        supervisor_database_lost(supervisor);
    }
    database->backoff_ms = database->backoff_ms ? database->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (database->backoff_ms > BACKOFF_LAST_MS)
        database->backoff_ms = BACKOFF_LAST_MS;
    call_later(database, database->backoff_ms, dial);
}

/* ---- a fence that waits too long for a lock ---- */

static void on_blockers_ended(void *arg, int terminated, int foreign, const struct db_error *err)
{
    struct database *database = arg;
    uint64_t now = uv_now(database->supervisor->loop);

    database->watching = false;
    if (err)
        return;
    if (terminated > 0)
        log_line(LOG_LEVEL_NOTICE, 0, "a fence waited for a lock; backends terminated count=%d",
                 terminated);
    if (foreign != 0 && now - database->foreign_at_ms >= FOREIGN_LOG_MS) {
        database->foreign_at_ms = now;
        log_line(LOG_LEVEL_WARNING, 0,
                 "a fence waits for a lock of a backend that is not this service's pid=%d",
                 foreign);
    }
}

static void on_watch(uv_timer_t *timer)
{
    struct database *database = timer->data;
    uint64_t now = uv_now(timer->loop);

    if (db_conn_pending(database->fences) == 0)
        database->fences_since_ms = 0;
    else if (database->fences_since_ms == 0)
        database->fences_since_ms = now;
    else if (now - database->fences_since_ms >= FENCE_PATIENCE_MS && !database->watching) {
        database->watching = true;
        blockers_terminate(database->reads, db_conn_backend_pid(database->fences),
                           on_blockers_ended, database);
    }
}

/* ---- recovery ---- */

static void recover(struct database *database);

static void be_open(struct database *database)
{
    struct error none;

    error_clear(&none);
    database->last = none;
    database->backoff_ms = 0;
    database->supervisor->recovered = true;
    log_line(LOG_LEVEL_INFO, 0, "database=ready");
    supervisor_database_open(database->supervisor);
}

/* What nobody works on: a stop or a final chunk is seen to the end; what was interrupted goes on,
 * if the configuration says so. */
static void take_up(struct database *database, const struct tracker *trackers, size_t count)
{
    struct supervisor *supervisor = database->supervisor;

    for (size_t i = 0; i < count && supervisor->open; i++) {
        const struct tracker *row = &trackers[i];
        if (row->status == STATUS_KILLED && !supervisor->conf.resume)
            continue;
        if (uploads_by_id(supervisor->uploads, row->id))
            continue;
        struct upload *upload = uploads_add(supervisor->uploads, row->path, row->profile, row);
        if (upload->state == ST_INTERRUPTED)
            upload_resume(upload);
    }
}

static void on_read_again(void *arg, const struct tracker *trackers, size_t count, int64_t skipped,
                          const struct db_error *err)
{
    struct database *database = arg;

    if (err) {
        lose(database, err);
        return;
    }
    be_open(database);
    /* those that are locked again by now are fenced by themselves */
    take_up(database, trackers, count + (size_t)skipped);
}

static void on_interrupted(void *arg, int64_t count, const struct db_error *err)
{
    struct database *database = arg;

    if (err && err->meaning == DB_CONFLICT) {
        call_later(database, AGAIN_MS, recover);
        return;
    }
    if (err) {
        lose(database, err);
        return;
    }
    log_line(LOG_LEVEL_INFO, 0, "recovered interrupted=%lld", (long long)count);
    PAUSE("supervisor.recovered");
    unfinished_fence(database->reads, database->supervisor->name, on_read_again, database);
}

static bool is_cut_off(const struct tracker *row)
{
    return row->wanted == WANTED_NOTHING && !row->final &&
           (row->status == STATUS_INITIALIZING || row->status == STATUS_PROCESSING);
}

static void interrupt(struct database *database, const struct tracker *trackers, size_t count)
{
    const struct asker asker = {-1, "the supervisor had ended"};
    struct tracker *cut_off = mem_new(count, sizeof *cut_off);
    size_t used = 0;

    for (size_t i = 0; i < count; i++)
        if (is_cut_off(&trackers[i]))
            cut_off[used++] = trackers[i]; /* borrowed as the rows are */
    unfinished_interrupt(database->reads, cut_off, used, &asker, on_interrupted, database);
    free(cut_off);
}

static void on_straggler_fenced(void *arg, const struct tracker *tracker,
                                const struct db_error *err)
{
    struct database *database = arg;

    (void)tracker;
    if (err && err->meaning == DB_LOST)
        return; /* on_lost follows */
    if (--database->fencing == 0)
        recover(database);
}

/* Rows that others had locked: fenced one by one, which waits, and has the blocker ended. */
static void fence_stragglers(struct database *database, const struct tracker *trackers,
                             size_t count)
{
    const struct move_args args = {
        .owner = database->supervisor->name,
        .asker = {-1, "the supervisor had ended"},
    };

    database->fencing = count;
    for (size_t i = 0; i < count; i++) {
        struct move_args own = args;
        own.tries = trackers[i].tries;
        own.tries_line = trackers[i].tries_line;
        tracker_move(database->fences, MOVE_FENCE, &trackers[i], &own, on_straggler_fenced,
                     database);
    }
}

static void on_fenced(void *arg, const struct tracker *trackers, size_t count, int64_t skipped,
                      const struct db_error *err)
{
    struct database *database = arg;

    if (err)
        lose(database, err);
    else if (skipped > 0)
        fence_stragglers(database, trackers + count, (size_t)skipped);
    else
        interrupt(database, trackers, count);
}

static void recover(struct database *database)
{
    PAUSE("supervisor.before_recovery");
    unfinished_fence(database->reads, database->supervisor->name, on_fenced, database);
}

/* ---- the schema ---- */

static void on_migrated(void *arg, const struct db_error *err)
{
    struct database *database = arg;

    if (err && err->meaning == DB_DENIED && !err->error.sqlstate[0])
        supervisor_give_up(database->supervisor, &err->error); /* a newer schema */
    else if (err)
        lose(database, err); /* rights can be granted while it tries again */
    else if (database->supervisor->recovered)
        be_open(database);
    else
        recover(database);
}

/* ---- the earlier life ---- */

static void end_earlier_life(struct database *database);

static void on_earlier_life(void *arg, int64_t count, const struct db_error *err)
{
    struct database *database = arg;

    if (err)
        lose(database, err);
    else if (count > 0)
        call_later(database, AGAIN_MS / 5, end_earlier_life);
    else
        schema_migrate(database->reads, on_migrated, database);
}

static void end_earlier_life(struct database *database)
{
    const struct supervisor *supervisor = database->supervisor;

    earlier_life_terminate(database->reads, supervisor->name, supervisor->start, on_earlier_life,
                           database);
}

/* ---- the name ---- */

static void take_name(struct database *database);

static void on_holder_ended(void *arg, int64_t count, const struct db_error *err)
{
    struct database *database = arg;

    (void)count;
    if (err)
        lose(database, err);
    else
        call_later(database, AGAIN_MS / 5, take_name);
}

/* The field behind the name's hash: uploader/HASH/START/... */
static bool is_earlier_life(const struct database *database, const char *holder)
{
    const char *start = holder ? strchr(holder, '/') : NULL;
    char life[PLACE_START_BYTES];

    start = start ? strchr(start + 1, '/') : NULL;
    if (!start || strcspn(start + 1, "/") != sizeof life - 1)
        return false;
    memcpy(life, start + 1, sizeof life - 1);
    life[sizeof life - 1] = '\0';
    return place_was_ours(database->supervisor->place, life);
}

static void wait_for_name(struct database *database, int holder)
{
    struct supervisor *supervisor = database->supervisor;
    uint64_t now = uv_now(supervisor->loop);
    struct error err;

    if (database->name_since_ms == 0)
        database->name_since_ms = now;
    if (now - database->name_since_ms < NAME_PATIENCE_MS) {
        call_later(database, AGAIN_MS, take_name);
        return;
    }
    error_set(&err, ERR_ANOTHER_SUPERVISOR, "a supervisor of the name \"%s\" lives already",
              supervisor->name);
    error_detail(&err, "The server's process %d is its session.", holder);
    error_hint(&err, "End it, or write another name in section [supervisor].");
    supervisor_give_up(supervisor, &err);
}

static void on_guard_answer(void *arg, int holder, const char *holder_name,
                            const struct db_error *err)
{
    struct database *database = arg;
    const struct supervisor *supervisor = database->supervisor;

    if (err) {
        lose(database, err);
    } else if (holder == 0) {
        database->name_since_ms = 0;
        end_earlier_life(database);
    } else if (is_earlier_life(database, holder_name)) {
        earlier_life_terminate(database->reads, supervisor->name, supervisor->start,
                               on_holder_ended, database);
    } else {
        wait_for_name(database, holder);
    }
}

static void take_name(struct database *database)
{
    guard_take(database->reads, database->supervisor->name, on_guard_answer, database);
}

/* ---- the connections ---- */

static void on_session_answer(void *arg, bool own, const struct db_error *err)
{
    struct database *database = arg;
    struct error pooled;

    if (err) {
        lose(database, err);
    } else if (!own) {
        error_set(&pooled, ERR_DATABASE,
                  "a pooler shares the server's sessions between transactions");
        error_hint(&pooled, "Connect to the server itself, or to a pool in session mode: conninfo "
                            "in section [database].");
        supervisor_give_up(database->supervisor, &pooled);
    } else {
        take_name(database);
    }
}

static void on_conn_ready(void *arg)
{
    struct database *database = arg;

    if (!db_conn_ready(database->reads) || !db_conn_ready(database->fences))
        return;
    uv_timer_start(database->watch, on_watch, WATCH_MS, WATCH_MS);
    session_check(database->reads, database->fences, on_session_answer, database);
}

static void on_conn_lost(void *arg, const struct db_error *err)
{
    lose(arg, err);
}

static const struct db_events conn_events = {on_conn_ready, on_conn_lost};

static void dial(struct database *database)
{
    uv_loop_t *loop = database->supervisor->loop;

    database->reads = db_conn_new(loop, &database->settings, &conn_events, database);
    database->fences = db_conn_new(loop, &database->settings, &conn_events, database);
}

struct database *database_new(struct supervisor *supervisor)
{
    struct database *database = NEW(struct database);

    database->supervisor = supervisor;
    database->application_name = backend_name(supervisor->name, supervisor->start, 0, 0);
    database->settings = (struct db_settings){
        .conninfo = supervisor->conf.conninfo,
        .schema = supervisor->conf.schema,
        .application_name = database->application_name,
    };
    database->again = timer_new(database);
    database->watch = timer_new(database);
    dial(database);
    return database;
}

void database_stop(struct database *database)
{
    if (database->stopped)
        return;
    database->stopped = true;
    close_both(database);
    uv_close((uv_handle_t *)database->again, on_handle_closed);
    uv_close((uv_handle_t *)database->watch, on_handle_closed);
}

void database_free(struct database *database)
{
    if (!database)
        return;
    free(database->application_name);
    free(database);
}

struct db_conn *database_reads(struct database *database)
{
    return database->reads;
}

struct db_conn *database_fences(struct database *database)
{
    return database->fences;
}

char *database_conninfo(struct database *database)
{
    return database->reads ? db_conn_conninfo(database->reads) : NULL;
}
