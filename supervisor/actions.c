/* SPDX-License-Identifier: PostgreSQL */
/* What the state machine's actions do: moves of the row (rows.h), workers (crew.h), timers. */
#include "base/advice.h"
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/crew.h"
#include "supervisor/refusals.h"
#include "supervisor/requests.h"
#include "supervisor/rows.h"
#include "supervisor/supervisor.h"
#include "supervisor/upload.h"
#include "supervisor/uploads.h"

#include <string.h>

#include <stdlib.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 5000

static struct move_args args_of(const struct upload *upload, const char *reason,
                                const struct request *by)
{
    return (struct move_args){
        .owner = upload->supervisor->name,
        .tries = upload->row.tries,
        .tries_line = upload->row.tries_line,
        .asker = {by ? by->uid : -1, reason},
    };
}

static void save(struct upload *upload, enum move move, const char *reason,
                 const struct request *by)
{
    struct move_args args = args_of(upload, reason, by);

    rows_move(upload, move, &args);
}

/* The last of several moves that one command leads to is still that command's. */
static void save_for_asker(struct upload *upload, enum move move, const char *reason)
{
    struct move_args args = args_of(upload, reason, NULL);

    args.asker.uid = upload->asked_by;
    rows_move(upload, move, &args);
}

static void begin_anew(struct upload *upload)
{
    upload->tries = 0;
    upload->backoff_ms = 0;
    upload->start_line = -1;
    upload->uncounted = false;
    upload_set_trouble(upload, NULL);
}

static void act_nothing(struct upload *upload, const char *reason, struct request *by)
{
    (void)upload;
    (void)reason;
    (void)by;
}

/* Whoever has it: a worker of ours that is still there has nothing to do any more. */
static void act_read(struct upload *upload, const char *reason, struct request *by)
{
    (void)reason;
    (void)by;
    crew_drop(upload);
    rows_read(upload);
    if (!upload->supervisor->open)
        supervisor_upload_rested(upload->supervisor);
}

/* What an upload takes from the look at its file. One that was begun with --again stays so. */
static void take_request(struct move_args *args, const struct request *by)
{
    args->profile_text = by->profile_text;
    args->identity = &by->identity;
    args->again = by->again ? &by->again : NULL;
    args->priority = &by->priority;
    args->tries = args->tries_line = 0;
}

static void act_create(struct upload *upload, const char *reason, struct request *by)
{
    struct move_args args;

    upload_forget_row(upload); /* of the PROCESSED one before it */
    begin_anew(upload);
    upload->prior = STATUS_NONE;
    args = args_of(upload, reason, by);
    take_request(&args, by);
    rows_create(upload, &args);
}

/* A resume by itself counts its tries in the row, so that a crash loop ends over all lives. */
static void count_resume(const struct upload *upload, struct move_args *args)
{
    bool stuck = upload->row.tries > 0 && upload->row.tries_line == upload->row.line;

    args->tries = stuck ? upload->row.tries + 1 : 1;
    args->tries_line = upload->row.line;
}

static void act_save_queue(struct upload *upload, const char *reason, struct request *by)
{
    struct move_args args = args_of(upload, reason, by);

    begin_anew(upload);
    upload->prior = upload->row.status;
    if (by)
        take_request(&args, by);
    else
        count_resume(upload, &args);
    rows_move(upload, MOVE_QUEUE, &args);
}

static void act_save_priority(struct upload *upload, const char *reason, struct request *by)
{
    struct move_args args = args_of(upload, reason, by);

    args.priority = &by->priority;
    rows_move(upload, MOVE_QUEUE, &args);
}

static void act_enqueue(struct upload *upload, const char *reason, struct request *by)
{
    (void)reason;
    (void)by;
    uploads_enqueue(upload);
}

static void act_save_start(struct upload *upload, const char *reason, struct request *by)
{
    save(upload, MOVE_START, reason, by);
}

static void act_save_fence(struct upload *upload, const char *reason, struct request *by)
{
    save(upload, MOVE_FENCE, reason, by);
}

/* A worker that rolls back for a restart is done; the stop's gets an epoch of its own. */
static void act_save_stop(struct upload *upload, const char *reason, struct request *by)
{
    if (upload->rolling)
        crew_drop(upload);
    upload->backoff_ms = 0;
    save(upload, MOVE_STOP, reason, by);
}

static void act_save_restart(struct upload *upload, const char *reason, struct request *by)
{
    struct move_args args = args_of(upload, reason, by);

    args.identity = &by->identity;
    args.again = by->again ? &by->again : NULL;
    args.priority = &by->priority;
    upload->backoff_ms = 0;
    rows_move(upload, MOVE_RESTART, &args);
}

