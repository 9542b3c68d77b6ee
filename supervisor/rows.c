/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/rows.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/pause.h"
#include "supervisor/crew.h"
#include "supervisor/database.h"
#include "supervisor/requests.h"
#include "supervisor/supervisor.h"
#include "supervisor/uploads.h"

#include <stdlib.h>

#define REFUSED_RETRY_MS 5000

/* A statement under way for an upload, and the state that sent it. */
struct pending {
    struct upload *upload;
    struct pending *next; /* of the upload's */
    uint64_t serial;
    enum move move; /* MOVE_COUNT: none */
    on_tracker answer;
};

static struct pending *pending_new(struct upload *upload, enum move move, on_tracker answer)
{
    struct pending *pending = NEW(struct pending);

    *pending = (struct pending){upload, upload->pendings, upload->serial, move, answer};
    upload->pendings = pending;
    return pending;
}

/* The answer came when the upload had left for another state. A kill that overtook a stop sends its
 * fence only now, on the row as the stop has made it. */
static void answered_late(struct upload *upload, const struct tracker *tracker)
{
    bool killing = upload->state == ST_KILLING || upload->state == ST_KILL_FENCING;

    if (killing && tracker && tracker->id == upload->row.id && tracker->epoch > upload->row.epoch)
        upload_set_row(upload, tracker);
    if (upload->state == ST_KILL_FENCING && !upload->pendings)
        action_perform(upload, ACT_SAVE_KILL, fsm_next(ST_KILLING, EV_GONE).reason, NULL);
    uploads_reap_later(upload);
}

/* Ends the statement; NULL when its answer is not for the upload any more. */
static struct upload *pending_end(struct pending *pending, const struct tracker *tracker)
{
    struct upload *upload = pending->upload;
    bool late = upload->serial != pending->serial;
    struct pending **at = &upload->pendings;

    while (*at != pending)
        at = &(*at)->next;
    *at = pending->next;
    free(pending);
    requests_database_answered(upload->supervisor->requests);
    if (!late)
        return upload;
    answered_late(upload, tracker);
    return NULL;
}

/* An ending that could not be recorded: it will be, once the row is fenced again. */
static void remember_ending(struct upload *upload)
{
    if (upload->state == ST_INTERRUPTING)
        upload->after_fence = EV_CRASHED;
    else if (upload->state == ST_FAILING)
        upload->after_fence = EV_WORKER_FAILED;
    else if (upload->state == ST_RETURNING)
        upload->after_fence = EV_CHANGED;
}

/* A statement that the server refused for good (rights, schema), or for long (its disk): who waits
 * is told, and the row is read again after a while; it decides what is done then. */
static void refused(struct upload *upload, const struct db_error *err)
{
    log_error(upload->row.id, &err->error, "a statement was refused");
    remember_ending(upload);
    if (!upload->after_fence)
        upload_set_trouble(upload, &err->error);
    upload->refused = !upload->after_fence;
    upload->changed = true;
    requests_fail(upload, &err->error);
    upload_timer_start(upload, REFUSED_RETRY_MS, EV_MISSED);
}

static void missed(struct upload *upload, bool lost)
{
    remember_ending(upload);
    upload->uncounted = upload->uncounted || lost;
    requests_mark_lost(upload);
    upload_event(upload, EV_MISSED, NULL);
}

/* Has the upload made progress since its last start? Then its tries start from 0 again. */
static bool tries_used_up(struct upload *upload)
{
    if (upload->row.line > upload->start_line) {
        upload->tries = 0;
        upload->backoff_ms = 0;
    } else if (!upload->uncounted) {
        upload->tries++;
    }
    upload->uncounted = false;
    upload->start_line = upload->row.line;
    return upload->tries > upload->supervisor->conf.retry_limit;
}

static enum event event_of_move(struct upload *upload, enum move move)
{
    enum event event = upload_saved_event(upload);
    enum event ending = upload->after_fence;

