/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/crew.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pause.h"
#include "db/recovery.h"
#include "supervisor/database.h"
#include "supervisor/supervisor.h"
#include "supervisor/uploads.h"

#include <stdlib.h>

#define RATE_FIRST_SECONDS 0.2 /* what is shorter measures nothing */
#define RATE_STALE_MS 10000    /* a rate this old says nothing any more */

/* A long upload is told of in the log: each so many percent, but not as often as this; and if they
 * take longer than that, then. */
#define TELL_PERCENT 10.0
#define TELL_LEAST_MS 5000
#define TELL_MOST_MS 60000

/* ---- what it reports ---- */

double crew_percent(const struct tracker *row)
{
    if (row->identity.size <= 0)
        return 0;
    double percent = 100.0 * (double)row->offset / (double)row->identity.size;
    return percent > 100.0 ? 100.0 : percent;
}

static void on_ready(void *arg, int64_t size)
{
    struct upload *upload = arg;

    if (size > 0)
        upload->row.identity.size = size;
    upload->rate_offset = upload->row.offset;
    upload->rate_at_ms = uv_now(upload->supervisor->loop);
    upload->told_percent = crew_percent(&upload->row);
    upload->told_at_ms = upload->rate_at_ms;
    upload->changed = true;
}

/* Smoothed over a few seconds: each second gone replaces half of what was thought before. */
static void update_rate(struct upload *upload)
{
    uint64_t now = uv_now(upload->supervisor->loop);
    double seconds = (double)(now - upload->rate_at_ms) / 1000.0;

    if (seconds < RATE_FIRST_SECONDS)
        return;
    double rate = (double)(upload->row.offset - upload->rate_offset) / seconds;
    double weight = seconds / (seconds + 1.0);
    upload->rate = upload->rate > 0 ? upload->rate * (1 - weight) + rate * weight : rate;
    upload->rate_offset = upload->row.offset;
    upload->rate_at_ms = now;
}

double crew_rate(const struct upload *upload)
{
    uint64_t age_ms = uv_now(upload->supervisor->loop) - upload->rate_at_ms;

    return upload->state == ST_RUNNING && age_ms < RATE_STALE_MS ? upload->rate : 0;
}

static void tell(struct upload *upload)
{
    uint64_t now = uv_now(upload->supervisor->loop);
    uint64_t since_ms = now - upload->told_at_ms;
    double percent = crew_percent(&upload->row);

    if (since_ms < TELL_LEAST_MS ||
        (percent < upload->told_percent + TELL_PERCENT && since_ms < TELL_MOST_MS))
        return;
    upload->told_percent = percent;
    upload->told_at_ms = now;
    log_line(LOG_LEVEL_INFO, upload->row.id,
             "progress percent=%.0f rows=%lld rejects=%lld bytes_per_second=%.0f", percent,
             (long long)upload->row.rows, (long long)upload->row.rejects, upload->rate);
}

static void count(struct metrics *metrics, const struct tracker *before,
                  const struct worker_report *now)
{
    metrics->rows += now->rows - before->rows;
    metrics->rejects += now->rejects - before->rejects;
    metrics->bytes += now->offset - before->offset;
}

static void on_report(void *arg, bool rolling, const struct worker_report *report)
{
    struct upload *upload = arg;

    if (rolling != upload->rolling) /* what it had sent before it was told to roll back */
        return;
    if (!rolling)
        count(&upload->supervisor->metrics, &upload->row, report);
    if (report->offset > upload->row.offset)
        upload_set_trouble(upload, NULL); /* it is over */
    upload->row.line = report->line;
    upload->row.offset = report->offset;
    upload->row.rows = report->rows;
    upload->row.rejects = report->rejects;
    upload->changed = true;
    if (rolling && (upload->state == ST_ROLLING_BACK || upload->state == ST_CLEARING))
        upload_await_step(upload);
    if (!rolling) {
        update_rate(upload);
        tell(upload);
    }
}

/* ---- how it ended ---- */

static enum event event_of(const struct upload *upload, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_CRASHED:
        return EV_CRASHED;
    case OUTCOME_LOADED:
        return EV_LOADED;
    case OUTCOME_ROLLED_BACK:
        return upload->row.wanted == WANTED_RESTART ? EV_EMPTY_RESTART : EV_EMPTY_STOP;
    case OUTCOME_FINISHED:
        return EV_FINISHED;
    case OUTCOME_EQUAL: /* of a worker that was told to verify: not this one */
        break;
    case OUTCOME_FAILED:
        return EV_WORKER_FAILED;
    case OUTCOME_FENCED:
        return EV_FENCED;
    case OUTCOME_TROUBLE:
        return EV_TROUBLE;
    case OUTCOME_CHANGED:
        return EV_CHANGED;
    }
    return EV_CRASHED;
}

