/* SPDX-License-Identifier: PostgreSQL */
/* Steps are handed to lanes newest first, each deletes the rows of its own at once, and they are
 * committed in that order. */
#include "worker/rollback.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/pause.h"
#include "db/pop.h"
#include "db/trackers.h"
#include "worker/outcome.h"

#include <stdlib.h>
#include <string.h>

/* Chunks of so many records go in one step: less than a second. */
#define STEP_RECORDS 500000

/* Of a lane that is not alone: what it waits for may be another's, which waits for it to commit. */
#define LOCK_TIMEOUT_MS 5000

enum lane_state { LANE_CONNECTS, LANE_FREE, LANE_BUSY, LANE_ROWS_OUT, LANE_LOST };

struct pop_lane {
    struct rollback *rollback;
    struct db_conn *conn;
    enum lane_state state;
    struct pop_step step; /* what it takes out */
    int64_t deleted;      /* rows of it */
};

struct rollback {
    const struct rollback_events *events;
    void *arg;
    uv_loop_t *loop;
    char *application_name;
    struct db_settings settings;
    struct claim claim;
    struct checkpoint last; /* when it began; chunk_no 0: none */
    int64_t most_lanes;
    struct pop_lane *lanes;
    size_t lane_count, connecting; /* that are opened; of those, whose connection is awaited */
    int64_t top;                   /* the newest chunk that is in; 0: none */
    int64_t below;                 /* steps are planned down to this chunk; 0: none is */
    bool plans, all_planned;
    bool connected, ended; /* it was told */
};

static int64_t step_records(void)
{
#ifdef UPLOADER_PAUSE
    const char *forced = getenv("UPLOADER_STEP_RECORDS"); /* tests of many steps */
    if (forced)
        return strtol(forced, NULL, 10);
#endif
    return STEP_RECORDS;
}

/* ---- the end ---- */

static void end(struct rollback *rollback, const struct ending *ending)
{
    if (rollback->ended)
        return;
    rollback->ended = true;
    rollback->events->on_ended(rollback->arg, ending);
}

static void end_well(struct rollback *rollback)
{
    const struct ending done = {.outcome = OUTCOME_ROLLED_BACK};

    end(rollback, &done);
}

static void end_by_database(struct rollback *rollback, const struct db_error *err)
{
    struct ending ending = outcome_of(err);

    end(rollback, &ending);
}

/* ---- steps ---- */

/* There are all the lanes that there will be: it need not connect any more. */
static void tell_connected(struct rollback *rollback)
{
    if (rollback->connecting > 0 || rollback->connected)
        return;
    rollback->connected = true;
    rollback->events->on_connected(rollback->arg);
}

static void plan_next(struct rollback *rollback);

static bool is_alone(const struct pop_lane *lane)
{
    const struct rollback *rollback = lane->rollback;

    for (size_t i = 0; i < rollback->lane_count; i++)
        if (&rollback->lanes[i] != lane && rollback->lanes[i].state != LANE_LOST)
            return false;
    return true;
}

static void on_free(void *arg, const struct db_error *err)
{
    struct pop_lane *lane = arg;

    if (err) {
        end_by_database(lane->rollback, err);
        return;
    }
    lane->state = LANE_FREE;
    plan_next(lane->rollback);
}

/* Lanes that block each other (through a rule of the table, say): all but this one give up what
 * they have done, and it goes on alone. */
static void go_alone(struct pop_lane *lane)
{
    struct rollback *rollback = lane->rollback;

    log_line(LOG_LEVEL_INFO, rollback->claim.tracker, "the rollback goes on over one lane");
    for (size_t i = 0; i < rollback->lane_count; i++) {
        struct pop_lane *other = &rollback->lanes[i];
        if (other == lane)
            continue;
        rollback->connecting -= other->state == LANE_CONNECTS;
        db_conn_close(other->conn);
        other->conn = NULL;
        other->state = LANE_LOST;
    }
    rollback->below = 0;
    rollback->plans = rollback->all_planned = false;
    tell_connected(rollback);
    chunk_rollback(lane->conn, on_free, lane);
}

