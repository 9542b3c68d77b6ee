/* SPDX-License-Identifier: PostgreSQL */
/* An upload in the supervisor's memory: a tracker that somebody works on or asks about. Its state
 * moves in one place, upload_event, by the table of states.h; what an action does is actions.c. */
#ifndef SUPERVISOR_UPLOAD_H
#define SUPERVISOR_UPLOAD_H

#include "db/trackers.h"
#include "supervisor/process.h"
#include "supervisor/states.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct supervisor;
struct request;
struct pending;
struct queue_line;

struct upload {
    struct supervisor *supervisor;
    enum state state;
    uint64_t serial; /* new with every change of state: an older answer is not for us */
    struct pending
        *pendings;        /* statements under way (rows.h); not freed before they are answered */
    uint64_t blocked_ms;  /* since when its moves meet the lock of somebody else; 0: they do not */
    struct tracker row;   /* as last read or saved; id 0: none. Progress is counted up in it */
    char *path, *profile; /* as the row's, and there before the row is */

    struct worker *worker;  /* NULL: none */
    bool rolling;           /* the worker was told to roll back */
    bool one_lane;          /* all that its target takes (rows_prepare) */
    enum outcome outcome;   /* of the last worker */
    struct identity seen;   /* the file as that worker last saw it; all 0: it did not */
    struct error *trouble;  /* why it waits or ended last; NULL: nothing of the kind */
    bool refused;           /* the server refused its last statement: the trouble says why */
    enum event after_fence; /* an ending whose move was lost, done again once it is fenced; 0: no */
    enum status prior;      /* before it was queued: MOVE_RETURN's */
    int64_t asked_by;       /* uid of the last command that moved it; -1: the supervisor itself */
    bool shutdown;          /* the supervisor ends: no slot, no resume */
    bool crashed;           /* interrupted by a crash: goes on by itself, until it is queued */

    int backoff_ms;     /* the next */
    int64_t start_line; /* the recovery point at the last start, -1: none yet */
    int tries;          /* starts in a row without progress */
    bool uncounted;     /* the last try found no server, or no process could be made */
    uv_timer_t *timer;  /* back-off, stop_timeout, a step of a rollback */
    int64_t step_ms;    /* for that: twice as long after each that was too long; 0: stop_timeout */

    double rate; /* bytes a second, smoothed; 0: unknown */
    int64_t rate_offset;
    uint64_t rate_at_ms;
    double told_percent; /* in the log's last line of its progress */
    uint64_t told_at_ms;
    bool changed; /* since the waiting clients were last told */

    struct request *requests, **last_request; /* commands and waits; first come, first served */
    bool settling, unsettled;                 /* requests_settle is at work; is to look again */

    /* uploads.c alone: its place in the list of all, in the queue, among those to let go */
    size_t at;
    struct upload *next_reaped;
    bool queued, in_slot, reap, by_id, by_place;

    /* queue.c alone: its place in the queue, and the line that it came through */
    struct queue_line *line;
    size_t level;
    uint64_t number;
    struct upload *next_queued, *prev_queued;
};

/* What an event did. For a command: the answer is due (its verdict says which). */
struct transition upload_event(struct upload *upload, enum event event, struct request *by);

/* The upload, at rest, is what this row says (a copy is taken): at rest, another owner's, or
 * unfinished and this supervisor's; then it is adopted. */
void upload_take_up(struct upload *upload, const struct tracker *row);

/* The event that the row's status, owner, intent and mark stand for. */
enum event upload_row_event(const struct upload *upload);

/* The event of a move that is durable: SAVED, or what its row shows besides. */
enum event upload_saved_event(const struct upload *upload);

/* Takes a row over (a copy), keeping path and profile. Its state is not touched. */
void upload_set_row(struct upload *upload, const struct tracker *row);

/* There is no tracker any more, or another is to be made. */
void upload_forget_row(struct upload *upload);

/* A step of the rollback begins: EV_TIMEOUT comes unless upload_timer_stop or another step does.
 * One that was not done in time may just take so long: the next has twice as much, which is
 * returned, in ms. */
void upload_await_step(struct upload *upload);
int64_t upload_grant_step(struct upload *upload);

/* Remembers why it waits or ended (a copy); NULL: nothing. */
void upload_set_trouble(struct upload *upload, const struct error *trouble);

/* Starts the upload's one timer; on_timer then gives `event`. A change of state stops it. */
void upload_timer_start(struct upload *upload, int64_t timeout_ms, enum event event);
void upload_timer_stop(struct upload *upload);

/* An interrupted upload goes on by itself, or is given up after retry_limit tries in a row without
 * progress; as the configuration says. */
void upload_resume(struct upload *upload);

/* The actions' entry, from the table. */
void action_perform(struct upload *upload, enum action action, const char *reason,
                    struct request *by);

/* The error of an upload that is given up, around its last trouble. */
void upload_give_up(struct upload *upload);

#endif
