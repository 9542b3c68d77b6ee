/* SPDX-License-Identifier: PostgreSQL */
/* How an upload's state moves. It never talks to the database, a process or a client itself. */
#include "supervisor/upload.h"

#include "base/log.h"
#include "base/mem.h"
#include "supervisor/crew.h"
#include "supervisor/requests.h"
#include "supervisor/supervisor.h"
#include "supervisor/uploads.h"

#include <stdlib.h>
#include <string.h>

/* For a step of a rollback, whatever it takes. */
#define STEP_LONGEST_MS INT64_C(86400000)

static void log_edge(const struct upload *upload, enum event event, const struct transition *t)
{
    enum status before = state_status(upload->state);
    enum status after = state_status(t->next);
    /* a row that was only looked at is no news */
    bool visible = after != STATUS_NONE && after != before && upload->state != ST_READING;

    log_line(visible ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, upload->row.id,
             "state=%s from=%s event=%s reason=\"%s\" line=%lld path=%s", state_name(t->next),
             state_name(upload->state), event_name(event), t->reason, (long long)upload->row.line,
             log_value(upload->path).text);
}

static void enter(struct upload *upload, enum state state)
{
    enum state before = upload->state;

    upload_timer_stop(upload);
    upload->serial++;
    upload->state = state;
    upload->changed = true;
    uploads_moved(upload, before);
}

static void take_edge(struct upload *upload, enum event event, const struct transition *t,
                      struct request *by)
{
    if (t->next != upload->state) {
        log_edge(upload, event, t);
        enter(upload, t->next);
        if (by) {
            upload->asked_by = by->uid;
            upload->outcome =
                OUTCOME_CRASHED; /* an ending before this command is no answer to it */
        }
    }
    action_perform(upload, t->action, t->reason, by);
}

/* What the table holds impossible is a bug, but no reason to lose an upload: the row decides. */
static void read_again(struct upload *upload, enum event event)
{
    struct transition t = {FSM_EDGE, ST_READING, ACT_READ, ERR_NONE, "an unexpected event"};

    log_line(LOG_LEVEL_WARNING, upload->row.id, "event=%s in state=%s was not expected",
             event_name(event), state_name(upload->state));
    crew_drop(upload);
    take_edge(upload, event, &t, NULL);
}

struct transition upload_event(struct upload *upload, enum event event, struct request *by)
{
    struct transition t = fsm_next(upload->state, event);

    switch (t.verdict) {
    case FSM_EDGE:
        take_edge(upload, event, &t, by);
        break;
    case FSM_REFUSED:
    case FSM_WAITS:
        break;
    case FSM_IMPOSSIBLE:
        if (!event_is_command(event) && !state_rests(upload->state))
            read_again(upload, event);
        break;
    }
    if (!by)
        requests_settle(upload);
    return t;
}

void upload_take_up(struct upload *upload, const struct tracker *row)
{
    upload_set_row(upload, row);
    enter(upload, ST_READING);
    upload_event(upload, upload_row_event(upload), NULL);
}

enum event upload_row_event(const struct upload *upload)
{
    const struct tracker *row = &upload->row;
    bool mine = strcmp(row->owner, upload->supervisor->name) == 0;
    bool unfinished = row->wanted != WANTED_NOTHING || status_is_unfinished(row->status);

    if (unfinished && mine)
        return EV_ROW_MINE;
    if (unfinished)
        return row->wanted == WANTED_STOP ? EV_ROW_FOREIGN_STOP : EV_ROW_FOREIGN;
    if (row->status == STATUS_STOPPED)
        return EV_ROW_STOPPED;
    if (row->status == STATUS_FAILED)
        return EV_ROW_FAILED;
    if (row->status == STATUS_PROCESSED)
        return EV_ROW_PROCESSED;
    return row->interrupted ? EV_ROW_INTERRUPTED : EV_ROW_KILLED;
}

enum event upload_saved_event(const struct upload *upload)
{
    const struct tracker *row = &upload->row;
    bool empty = row->chunk_no == 0 && !upload->worker;

    if (row->wanted == WANTED_STOP)
        return empty ? EV_EMPTY_STOP : EV_SAVED_STOP;
    if (row->wanted == WANTED_RESTART)
        return empty ? EV_EMPTY_RESTART : EV_SAVED_RESTART;
    return row->final ? EV_SAVED_FINAL : EV_SAVED;
}

void upload_set_row(struct upload *upload, const struct tracker *row)
{
    struct tracker copy;

    tracker_copy(&copy, row);
    if (upload->row.id && upload->row.id != row->id)
        uploads_unindex(upload);
    if (upload->row.id)
        tracker_fini(&upload->row);
    upload->row = copy;
    upload->changed = true;
    uploads_index(upload);
}

void upload_forget_row(struct upload *upload)
{
    if (!upload->row.id)
        return;
    uploads_unindex(upload);
    tracker_fini(&upload->row);
    upload->row = (struct tracker){0};
    uploads_index(upload);
}

void upload_set_trouble(struct upload *upload, const struct error *trouble)
{
    if (!trouble || trouble->code == ERR_NONE) {
        free(upload->trouble);
        upload->trouble = NULL;
        return;
    }
    if (!upload->trouble)
        upload->trouble = NEW(struct error);
    *upload->trouble = *trouble;
}

struct timer {
    uv_timer_t handle;
    struct upload *upload;
    enum event event;
};

static void on_timer(uv_timer_t *handle)
{
    struct timer *timer = CONTAINER_OF(handle, struct timer, handle);

    if (timer->upload)
        upload_event(timer->upload, timer->event, NULL);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct timer, handle));
}

void upload_timer_start(struct upload *upload, int64_t timeout_ms, enum event event)
{
    upload_timer_stop(upload);
    struct timer *timer = NEW(struct timer);
    timer->upload = upload;
    timer->event = event;
    uv_timer_init(upload->supervisor->loop, &timer->handle);
    uv_timer_start(&timer->handle, on_timer, (uint64_t)timeout_ms, 0);
    upload->timer = &timer->handle;
}

static int64_t step_ms(const struct upload *upload)
{
    return upload->step_ms > 0 ? upload->step_ms : upload->supervisor->conf.stop_timeout_ms;
}

void upload_await_step(struct upload *upload)
{
    upload_timer_start(upload, step_ms(upload), EV_TIMEOUT);
}

int64_t upload_grant_step(struct upload *upload)
{
    if (step_ms(upload) < STEP_LONGEST_MS)
        upload->step_ms = 2 * step_ms(upload);
    return step_ms(upload);
}

void upload_timer_stop(struct upload *upload)
{
    if (!upload->timer)
        return;
    CONTAINER_OF(upload->timer, struct timer, handle)->upload = NULL;
    uv_close((uv_handle_t *)upload->timer, on_timer_closed);
    upload->timer = NULL;
}