static void fail(struct pop_lane *lane, const struct db_error *err)
{
    if (err->meaning == DB_CONFLICT && !is_alone(lane))
        go_alone(lane);
    else
        end_by_database(lane->rollback, err);
}

static void commit_next(struct rollback *rollback);

static void on_step_done(void *arg, const struct checkpoint *left, const struct db_error *err)
{
    struct pop_lane *lane = arg;
    struct rollback *rollback = lane->rollback;

    if (err) {
        fail(lane, err);
        return;
    }
    PAUSE("rollback.after_step");
    lane->state = LANE_FREE;
    rollback->top = left ? left->chunk_no : 0;
    rollback->events->on_step(rollback->arg, left);
    if (!left) {
        end_well(rollback);
        return;
    }
    commit_next(rollback);
    plan_next(rollback);
}

/* A step goes only when it is the newest that is in. */
static void commit_next(struct rollback *rollback)
{
    for (size_t i = 0; i < rollback->lane_count; i++) {
        struct pop_lane *lane = &rollback->lanes[i];
        if (lane->state != LANE_ROWS_OUT || lane->step.last_chunk != rollback->top)
            continue;
        lane->state = LANE_BUSY;
        pop_chunks(lane->conn, &rollback->claim, &lane->step, lane->deleted, on_step_done, lane);
        return;
    }
}

static void on_step_rows_out(void *arg, int64_t deleted, const struct db_error *err)
{
    struct pop_lane *lane = arg;

    if (err) {
        fail(lane, err);
        return;
    }
    PAUSE("rollback.rows_out");
    lane->state = LANE_ROWS_OUT;
    lane->deleted = deleted;
    commit_next(lane->rollback);
}

static void on_step_planned(void *arg, const struct pop_step *step, const struct db_error *err)
{
    struct pop_lane *lane = arg;
    struct rollback *rollback = lane->rollback;

    rollback->plans = false;
    if (err) {
        fail(lane, err);
        return;
    }
    if (!step && rollback->below == 0) { /* somebody else has emptied it */
        end_well(rollback);
        return;
    }
    if (!step) { /* the chain does not begin with record 1; the last step under way ends it */
        lane->state = LANE_FREE;
        rollback->all_planned = true;
        return;
    }
    PAUSE("rollback.before_step");
    if (rollback->below == 0)
        rollback->top = step->last_chunk;
    lane->step = *step;
    rollback->below = step->first_chunk;
    rollback->all_planned = step->first_line == 1;
    pop_rows(lane->conn, rollback->claim.tracker, step, is_alone(lane) ? 0 : LOCK_TIMEOUT_MS,
             on_step_rows_out, lane);
    plan_next(rollback);
}

/* For the first free lane. */
static void plan_next(struct rollback *rollback)
{
    if (rollback->plans || rollback->all_planned)
        return;
    for (size_t i = 0; i < rollback->lane_count; i++) {
        struct pop_lane *lane = &rollback->lanes[i];
        if (lane->state != LANE_FREE)
            continue;
        lane->state = LANE_BUSY;
        rollback->plans = true;
        pop_plan(lane->conn, rollback->claim.tracker, rollback->below, step_records(),
                 on_step_planned, lane);
        return;
    }
}

/* ---- the beginning ---- */

static void begin(struct rollback *rollback)
{
    tell_connected(rollback);
    log_line(LOG_LEVEL_DEBUG, rollback->claim.tracker, "rolls back lanes=%zu",
             rollback->lane_count);
    on_free(rollback->lanes, NULL);
}

static void open_lane(struct rollback *rollback);

