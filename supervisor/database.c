/* SPDX-License-Identifier: PostgreSQL */
/* The steps from nothing to usable, from the end of this file to its middle: connected, session
 * checked, name taken, earlier life ended, schema there, recovered, open. The connections are lost
 * together; nothing else but time brings them back. */
#include "supervisor/database.h"

#include "base/log.h"
#include "base/mem.h"
#include "db/recovery.h"
#include "supervisor/fences.h"
#include "supervisor/place.h"
#include "supervisor/recovery.h"
#include "supervisor/supervisor.h"
#include "supervisor/timer.h"

#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 5000
#define AGAIN_MS 500 /* between two looks at something that is to go away */
#define NAME_PATIENCE_MS 10000
#define LIFE_PATIENCE_MS 5000
#define BATCH_PATIENCE_MS 30000 /* with a database that was not there yet */

struct database {
    struct supervisor *supervisor;
    struct recovery *recovery;
    struct db_conn *reads;
    struct fences *fences;
    char *application_name;
    int64_t generation; /* of the connections: part of their name at the server */
    struct db_settings settings;
    uv_timer_t *again;                       /* the next try, or the next look */
    void (*next)(struct database *database); /* what `again` calls */
    int64_t backoff_ms;
    uint64_t name_since_ms; /* waiting for the name; 0: not */
    uint64_t life_since_ms; /* waiting for the end of an earlier life; 0: not */
    bool life_told;         /* that it takes long */
    bool stopped;
    struct error last; /* why it is away, as logged; the same is not said every time */
};

static void dial(struct database *database);

/* ---- time ---- */

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

static void close_all(struct database *database)
{
    db_conn_close(database->reads);
    fences_close(database->fences);
    database->reads = NULL;
    database->fences = NULL;
    database->name_since_ms = database->life_since_ms = 0;
    recovery_database_lost(database->recovery);
}

/* The same error is said once, until another or success comes between. */
static void log_once(struct database *database, const struct error *err)
{
    if (database->last.code == err->code && strcmp(database->last.message, err->message) == 0)
        return;
    database->last = *err;
    log_error(0, err, "the database is away");
}

/* A service waits for its database however long that takes; a run that somebody starts every night
 * says that there is none. One that had it waits for it to come back. */
static bool batch_gives_up(const struct supervisor *supervisor)
{
    return supervisor->batch && !supervisor->recovered &&
           uv_now(supervisor->loop) - supervisor->away_since_ms >= BATCH_PATIENCE_MS;
}

static void lose(struct database *database, const struct db_error *err)
{
    struct supervisor *supervisor = database->supervisor;
    bool was_open = supervisor->open;

    if (database->stopped)
        return;
    log_once(database, &err->error);
    close_all(database);
    if (batch_gives_up(supervisor)) {
        supervisor_end(supervisor, EXIT_FAILED, "the database cannot be used");
        return;
    }
    if (was_open) {
        database->backoff_ms = 0;
        supervisor_database_lost(supervisor);
    }
    database->backoff_ms = database->backoff_ms ? database->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (database->backoff_ms > BACKOFF_LAST_MS)
        database->backoff_ms = BACKOFF_LAST_MS;
    call_later(database, database->backoff_ms, dial);
}

/* ---- open ---- */

static void be_open(struct database *database)
{
    error_clear(&database->last);
    database->backoff_ms = 0;
    database->supervisor->recovered = true;
    log_line(LOG_LEVEL_INFO, 0, "database=ready");
    supervisor_database_open(database->supervisor);
    recovery_database_open(database->recovery);
}

static void on_all_recovered(void *arg, const struct db_error *err)
{
    struct database *database = arg;

    if (err)
        lose(database, err);
    else
        be_open(database);
}

/* ---- the schema, and what it says of this supervisor ---- */

/* Before recovery, which begins uploads in the same turn in which the database is open. */
static void on_pause_read(void *arg, bool paused, const struct db_error *err)
{
    struct database *database = arg;

    if (err) {
        lose(database, err);
        return;
    }
    database->supervisor->paused = paused;
    if (paused)
        log_line(LOG_LEVEL_NOTICE, 0, "paused: no upload is begun until uploadctl continue");
    if (database->supervisor->recovered)
        recovery_look_again(database->recovery);
    else
        recovery_begin(database->recovery);
}

static void on_migrated(void *arg, const struct db_error *err)
{
    struct database *database = arg;

    if (err && err->meaning == DB_DENIED && !err->error.sqlstate[0])
        supervisor_give_up(database->supervisor, &err->error); /* a newer schema */
    else if (err)
        lose(database, err); /* rights can be granted while it tries again */
    else
        pause_read(database->reads, database->supervisor->name, on_pause_read, database);
}

