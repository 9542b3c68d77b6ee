/* SPDX-License-Identifier: PostgreSQL */
#include "worker/rollback.h"

#include "base/mem.h"
#include "base/pause.h"
#include "worker/look.h"
#include "worker/outcome.h"

#include <stdlib.h>
#include <string.h>

/* Chunks of so many rows go in one step: some seconds. Small ones one by one would each search the
 * whole of what the load has just written. */
#define STEP_ROWS 2000000

struct rollback {
    const struct rollback_events *events;
    void *arg;
    struct db_conn *conn;
    struct claim claim;
    struct look look;
    bool ended;
};

static void end(struct rollback *rollback, const struct ending *ending)
{
    if (rollback->ended)
        return;
    rollback->ended = true;
    rollback->events->on_ended(rollback->arg, ending);
}

static void end_by_database(struct rollback *rollback, const struct db_error *err)
{
    struct ending ending = outcome_of(err);

    end(rollback, &ending);
}

static void step(struct rollback *rollback);

static void on_step_done(void *arg, const struct checkpoint *left, const struct db_error *err)
{
    struct rollback *rollback = arg;
    const struct ending done = {.outcome = OUTCOME_ROLLED_BACK};

    if (err) {
        end_by_database(rollback, err);
        return;
    }
    PAUSE("rollback.after_step");
    rollback->events->on_step(rollback->arg, left);
    if (left)
        step(rollback);
    else
        end(rollback, &done);
}

static void step(struct rollback *rollback)
{
    PAUSE("rollback.before_step");
    chunks_pop(rollback->conn, &rollback->claim, STEP_ROWS, on_step_done, rollback);
}

static void on_summarized(void *arg, const struct db_error *err)
{
    if (err)
        end_by_database(arg, err);
    else
        step(arg);
}

static void on_point_known(void *arg, const struct checkpoint *last, const struct db_error *err)
{
    struct rollback *rollback = arg;

    if (err) {
        end_by_database(rollback, err);
        return;
    }
    rollback->events->on_step(rollback->arg, last);
    if (last && last->last_line > STEP_ROWS)
        target_summarize(rollback->conn, on_summarized, rollback);
    else
        step(rollback); /* it also finds that nothing is there */
}

static void on_ready(void *arg)
{
    struct rollback *rollback = arg;

    rollback->events->on_connected(rollback->arg);
    look_start(&rollback->look, rollback->conn, rollback->claim.tracker, on_point_known, rollback);
}

static void on_lost(void *arg, const struct db_error *err)
{
    end_by_database(arg, err);
}

static const struct db_events conn_events = {on_ready, on_lost};

/* The job's name of connections ends with its epoch, by which those of older ones are found and
 * terminated; this one is of the stop's. */
static char *name_of_epoch(const char *application_name, int64_t epoch)
{
    const char *slash = strrchr(application_name, '/');
    int length = (int)(slash ? slash - application_name : (ptrdiff_t)strlen(application_name));

    return mem_format("%.*s/%lld", length, application_name, (long long)epoch);
}

struct rollback *rollback_new(uv_loop_t *loop, const struct job *job, int64_t epoch, int64_t token,
                              const struct rollback_events *events, void *arg)
{
    struct rollback *rollback = NEW(struct rollback);
    char *application_name = name_of_epoch(job->application_name, epoch);

    rollback->events = events;
    rollback->arg = arg;
    rollback->claim = (struct claim){
        .tracker = job->tracker, .epoch = epoch, .token = token, .owner = job->owner};
    const struct db_settings settings = {
        .conninfo = job->conninfo, .schema = job->schema, .application_name = application_name};
    rollback->conn = db_conn_new(loop, &settings, &conn_events, rollback);
    free(application_name);
    return rollback;
}

void rollback_close(struct rollback *rollback)
{
    if (!rollback)
        return;
    db_conn_close(rollback->conn);
    free(rollback);
}