    if (move == MOVE_RETURN)
        return upload_row_event(upload);
    if (move == MOVE_START && event == EV_SAVED && tries_used_up(upload)) {
        upload_give_up(upload);
        return EV_GIVE_UP;
    }
    if (move == MOVE_FENCE) {
        upload->after_fence = 0;
        return event == EV_SAVED && ending ? ending : event;
    }
    return event;
}

/* What an earlier epoch's backends still hold is not waited for; the statement has no answer. A
 * stop leaves them to its worker, if it has one, which rolls back under the new epoch. */
static void end_stragglers(const struct upload *upload, enum move move)
{
    bool takes_over = (move == MOVE_STOP || move == MOVE_RESTART) && !upload->worker;
    bool ended = takes_over || move == MOVE_FENCE || move == MOVE_KILL || move == MOVE_INTERRUPT ||
                 (move == MOVE_START && upload->start_line >= 0);

    if (ended && upload->supervisor->open)
        stragglers_terminate(database_reads(upload->supervisor->database), upload->row.id,
                             upload->row.epoch);
}

/* The database ends the blocker, if it is this service's: the move is tried again. */
static void note_conflict(struct upload *upload, enum move move, bool conflict)
{
    if (conflict && !upload->blocked_ms)
        upload->blocked_ms = uv_now(upload->supervisor->loop);
    if (conflict)
        log_line(LOG_LEVEL_WARNING, upload->row.id, "a fence waits for a lock move=%s",
                 move_table[move].event);
    else
        upload->blocked_ms = 0;
}

/* Is it worth to be tried again at once? */
static bool is_passing(const struct db_error *err)
{
    return err->meaning == DB_LOST || err->meaning == DB_CONFLICT || err->meaning == DB_CANCELLED;
}

static void on_moved(void *arg, const struct tracker *tracker, const struct db_error *err)
{
    struct pending *pending = arg;
    enum move move = pending->move;
    struct upload *upload = pending_end(pending, tracker);

    if (!upload)
        return;
    note_conflict(upload, move, err && err->meaning == DB_CONFLICT);
    if (err && err->meaning == DB_CANCELLED)
        log_error(upload->row.id, &err->error, "a fence is tried again");
    if (err && !is_passing(err)) {
        refused(upload, err);
    } else if (!tracker) {
        missed(upload, err && err->meaning == DB_LOST);
    } else {
        PAUSE_OF("supervisor.moved", move_table[move].event);
        upload->supervisor->metrics.moves[move]++;
        upload->refused = false;
        upload_set_row(upload, tracker);
        end_stragglers(upload, move);
        requests_mark_durable(upload, move);
        upload_event(upload, event_of_move(upload, move), NULL);
    }
}

void rows_create(struct upload *upload, const struct move_args *args)
{
    struct supervisor *supervisor = upload->supervisor;

    if (!supervisor->open) {
        missed(upload, true);
        return;
    }
    PAUSE("supervisor.before_create");
    tracker_create(database_fence(supervisor->database), upload->path, upload->profile, args,
                   on_moved, pending_new(upload, MOVE_QUEUE, on_moved));
}

void rows_move(struct upload *upload, enum move move, const struct move_args *args)
{
    struct supervisor *supervisor = upload->supervisor;

    if (!supervisor->open) {
        missed(upload, true);
        return;
    }
    PAUSE_OF("supervisor.before_move", move_table[move].event);
    tracker_move(database_fence(supervisor->database), move, &upload->row, args, on_moved,
                 pending_new(upload, move, on_moved));
    PAUSE_OF("supervisor.move_sent", move_table[move].event);
}

/* The tracker is another upload's in memory already: so it is that one who is asked. */
static void give_way(struct upload *upload, struct upload *other)
{
    uploads_unindex(upload);
    requests_hand_over(upload, other);
    upload_event(upload, EV_ROW_NONE, NULL);
    requests_settle(other);
}