static void on_ended(void *arg, const struct ending *ending)
{
    struct upload *upload = arg;

    upload->worker = NULL;
    upload->rate = 0;
    upload->outcome = ending->outcome;
    upload->seen = ending->identity;
    if (ending->outcome == OUTCOME_TROUBLE && ending->error.code == ERR_SYSTEM)
        upload->uncounted = true;
    if (ending->outcome == OUTCOME_CRASHED && upload->state != ST_KILLING) {
        upload->supervisor->metrics.crashes++;
        log_error(upload->row.id, &ending->error, "the worker crashed");
    }
    upload_set_trouble(upload, &ending->error);
    log_line(LOG_LEVEL_DEBUG, upload->row.id, "worker outcome=%s", outcome_name(ending->outcome));
    upload_event(upload, event_of(upload, ending->outcome), NULL);
}

static const struct worker_events events = {on_ready, on_report, on_ended};

/* ---- its job ---- */

/* The profile that the upload was begun with, and the reject_limit in force. A rollback reads no
 * file: it goes on also when the row's text is another program's. */
static int profile_of_job(const struct conf *conf, const struct tracker *row, enum job_mode mode,
                          struct profile *profile, struct error *err)
{
    const struct profile *now = conf_profile(conf, row->profile);

    if (profile_parse(profile, row->profile, row->profile_text)) {
        profile->reject_limit = now ? now->reject_limit : conf->reject_limit;
        return 0;
    }
    if (mode != JOB_ROLLBACK)
        return error_set(err, ERR_INTERNAL, "the tracker's profile_text cannot be read");
    profile_copy(profile, conf_profile(conf, PROFILE_BUILT_IN));
    return 0;
}

/* A rollback does not queue, so that there may be more of them than max_workers: the further ones
 * have one connection each. */
static int64_t lanes_of(const struct supervisor *supervisor, const struct task *task)
{
    const struct conf *conf = &supervisor->conf;
    bool crowded = task->mode == JOB_ROLLBACK &&
                   uploads_working(supervisor->uploads) >= (size_t)conf->max_workers;

#ifdef UPLOADER_PAUSE
    const char *forced =
        getenv("UPLOADER_FORCE_LANES"); /* tests of what happens without the rule */
    if (forced)
        return strtol(forced, NULL, 10);
#endif
    return task->one_lane || crowded ? 1 : conf->lanes;
}

int crew_spawn(struct supervisor *supervisor, const struct tracker *row, const struct task *task,
               const struct worker_events *told, void *arg, struct worker **worker,
               struct error *err)
{
    const struct conf *conf = &supervisor->conf;
    struct job job = {
        .mode = task->mode,
        .tracker = row->id,
        .epoch = row->epoch,
        .token = row->token,
        .owner = supervisor->name,
        .path = task->at ? task->at : row->path,
        .allow = conf->allow,
        .allow_count = conf->allow_count,
        .chunk_bytes = conf->chunk_bytes,
        .max_record = task->mode == JOB_VERIFY ? RECORD_MAX_BYTES : conf->max_record,
        .lanes = lanes_of(supervisor, task),
        .earlier = task->earlier,
        .content = conf->duplicates == DUPLICATES_CONTENT,
        .again = row->again,
        .schema = conf->schema,
        .log_level = (int64_t)conf->log_level,
        .confine = conf->confine,
        .chunks = row->chunk_no,
        .first_start = row->epoch == TRACKER_FIRST_START,
    };
    int rc = profile_of_job(conf, row, task->mode, &job.profile, err);

    if (rc < 0)
        return rc;
    job.conninfo = supervisor->open ? database_conninfo(supervisor->database) : NULL;
    job.application_name =
        backend_name(supervisor->name, supervisor->start, job.tracker, job.epoch);
    if (job.conninfo)
        rc = worker_spawn(supervisor->workers, &job, told, arg, worker, err);
    else
        rc = error_set(err, ERR_DATABASE_AWAY, "the database is away");
    free(job.conninfo);
    free(job.application_name);
    profile_fini(&job.profile);
    return rc;
}

void crew_start(struct upload *upload, const struct task *task)
{
    struct error err;

    upload->outcome = OUTCOME_CRASHED;
    upload->seen = (struct identity){0};
    upload->rolling = task->mode == JOB_ROLLBACK;
    if (crew_spawn(upload->supervisor, &upload->row, task, &events, upload, &upload->worker, &err) <
        0) {
        upload->uncounted = err.code == ERR_SYSTEM || err.code == ERR_DATABASE_AWAY;
        upload_set_trouble(upload, &err);
        upload_event(upload, EV_TROUBLE, NULL);
        return;
    }
    PAUSE("supervisor.worker_started");
}

void crew_drop(struct upload *upload)
{
    if (upload->worker)
        worker_abandon(upload->worker);
    upload->worker = NULL;
    upload->rate = 0;
}