static void act_save_empty(struct upload *upload, const char *reason, struct request *by)
{
    (void)by;
    save_for_asker(upload, MOVE_EMPTY, reason);
}

/* What begins anew takes the settings in force now. */
static void act_save_restarted(struct upload *upload, const char *reason, struct request *by)
{
    struct move_args args = args_of(upload, reason, by);
    const struct profile *profile = conf_profile(&upload->supervisor->conf, upload->profile);
    char *text = profile ? profile_text(profile) : NULL;

    args.asker.uid = upload->asked_by;
    args.profile_text = text;
    args.tries = args.tries_line = 0;
    begin_anew(upload);
    upload->prior = STATUS_STOPPED;
    rows_move(upload, MOVE_RESTARTED, &args);
    free(text);
}

/* After a stop that is still under way: rows.c sends the kill behind its answer. */
static void act_save_kill(struct upload *upload, const char *reason, struct request *by)
{
    (void)by;
    if (!upload->pendings)
        save_for_asker(upload, MOVE_KILL, reason);
}

static void act_save_interrupt(struct upload *upload, const char *reason, struct request *by)
{
    upload->crashed = !upload->shutdown;
    save(upload, MOVE_INTERRUPT, reason, by);
}

static const struct error *trouble_of(struct upload *upload)
{
    struct error unknown;

    if (!upload->trouble) {
        error_set(&unknown, ERR_INTERNAL, "the worker gave no reason");
        upload_set_trouble(upload, &unknown);
    }
    return upload->trouble;
}

static void act_save_fail(struct upload *upload, const char *reason, struct request *by)
{
    struct move_args args = args_of(upload, reason, by);

    args.error = trouble_of(upload);
    if (upload->seen.size > 0)
        args.identity = &upload->seen;
    log_error(upload->row.id, args.error, "the upload failed path=%s",
              log_value(upload->path).text);
    rows_move(upload, MOVE_FAIL, &args);
}

static void act_save_return(struct upload *upload, const char *reason, struct request *by)
{
    struct move_args args = args_of(upload, reason, by);
    /* STOPPED says that nothing is left: only true while no chunk has come in since */
    bool known = upload->prior == STATUS_FAILED ||
                 (upload->prior == STATUS_STOPPED && upload->row.chunk_no == 0);

    args.status = known ? upload->prior : STATUS_KILLED;
    args.error = trouble_of(upload);
    log_error(upload->row.id, args.error, "the file has changed path=%s",
              log_value(upload->path).text);
    rows_move(upload, MOVE_RETURN, &args);
}

static void act_save_finish(struct upload *upload, const char *reason, struct request *by)
{
    struct move_args args = args_of(upload, reason, by);

    args.tries = args.tries_line = 0;
    if (upload->outcome == OUTCOME_LOADED && upload->seen.size > 0)
        args.identity = &upload->seen;
    rows_move(upload, MOVE_FINISH, &args);
}

static void act_back_off(struct upload *upload, const char *reason, struct request *by)
{
    (void)by;
    if (upload->trouble)
        log_error(upload->row.id, upload->trouble, "%s", reason);
    upload->backoff_ms = upload->backoff_ms ? upload->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (upload->backoff_ms > BACKOFF_LAST_MS)
        upload->backoff_ms = BACKOFF_LAST_MS;
    upload_timer_start(upload, upload->backoff_ms, EV_TIMER);
}

/* When the supervisor ends there is no worker, and the shutdown that follows finds none. */
static void act_spawn(struct upload *upload, const char *reason, struct request *by)
{
    (void)reason;
    (void)by;
    if (!upload->shutdown)
        rows_prepare(upload);
}

static void act_roll_back(struct upload *upload, const char *reason, struct request *by)
{
    (void)reason;
    (void)by;
    const struct task task = {.mode = JOB_ROLLBACK};

    if (upload->shutdown)
        return;
    upload_await_step(upload);
    if (upload->worker) {
        upload->rolling = true;
        upload->rate = 0;
        worker_tell_rollback(upload->worker, upload->row.epoch, upload->row.token);
    } else {
        crew_start(upload, &task);
    }
}

static void act_abandon(struct upload *upload, const char *reason, struct request *by)
{
    struct error late;

    crew_drop(upload);
    error_set(&late, ERR_TIMEOUT, "a step of the rollback was not done in time");
    error_hint(
        &late,
        "It is tried again, for %lld s. A longer stop_timeout in section [supervisor] spares "
        "tries in vain.",
        (long long)(upload_grant_step(upload) + 999) / 1000);
    upload_set_trouble(upload, &late);
    act_back_off(upload, reason, by);
}

