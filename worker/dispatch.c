/* SPDX-License-Identifier: PostgreSQL */
#include "worker/dispatch.h"

#include "base/log.h"
#include "base/mem.h"
#include "worker/outcome.h"

#include <stdio.h>
#include <stdlib.h>

/* Chunks that are not in, in order: those that lanes carry, then at most one that waits. */
struct entry {
    struct chunk chunk;
    struct lane *lane; /* NULL: waits for one */
};

struct dispatch {
    const struct job *job;
    const struct dispatch_events *events;
    void *arg;
    struct lane_setting setting;
    struct lane **lanes; /* most_lanes slots, NULL where there is none */
    size_t most_lanes;
    struct entry *queue;
    size_t queued;
    struct point point;
    struct input *input; /* NULL until it is started */

    struct digest *digest;               /* of the bytes before the splitter's place */
    unsigned char content[DIGEST_BYTES]; /* of all of them, once it has split all */
    struct splitter *splitter;
    uv_work_t splitting; /* splitter_next in the thread pool */
    bool splits, split_all;
    int split_rc;
    struct chunk split_chunk;
    struct error split_error;

    bool finishing, ended, closed;
    int64_t committed;    /* chunks of this run */
    bool settled;         /* it was told */
    bool one_lane;        /* carries alone */
    bool full;            /* no further lane is opened */
    struct ending ending; /* when the chunks before number ending_at are in */
    int64_t ending_at;    /* 0: no end in sight */
};

static void advance(struct dispatch *d);

/* ---- lanes ---- */

static struct lane **slot_of(struct dispatch *d, const struct lane *lane)
{
    for (size_t i = 0; i < d->most_lanes; i++)
        if (d->lanes[i] == lane)
            return &d->lanes[i];
    return NULL;
}

static void close_lane(struct dispatch *d, struct lane *lane)
{
    struct lane **slot = slot_of(d, lane);

    for (size_t i = 0; i < d->queued; i++)
        if (d->queue[i].lane == lane)
            d->queue[i].lane = NULL;
    lane_close(lane);
    if (slot)
        *slot = NULL;
}

static void close_lanes_but(struct dispatch *d, const struct lane *kept)
{
    for (size_t i = 0; i < d->most_lanes; i++)
        if (d->lanes[i] && d->lanes[i] != kept)
            close_lane(d, d->lanes[i]);
}

static struct entry *entry_of(struct dispatch *d, const struct lane *lane)
{
    for (size_t i = 0; i < d->queued; i++)
        if (d->queue[i].lane == lane)
            return &d->queue[i];
    return NULL;
}

static struct entry *first_waiting(struct dispatch *d)
{
    return d->queued > 0 && !d->queue[d->queued - 1].lane ? entry_of(d, NULL) : NULL;
}

static bool connecting(const struct dispatch *d)
{
    for (size_t i = 0; i < d->most_lanes; i++)
        if (d->lanes[i] && !lane_ready(d->lanes[i]))
            return true;
    return false;
}

static struct lane *free_lane(const struct dispatch *d)
{
    for (size_t i = 0; i < d->most_lanes; i++)
        if (d->lanes[i] && lane_free(d->lanes[i]))
            return d->lanes[i];
    return NULL;
}

/* ---- the end ---- */

static void end(struct dispatch *d, const struct ending *ending)
{
    if (d->ended || d->closed)
        return;
    d->ended = true;
    d->events->on_ended(d->arg, ending);
}

/* Chunk `at` cannot be loaded: it and those behind it are let go, those before it go on. */
static void end_at(struct dispatch *d, int64_t at, const struct ending *ending)
{
    if (d->ending_at > 0 && d->ending_at <= at)
        return;
    d->ending = *ending;
    d->ending_at = at;
    while (d->queued > 0 && d->queue[d->queued - 1].chunk.chunk_no >= at) {
        struct entry *last = &d->queue[d->queued - 1];
        if (last->lane)
            close_lane(d, last->lane);
        d->queued--;
    }
}

