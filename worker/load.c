/* SPDX-License-Identifier: PostgreSQL */
#include "worker/load.h"

#include "base/mem.h"
#include "base/pause.h"
#include "worker/content.h"
#include "worker/known.h"
#include "worker/outcome.h"
#include "worker/verify.h"

#include <stdlib.h>
#include <string.h>

/* The stages follow one another, from the end of this file to its beginning:
 * connected, (looked), opened, (compared), (claimed), layout known, started. */
struct load {
    uv_loop_t *loop;
    const struct job *job;
    const struct load_events *events;
    void *arg;
    struct dispatch *dispatch;
    struct checkpoint last; /* when it began; chunk_no 0: none */
    struct point point;     /* the recovery point */
    struct input *input;
    struct verify *verify;   /* NULL unless it compares */
    struct content *content; /* NULL unless it claims */
    struct digest *digest;   /* of what is in */
    uv_work_t work;          /* opening, the header: in the thread pool */
    bool works;
    int work_rc;
    struct error work_error;
    bool started, ended, closed;
};

static void load_free(struct load *load)
{
    input_leave(load->input);
    digest_free(load->digest);
    free(load);
}

void load_close(struct load *load)
{
    if (!load || load->closed)
        return;
    load->closed = true;
    dispatch_close(load->dispatch);
    verify_close(load->verify);
    content_close(load->content);
    if (!load->works)
        load_free(load);
}

static void end(struct load *load, const struct ending *ending)
{
    if (load->ended || load->closed)
        return;
    load->ended = true;
    load->events->on_ended(load->arg, ending);
}

static void end_by_database(struct load *load, const struct db_error *err)
{
    struct ending ending = outcome_of(err);

    end(load, &ending);
}

static void end_as(struct load *load, enum outcome outcome, const struct error *err)
{
    struct ending ending = {.outcome = outcome, .error = *err};

    if (err->code == ERR_ALREADY_UPLOADED || err->code == ERR_GROWN)
        ending.identity = load->input->source.identity; /* to be refused at once the next time */
    end(load, &ending);
}

/* ---- off ---- */

static void start(struct load *load)
{
    struct digest *digest = load->digest;

    load->digest = NULL;
    load->started = true;
    load->events->on_ready(load->arg, load->input->source.identity.size);
    dispatch_start(load->dispatch, load->input, &load->point, digest, load->job->lanes);
}

/* ---- the thread pool ---- */

static void queue_work(struct load *load, uv_work_cb run, uv_after_work_cb done)
{
    load->works = true;
    uv_queue_work(load->loop, &load->work, run, done);
}

/* What was run has ended; false when nobody is interested any more. */
static bool take_work(struct load *load)
{
    load->works = false;
    if (load->closed) {
        load_free(load);
        return false;
    }
    return !load->ended;
}

/* ---- the header ---- */

static void on_layout(uv_work_t *work)
{
    struct load *load = CONTAINER_OF(work, struct load, work);

    load->work_rc = layout_read(&load->input->layout, &load->input->source, &load->job->profile,
                                load->job->max_record, &load->work_error);
}

static void on_layout_done(uv_work_t *work, int status)
{
    struct load *load = CONTAINER_OF(work, struct load, work);

    (void)status; /* it is never cancelled */
    if (!take_work(load))
        return;
    if (load->work_rc < 0)
        end_as(load, OUTCOME_FAILED, &load->work_error);
    else
        start(load);
}

static void read_layout(struct load *load)
{
    queue_work(load, on_layout, on_layout_done);
}

/* ---- is it the file of before ---- */

static void on_resume_verified(void *arg, const struct verified *verified)
{
    struct load *load = arg;
    struct error err;

    load->verify = NULL;
    if (load->ended)
        return;
    if (verified->failed) {
        end_by_database(load, verified->failed);
    } else if (verified->differs) {
        known_changed(load->job, verified->differs, &err);
        end_as(load, OUTCOME_CHANGED, &err);
    } else {
        PAUSE("worker.compared");
        load->digest = verified->digest;
        read_layout(load);
    }
}

/* From record 1. */
static void begin_anew(struct load *load)
{
    PAUSE("worker.claimed");
    load->digest = digest_new();
    read_layout(load);
}

static void on_content_claimed(void *arg, const struct owner_of_content *found,
                               const struct db_error *err)
{
    struct load *load = arg;
    struct error refused;

    load->content = NULL;
    if (load->ended)
        return;
    if (err) {
        end_by_database(load, err);
    } else if (found) {
        known_elsewhere(load->job, found, &refused);
        end_as(load, OUTCOME_FAILED, &refused);
    } else {
        begin_anew(load);
    }
}

/* Nothing is to be taken, and nothing that was taken is to be forgotten: spares a transaction. */
static bool needs_no_claim(const struct load *load)
{
    return load->job->first_start && !load->job->content;
}