static void act_kill(struct upload *upload, const char *reason, struct request *by)
{
    (void)reason;
    (void)by;
    if (upload->worker)
        worker_kill(upload->worker);
    else if (upload->state == ST_KILLING)
        upload_event(upload, EV_GONE, NULL);
}

static void act_tell_finish(struct upload *upload, const char *reason, struct request *by)
{
    (void)reason;
    (void)by;
    upload_timer_start(upload, upload->supervisor->conf.stop_timeout_ms, EV_TIMEOUT);
    if (upload->worker)
        worker_tell_finish(upload->worker);
    else
        upload_event(upload, EV_FINISHED, NULL);
}

void upload_give_up(struct upload *upload)
{
    struct error err;

    error_set(&err, ERR_RETRY_LIMIT, "gave up after %lld tries without progress",
              (long long)upload->supervisor->conf.retry_limit);
    if (upload->trouble) {
        error_detail(&err, "The last one: %s%s%s", upload->trouble->message,
                     upload->trouble->hint[0] ? ". " : "", upload->trouble->hint);
        error_sqlstate(&err, upload->trouble->sqlstate);
    }
    char *command = advice_upload(NULL, upload->profile, upload->path);
    error_hint(&err, "Mend the cause, then go on from the recovery point with%s%s",
               command ? ": " : " the command upload.", command ? command : "");
    free(command);
    upload_set_trouble(upload, &err);
}

/* A crash is gone on with at once; what a user or an error ended, is not. */
void upload_resume(struct upload *upload)
{
    const struct conf *conf = &upload->supervisor->conf;
    bool stuck = upload->row.tries_line == upload->row.line;

    if (!conf->resume || upload->shutdown)
        return;
    if (stuck && upload->row.tries >= conf->retry_limit) {
        upload_give_up(upload);
        upload_event(upload, EV_GIVE_UP, NULL);
    } else {
        upload_event(upload, EV_RESUME, NULL);
    }
}

static void act_rest(struct upload *upload, const char *reason, struct request *by)
{
    (void)by;
    (void)reason;
    upload->after_fence = 0;
    /* it is still to go on when the move that would have queued it was lost */
    if (upload->state != ST_INTERRUPTED || strcmp(upload->row.owner, upload->supervisor->name) != 0)
        upload->crashed = false;
    if (upload->crashed)
        upload_resume(upload);
    if (state_rests(upload->state)) {
        uploads_reap_later(upload);
        supervisor_upload_rested(upload->supervisor);
    }
}

static void act_leave(struct upload *upload, const char *reason, struct request *by)
{
    crew_drop(upload);
    act_rest(upload, reason, by);
}

typedef void (*act)(struct upload *upload, const char *reason, struct request *by);

static const act acts[ACTION_COUNT] = {
    [ACT_NOTHING] = act_nothing,
    [ACT_SAME] = act_nothing, /* these three are answers: requests_settle gives them */
    [ACT_JOIN] = act_nothing,
    [ACT_NOOP] = act_nothing,
    [ACT_READ] = act_read,
    [ACT_CREATE] = act_create,
    [ACT_SAVE_QUEUE] = act_save_queue,
    [ACT_SAVE_PRIORITY] = act_save_priority,
    [ACT_ENQUEUE] = act_enqueue,
    [ACT_SAVE_START] = act_save_start,
    [ACT_SPAWN] = act_spawn,
    [ACT_BACK_OFF] = act_back_off,
    [ACT_SAVE_FENCE] = act_save_fence,
    [ACT_SAVE_FINISH] = act_save_finish,
    [ACT_SAVE_STOP] = act_save_stop,
    [ACT_SAVE_RESTART] = act_save_restart,
    [ACT_ROLL_BACK] = act_roll_back,
    [ACT_ABANDON] = act_abandon,
    [ACT_SAVE_EMPTY] = act_save_empty,
    [ACT_SAVE_RESTARTED] = act_save_restarted,
    [ACT_KILL] = act_kill,
    [ACT_SAVE_KILL] = act_save_kill,
    [ACT_TELL_FINISH] = act_tell_finish,
    [ACT_SAVE_INTERRUPT] = act_save_interrupt,
    [ACT_SAVE_FAIL] = act_save_fail,
    [ACT_SAVE_RETURN] = act_save_return,
    [ACT_LEAVE] = act_leave,
    [ACT_REST] = act_rest,
};

void action_perform(struct upload *upload, enum action action, const char *reason,
                    struct request *by)
{
    acts[action](upload, reason, by);
}