static void on_row(void *arg, const struct tracker *tracker, const struct db_error *err)
{
    struct upload *upload = pending_end(arg, NULL);
    struct upload *other;

    if (!upload)
        return;
    if (err && err->meaning == DB_LOST)
        return; /* uploads_database_open reads again */
    if (err) {
        refused(upload, err);
    } else if (!tracker) {
        upload_forget_row(upload);
        upload_event(upload, EV_ROW_NONE, NULL);
    } else if ((other = uploads_by_id(upload->supervisor->uploads, tracker->id)) &&
               other != upload) {
        give_way(upload, other);
    } else {
        upload_set_row(upload, tracker);
        upload_event(upload, upload_row_event(upload), NULL);
    }
}

void rows_read(struct upload *upload)
{
    struct supervisor *supervisor = upload->supervisor;

    if (!supervisor->open)
        return;
    struct db_conn *conn = database_reads(supervisor->database);
    struct pending *pending = pending_new(upload, MOVE_COUNT, on_row);
    if (upload->row.id)
        tracker_by_id(conn, upload->row.id, on_row, pending);
    else
        tracker_by_upload(conn, upload->path, upload->profile, on_row, pending);
}

/* ---- before the worker that loads ---- */

static void fail(struct upload *upload, const struct db_error *err)
{
    upload_set_trouble(upload, &err->error);
    upload_event(upload, err->meaning == DB_DENIED ? EV_WORKER_FAILED : EV_TROUBLE, NULL);
}

static void load(struct upload *upload, int64_t earlier)
{
    const struct task task = {.mode = JOB_LOAD, .earlier = earlier, .one_lane = upload->one_lane};

    crew_start(upload, &task);
}

static void on_earlier(void *arg, const struct tracker *tracker, const struct db_error *err)
{
    struct upload *upload = pending_end(arg, NULL);

    if (!upload)
        return;
    if (err)
        fail(upload, err);
    else
        load(upload, tracker ? tracker->id : 0);
}

/* A new file at the path of one that is in: its worker compares the bytes first. */
static bool has_to_compare(const struct upload *upload)
{
    return upload->row.chunk_no == 0 && !upload->row.again &&
           upload->supervisor->conf.duplicates != DUPLICATES_ALLOW;
}

static void on_target(void *arg, bool one_lane, const struct db_error *err)
{
    struct upload *upload = pending_end(arg, NULL);

    if (!upload)
        return;
    if (err) {
        fail(upload, err);
        return;
    }
    upload->one_lane = one_lane;
    if (one_lane && upload->supervisor->conf.lanes > 1)
        log_line(LOG_LEVEL_INFO, upload->row.id,
                 "one lane: file_data has a trigger, or a unique or exclusion constraint");
    if (has_to_compare(upload))
        tracker_processed(database_reads(upload->supervisor->database), upload->path,
                          upload->profile, on_earlier, pending_new(upload, MOVE_COUNT, on_earlier));
    else
        load(upload, 0);
}

static void on_target_lost(void *arg, const struct tracker *tracker, const struct db_error *err)
{
    (void)tracker;
    on_target(arg, false, err);
}

void rows_prepare(struct upload *upload)
{
    struct supervisor *supervisor = upload->supervisor;

    if (supervisor->open)
        target_inspect(database_reads(supervisor->database), on_target,
                       pending_new(upload, MOVE_COUNT, on_target_lost));
    else
        upload_event(upload, EV_TROUBLE, NULL);
}

void rows_lost(struct upload *upload)
{
    struct db_error lost = {.meaning = DB_LOST};

    error_set(&lost.error, ERR_DATABASE_AWAY, "the connection to the database was lost");
    while (upload->pendings)
        upload->pendings->answer(upload->pendings, NULL, &lost);
}

void rows_forget(struct upload *upload)
{
    while (upload->pendings) {
        struct pending *pending = upload->pendings;
        upload->pendings = pending->next;
        free(pending);
    }
}