/* What the database said of a chunk gets what it could not know: where the rows are, who locks. */
static void explain(const struct dispatch *d, const struct chunk *chunk, const struct db_error *err,
                    struct error *shown)
{
    if (err->meaning == DB_CONFLICT)
        error_detail(shown, "Another session is in the way of chunk %lld: no other lane was left.",
                     (long long)chunk->chunk_no);
    if (err->meaning != DB_DATA)
        return;
    error_detail(shown, "It is among records %lld to %lld.", (long long)chunk->first_line,
                 (long long)chunk->last_line);
    char *command = outcome_command(d->job, NULL);
    error_hint(shown, "Change the table or the file, then go on with: %s", command);
    free(command);
}

static void fail_chunk(struct dispatch *d, const struct chunk *chunk, const struct db_error *err)
{
    struct ending ending = outcome_of(err);

    explain(d, chunk, err, &ending.error);
    end_at(d, chunk->chunk_no, &ending);
}

/* ---- the splitter ---- */

static void on_split(uv_work_t *work)
{
    struct dispatch *d = CONTAINER_OF(work, struct dispatch, splitting);

    d->split_rc = splitter_next(d->splitter, &d->split_chunk, &d->split_error);
}

static void free_if_done(struct dispatch *d)
{
    if (!d->closed || d->splits)
        return;
    splitter_free(d->splitter);
    digest_free(d->digest);
    input_leave(d->input);
    free(d->lanes);
    free(d->queue);
    free(d);
}

static void on_split_done(uv_work_t *work, int status)
{
    struct dispatch *d = CONTAINER_OF(work, struct dispatch, splitting);

    (void)status; /* it is never cancelled */
    d->splits = false;
    if (d->closed) {
        free_if_done(d);
        return;
    }
    if (d->ending_at > 0) {
        d->split_all = true;      /* nothing of it is begun any more */
    } else if (d->split_rc < 0) { /* what is before it goes on; nothing of its own chunk does */
        struct db_error own = outcome_own(&d->split_error);
        int64_t at = d->point.chunk.chunk_no + (int64_t)d->queued + 1;
        struct ending ending = outcome_of(&own);
        end_at(d, at, &ending);
    } else {
        d->queue[d->queued++] = (struct entry){.chunk = d->split_chunk};
        d->split_all = d->split_chunk.final;
        if (d->split_all)
            digest_read(d->digest, d->content);
    }
    advance(d);
}

static void split_ahead(struct dispatch *d)
{
    if (d->splits || d->split_all || d->finishing || d->ending_at > 0 || first_waiting(d))
        return;
    d->splits = true;
    uv_queue_work(d->setting.loop, &d->splitting, on_split, on_split_done);
}

/* ---- forward ---- */

static int refuse_crossing(const struct dispatch *d, const struct lane *lane, struct error *err)
{
    const struct pass_counts *counts = lane_counts(lane);

    if (d->point.rejects + counts->rejects <= d->job->profile.reject_limit || counts->rejects == 0)
        return 0;
    return pass_refuse_rejects(d->input, counts, err);
}

static int64_t rejects_left(const struct dispatch *d)
{
    return d->job->profile.reject_limit - d->point.rejects;
}

/* Rows of the earliest chunk were refused: all before it is in, so that the same records are
 * refused now as would be without lanes. */
static void sift_first(struct dispatch *d)
{
    const struct chunk *chunk = &d->queue[0].chunk;

    log_line(LOG_LEVEL_NOTICE, d->job->tracker,
             "the server refuses rows; they are sought chunk=%lld first_line=%lld last_line=%lld",
             (long long)chunk->chunk_no, (long long)chunk->first_line, (long long)chunk->last_line);
    lane_sift(d->queue[0].lane, rejects_left(d));
}