/* ---- the earlier life ---- */

static void end_earlier_life(struct database *database);

/* Backends of another role do not end by our word; all else is gone in no time. */
static void wait_for_end(struct database *database, int64_t count)
{
    uint64_t now = uv_now(database->supervisor->loop);

    if (database->life_since_ms == 0)
        database->life_since_ms = now;
    if (!database->life_told && now - database->life_since_ms >= LIFE_PATIENCE_MS) {
        database->life_told = true;
        log_line(
            LOG_LEVEL_WARNING, 0,
            "backends of an earlier life of this name do not end; it waits for them count=%lld",
            (long long)count);
    }
    call_later(database, AGAIN_MS / 5, end_earlier_life);
}

static void on_earlier_life(void *arg, int64_t count, const struct db_error *err)
{
    struct database *database = arg;

    if (err) {
        lose(database, err);
    } else if (count > 0) {
        wait_for_end(database, count);
    } else {
        database->life_since_ms = 0;
        schema_migrate(database->reads, on_migrated, database);
    }
}

/* After a loss also what this life's earlier connections had under way: nothing of it may happen
 * once the rows are read again. */
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

/* The field behind the name's hash: uploader/HASH/START/... It is this life's own when a connection
 * was lost whose end the server has not noticed. */
static bool is_earlier_life(const struct database *database, const char *holder)
{
    const char *start = holder ? strchr(holder, '/') : NULL;
    char life[PLACE_START_BYTES];

    start = start ? strchr(start + 1, '/') : NULL;
    if (!start || strcspn(start + 1, "/") != sizeof life - 1)
        return false;
    memcpy(life, start + 1, sizeof life - 1);
    life[sizeof life - 1] = '\0';
    return strcmp(life, database->supervisor->start) == 0 ||
           place_was_ours(database->supervisor->place, life);
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
    if (holder > 0)
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

    if (db_conn_ready(database->reads) && fences_ready(database->fences))
        session_check(database->reads, fences_conn(database->fences), on_session_answer, database);
}

static void on_conn_lost(void *arg, const struct db_error *err)
{
    lose(arg, err);
}

static const struct db_events conn_events = {on_conn_ready, on_conn_lost};

static void dial(struct database *database)
{
    const struct supervisor *supervisor = database->supervisor;
    uv_loop_t *loop = supervisor->loop;

    free(database->application_name);
    database->application_name =
        backend_name(supervisor->name, supervisor->start, 0, ++database->generation);
    database->settings.application_name = database->application_name;
    database->reads = db_conn_new(loop, &database->settings, &conn_events, database);
    database->fences =
        fences_new(loop, &database->settings, database->reads, &conn_events, database);
}

struct database *database_new(struct supervisor *supervisor)
{
    struct database *database = NEW(struct database);

    database->supervisor = supervisor;
    database->settings = (struct db_settings){
        .conninfo = supervisor->conf.conninfo,
        .password = supervisor->conf.password,
        .schema = supervisor->conf.schema,
    };
    database->recovery = recovery_new(supervisor, on_all_recovered, database);
    database->again = timer_new(supervisor->loop, database);
    dial(database);
    return database;
}

void database_password_changed(struct database *database)
{
    database->settings.password = database->supervisor->conf.password;
}

void database_stop(struct database *database)
{
    if (database->stopped)
        return;
    database->stopped = true;
    close_all(database);
    recovery_stop(database->recovery);
    timer_close(database->again);
}

void database_free(struct database *database)
{
    if (!database)
        return;
    recovery_free(database->recovery);
    free(database->application_name);
    free(database);
}

struct db_conn *database_reads(struct database *database)
{
    return database->reads;
}

struct db_conn *database_fence(struct database *database)
{
    return fences_conn(database->fences);
}

size_t database_fences_waiting(const struct database *database)
{
    return fences_waiting(database->fences);
}

struct db_conn *database_connect(const struct database *database, const struct db_events *events,
                                 void *arg)
{
    return db_conn_new(database->supervisor->loop, &database->settings, events, arg);
}

const struct error *database_trouble(const struct database *database)
{
    return database->last.code == ERR_NONE ? NULL : &database->last;
}

char *database_conninfo(struct database *database)
{
    return database->reads ? db_conn_conninfo(database->reads, database->settings.password) : NULL;
}

bool database_will_resume(const struct database *database, int64_t id)
{
    return recovery_will_resume(database->recovery, id);
}