static void claim_content(struct load *load)
{
    if (needs_no_claim(load)) {
        begin_anew(load);
        return;
    }
    load->content = content_new(load->loop, dispatch_conn(load->dispatch), load->input,
                                on_content_claimed, load);
}

static void on_earlier_verified(void *arg, const struct verified *verified)
{
    struct load *load = arg;
    struct error err;

    load->verify = NULL;
    digest_free(verified->digest);
    if (load->ended)
        return;
    if (verified->failed) {
        end_by_database(load, verified->failed);
    } else if (verified->differs || !verified->last) {
        claim_content(load); /* another file at the path of an earlier one */
    } else {
        /* that it changed while it was compared is worth more than what was compared */
        if (source_check(&load->input->source, &err) == 0)
            known_before(load->job, load->input->source.identity.size, verified->last, &err);
        end_as(load, OUTCOME_FAILED, &err);
    }
}

static void compare(struct load *load)
{
    struct db_conn *conn = dispatch_conn(load->dispatch);
    int64_t tracker = load->job->tracker;
    on_verified done = on_resume_verified;

    if (load->point.chunk.chunk_no == 0) {
        tracker = load->job->earlier;
        done = on_earlier_verified;
    }
    if (tracker == 0)
        claim_content(load);
    else
        load->verify = verify_new(load->loop, conn, load->input, tracker, done, load);
}

/* ---- the file ---- */

static void on_open(uv_work_t *work)
{
    struct load *load = CONTAINER_OF(work, struct load, work);
    const struct job *job = load->job;

    load->work_rc = source_open(&load->input->source, job->path, job->allow, job->allow_count,
                                &load->work_error);
}

static void on_open_done(uv_work_t *work, int status)
{
    struct load *load = CONTAINER_OF(work, struct load, work);
    bool resumes = load->point.chunk.chunk_no > 0;

    (void)status; /* it is never cancelled */
    if (!take_work(load))
        return;
    PAUSE("worker.opened");
    if (load->work_rc == 0) {
        compare(load);
    } else if (resumes && load->work_error.code == ERR_FILE_EMPTY) {
        known_changed(load->job, &load->last, &load->work_error); /* all it had is gone */
        end_as(load, OUTCOME_CHANGED, &load->work_error);
    } else {
        end_as(load, OUTCOME_FAILED, &load->work_error);
    }
}

static void open_file(struct load *load)
{
    queue_work(load, on_open, on_open_done);
}

/* ---- what is in ---- */

static struct point point_of(const struct checkpoint *checkpoint)
{
    struct point point = {
        .chunk = {.chunk_no = checkpoint->chunk_no,
                  .first_line = checkpoint->first_line,
                  .last_line = checkpoint->last_line,
                  .start_offset = checkpoint->start_offset,
                  .end_offset = checkpoint->end_offset,
                  .final = checkpoint->final},
        .rows = checkpoint->rows_total,
        .rejects = checkpoint->rejects_total,
    };

    memcpy(point.chunk.hash, checkpoint->hash, sizeof point.chunk.hash);
    return point;
}

static void on_point_known(void *arg, const struct checkpoint *last, const struct db_error *err)
{
    struct load *load = arg;
    const struct ending loaded = {.outcome = OUTCOME_LOADED};

    if (err) {
        end_by_database(load, err);
        return;
    }
    if (last) {
        load->last = *last;
        load->point = point_of(last);
    }
    if (load->point.chunk.final)
        end(load, &loaded); /* also when the file is gone */
    else
        open_file(load);
}

/* ---- what the dispatch says ---- */

static void on_connected(void *arg)
{
    struct load *load = arg;

    PAUSE("worker.connected");
    if (load->job->chunks == 0) /* as its start has read it: nobody but this worker adds any */
        open_file(load);
    else
        checkpoint_last(dispatch_conn(load->dispatch), load->job->tracker, on_point_known, load);
}

static void on_settled(void *arg)
{
    struct load *load = arg;

    load->events->on_settled(load->arg);
}

static void on_progress(void *arg, const struct point *point)
{
    struct load *load = arg;

    load->events->on_progress(load->arg, point);
}

static void on_ended(void *arg, const struct ending *ending)
{
    end(arg, ending);
}

static const struct dispatch_events dispatch_events = {on_connected, on_settled, on_progress,
                                                       on_ended};

struct load *load_new(uv_loop_t *loop, const struct job *job, struct db_kept *kept,
                      const struct load_events *events, void *arg)
{
    struct load *load = NEW(struct load);

    load->loop = loop;
    load->job = job;
    load->events = events;
    load->arg = arg;
    load->input = input_new(job);
    load->dispatch = dispatch_new(loop, job, kept, &dispatch_events, load);
    return load;
}

void load_finish(struct load *load)
{
    const struct ending finished = {.outcome = OUTCOME_FINISHED};

    if (load->started)
        dispatch_finish(load->dispatch);
    else
        end(load, &finished);
}