/* The earliest chunk that is not in: once it is copied, it alone may be committed. */
static void serve_first(struct dispatch *d)
{
    struct error err;

    if (d->queued == 0 || !d->queue[0].lane)
        return;
    struct lane *lane = d->queue[0].lane;
    if (lane_refused(lane))
        sift_first(d);
    if (!lane_copied(lane))
        return;
    if (refuse_crossing(d, lane, &err) < 0 || lane_commit(lane, d->content, &err) < 0) {
        struct db_error own = outcome_own(&err);
        struct chunk chunk = d->queue[0].chunk;
        fail_chunk(d, &chunk, &own);
    }
}

static void open_lane(struct dispatch *d)
{
    struct lane **slot = slot_of(d, NULL);

    if (slot && !connecting(d))
        *slot = lane_new(&d->setting);
}

/* Gives the chunk that waits to a free lane, or opens one for it. */
static void assign(struct dispatch *d)
{
    struct entry *entry = first_waiting(d);

    if (!entry || d->finishing)
        return;
    struct lane *lane = free_lane(d);
    if (!lane) {
        if (!d->full)
            open_lane(d);
        return;
    }
    entry->lane = lane;
    lane_carry(lane, d->input, &entry->chunk, rejects_left(d), d->one_lane);
}

/* Are there all the lanes that there will be? Those that two rounds of chunks did not need are not
 * opened later. */
static bool has_settled(struct dispatch *d)
{
    if (connecting(d))
        return false;
    if (d->full || !slot_of(d, NULL))
        return true;
    return !first_waiting(d) && (d->split_all || d->committed >= 2 * (int64_t)d->most_lanes);
}

static void settle(struct dispatch *d)
{
    if (d->settled || !has_settled(d))
        return;
    d->settled = d->full = true;
    d->events->on_settled(d->arg);
}

static bool nothing_under_way(const struct dispatch *d)
{
    return d->queued == 0 || !d->queue[0].lane;
}

/* Everything that can happen now. The owner may have closed it afterwards. */
static void advance(struct dispatch *d)
{
    const struct ending loaded = {.outcome = OUTCOME_LOADED, .identity = d->input->source.identity};
    const struct ending finished = {.outcome = OUTCOME_FINISHED};

    serve_first(d);
    assign(d);
    settle(d);
    split_ahead(d);
    if (d->point.chunk.final)
        end(d, &loaded);
    else if (d->ending_at > 0 && d->point.chunk.chunk_no + 1 >= d->ending_at)
        end(d, &d->ending);
    else if (d->finishing && nothing_under_way(d))
        end(d, &finished);
}

/* ---- what lanes say ---- */

static void on_lane_ready(void *arg, struct lane *lane)
{
    struct dispatch *d = arg;

    (void)lane;
    if (d->input)
        advance(d);
    else
        d->events->on_connected(d->arg);
}

static void on_lane_copied(void *arg, struct lane *lane)
{
    (void)lane;
    advance(arg);
}

static void on_lane_refused(void *arg, struct lane *lane)
{
    (void)lane;
    advance(arg);
}

static void on_lane_committed(void *arg, struct lane *lane)
{
    struct dispatch *d = arg;
    const struct pass_counts *counts = lane_counts(lane);

    d->point.chunk = d->queue[0].chunk;
    d->point.rows += counts->rows;
    d->point.rejects += counts->rejects;
    d->committed++;
    d->queued--;
    for (size_t i = 0; i < d->queued; i++)
        d->queue[i] = d->queue[i + 1];
    d->events->on_progress(d->arg, &d->point);
    advance(d);
}

/* Lanes block each other, or somebody else blocks one. All but the earliest chunk's lane go, with
 * their locks; if it is that chunk that could not be had, it is done once more, alone; and one lane
 * loads the rest. Whoever is in the way of one that is alone is no lane of ours: false. */