/* Further lanes take part as soon as they are there. */
static void on_inspected(void *arg, bool one_lane, const struct db_error *err)
{
    struct rollback *rollback = arg;
    int64_t steps = rollback->last.last_line / step_records() + 1;

    if (err && err->meaning == DB_LOST) {
        end_by_database(rollback, err);
        return;
    }
    if (!err && !one_lane)
        for (int64_t i = 1; i < rollback->most_lanes && i < steps; i++)
            open_lane(rollback);
    begin(rollback);
}

static void on_summarized(void *arg, const struct db_error *err)
{
    struct rollback *rollback = arg;

    if (err)
        end_by_database(rollback, err);
    else if (rollback->most_lanes > 1)
        target_inspect(rollback->lanes[0].conn, on_inspected, rollback);
    else
        begin(rollback);
}

static void on_point_known(void *arg, const struct checkpoint *last, const struct db_error *err)
{
    struct rollback *rollback = arg;

    if (err) {
        end_by_database(rollback, err);
        return;
    }
    rollback->events->on_step(rollback->arg, last);
    if (last)
        rollback->last = *last;
    if (!last)
        end_well(rollback);
    else if (last->last_line > step_records())
        target_summarize_unplaced(rollback->lanes[0].conn, rollback->claim.tracker, step_records(),
                                  on_summarized, rollback);
    else
        begin(rollback);
}

/* Behind a pooler that may be much later than it is connected, or never. */
static void on_served(void *arg, const struct db_error *err)
{
    struct pop_lane *lane = arg;

    if (err)
        lane->state = LANE_LOST;
    else
        on_free(lane, NULL);
}

static void on_ready(void *arg)
{
    struct pop_lane *lane = arg;
    struct rollback *rollback = lane->rollback;

    rollback->connecting--;
    lane->state = LANE_BUSY;
    if (lane == rollback->lanes) {
        checkpoint_last(lane->conn, rollback->claim.tracker, on_point_known, rollback);
        return;
    }
    chunk_rollback(lane->conn, on_served, lane);
    tell_connected(rollback);
}

/* One that cannot be had is done without, and one that is lost while it has nothing to do. */
static void on_lost(void *arg, const struct db_error *err)
{
    struct pop_lane *lane = arg;
    struct rollback *rollback = lane->rollback;
    bool connects = lane->state == LANE_CONNECTS;

    if (lane->state == LANE_LOST)
        return;
    if (lane->state == LANE_BUSY || lane->state == LANE_ROWS_OUT || is_alone(lane)) {
        end_by_database(rollback, err);
        return;
    }
    lane->state = LANE_LOST;
    if (connects) {
        rollback->connecting--;
        tell_connected(rollback);
    }
}

static const struct db_events conn_events = {on_ready, on_lost};

static void open_lane(struct rollback *rollback)
{
    struct pop_lane *lane = &rollback->lanes[rollback->lane_count++];

    rollback->connecting++;
    *lane = (struct pop_lane){.rollback = rollback, .state = LANE_CONNECTS};
    lane->conn = db_conn_new(rollback->loop, &rollback->settings, &conn_events, lane);
}

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

    rollback->events = events;
    rollback->arg = arg;
    rollback->loop = loop;
    rollback->claim = (struct claim){
        .tracker = job->tracker, .epoch = epoch, .token = token, .owner = job->owner};
    rollback->application_name = name_of_epoch(job->application_name, epoch);
    rollback->settings = (struct db_settings){.conninfo = job->conninfo,
                                              .schema = job->schema,
                                              .application_name = rollback->application_name};
    rollback->most_lanes = job->lanes;
    rollback->lanes = mem_new((size_t)job->lanes, sizeof *rollback->lanes);
    open_lane(rollback);
    return rollback;
}

void rollback_close(struct rollback *rollback)
{
    if (!rollback)
        return;
    for (size_t i = 0; i < rollback->lane_count; i++)
        db_conn_close(rollback->lanes[i].conn);
    free(rollback->lanes);
    free(rollback->application_name);
    free(rollback);
}