static bool take_way_out(struct dispatch *d, struct lane *lane)
{
    struct lane *first = d->queue[0].lane;

    if (lane_alone(lane))
        return false;
    log_line(LOG_LEVEL_NOTICE, d->job->tracker, "lanes block each other; one goes on chunk=%lld",
             (long long)d->queue[0].chunk.chunk_no);
    d->one_lane = d->full = true;
    close_lanes_but(d, first);
    if (lane == first)
        lane_carry_again(first);
    return true;
}

/* A further lane that the server does not have room for is done without. */
static bool can_do_without(struct dispatch *d, struct lane *lane)
{
    if (!d->input || lane_ready(lane))
        return false;
    log_line(LOG_LEVEL_NOTICE, d->job->tracker, "a further lane cannot connect; done without");
    close_lane(d, lane);
    d->full = true;
    return true;
}

static void on_lane_failed(void *arg, struct lane *lane, const struct db_error *err)
{
    struct dispatch *d = arg;
    struct entry *entry = d->input ? entry_of(d, lane) : NULL;
    struct ending ending = outcome_of(err);

    if (!d->input || err->meaning == DB_FENCED) {
        end(d, &ending); /* nothing of this epoch can be committed any more */
        return;
    }
    if (entry && err->meaning == DB_CONFLICT && take_way_out(d, lane))
        return;
    if (can_do_without(d, lane))
        return;
    if (entry) {
        struct chunk chunk = entry->chunk;
        fail_chunk(d, &chunk, err);
    } else {
        close_lane(d, lane);
        end_at(d, d->point.chunk.chunk_no + (int64_t)d->queued + 1, &ending);
    }
    advance(d);
}

static const struct lane_events lane_events = {on_lane_ready, on_lane_copied, on_lane_committed,
                                               on_lane_refused, on_lane_failed};

/* ---- from outside ---- */

struct dispatch *dispatch_new(uv_loop_t *loop, const struct job *job, struct db_kept *kept,
                              const struct dispatch_events *events, void *arg)
{
    struct dispatch *d = NEW(struct dispatch);

    d->job = job;
    d->events = events;
    d->arg = arg;
    d->setting = (struct lane_setting){
        .loop = loop,
        .database = {.conninfo = job->conninfo,
                     .schema = job->schema,
                     .application_name = job->application_name,
                     .kept = kept},
        .claim = {.tracker = job->tracker,
                  .epoch = job->epoch,
                  .token = job->token,
                  .owner = job->owner},
        .events = &lane_events,
        .arg = d,
    };
    d->most_lanes = 1;
    d->lanes = mem_new(1, sizeof(struct lane *));
    d->lanes[0] = lane_new(&d->setting);
    return d;
}

struct db_conn *dispatch_conn(const struct dispatch *d)
{
    return lane_conn(d->lanes[0]);
}

void dispatch_start(struct dispatch *d, struct input *input, const struct point *point,
                    struct digest *digest, int64_t most_lanes)
{
    const struct profile *profile = &d->job->profile;
    struct lane *first = d->lanes[0];

    free(d->lanes);
    d->most_lanes = most_lanes > 1 ? (size_t)most_lanes : 1;
    d->one_lane = d->full = d->most_lanes == 1;
    d->lanes = mem_new(d->most_lanes, sizeof(struct lane *));
    d->lanes[0] = first;
    d->queue = mem_new(d->most_lanes + 1, sizeof *d->queue);
    d->input = input_use(input);
    d->point = *point;
    d->splitter = splitter_new(&input->source, profile->delimiter, profile->quote, profile->header,
                               d->job->max_record, d->job->chunk_bytes, &point->chunk);
    splitter_share(d->splitter, d->most_lanes);
    d->digest = digest;
    splitter_feed(d->splitter, digest);
    advance(d);
}

void dispatch_finish(struct dispatch *d)
{
    d->finishing = true;
    if (d->input)
        advance(d);
}

void dispatch_close(struct dispatch *d)
{
    if (!d || d->closed)
        return;
    d->closed = true;
    for (size_t i = 0; i < d->most_lanes; i++)
        lane_close(d->lanes[i]);
    free_if_done(d);
}
