/* SPDX-License-Identifier: PostgreSQL */
/* The steps stand from the last to the first. */
#include "supervisor/spool_arrival.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "db/trackers.h"
#include "ipc/messages.h"
#include "supervisor/answers.h"
#include "supervisor/database.h"
#include "supervisor/requests.h"
#include "supervisor/spool_list.h"
#include "supervisor/spool_out.h"
#include "supervisor/supervisor.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define LEFT_MS 10000     /* until who left it is asked again */
#define TRY_AGAIN_MS 5000 /* after an error that is none of the file's */

static uint64_t now_ms(const struct arrival *arrival)
{
    return uv_now(arrival->spool->supervisor->loop);
}

static void rest(struct arrival *arrival, uint64_t ms)
{
    arrival->spool->on_rest(arrival->spool->arg, arrival, ms);
}

/* From the beginning, once more. */
static void settle(struct arrival *arrival, uint64_t wait_ms)
{
    arrival->step = ARRIVAL_SETTLES;
    arrival->not_before_ms = now_ms(arrival) + wait_ms;
    rest(arrival, wait_ms);
}

static void leave(struct arrival *arrival, const char *why)
{
    if (!arrival->told)
        log_line(LOG_LEVEL_NOTICE, 0, "left in spool %s path=%s why=\"%s\"",
                 arrival->spool->conf->name, log_value(arrival->path).text, why);
    arrival->told = true;
    arrival->step = ARRIVAL_LEFT;
    arrival->not_before_ms = now_ms(arrival) + LEFT_MS;
    rest(arrival, 0);
}

static void on_out(void *arg, const char *to_path, const struct error *err)
{
    struct arrival *arrival = arg;
    const char *spool = arrival->spool->conf->name;

    arrival->out = NULL;
    if (!err)
        log_line(LOG_LEVEL_INFO, 0, "moved out of spool %s path=%s", spool,
                 log_value(to_path).text);
    else if (err->code != ERR_DATABASE_AWAY)
        log_error(0, err, "not moved out of spool %s path=%s", spool,
                  log_value(arrival->path).text);
    arrival->identity = (struct identity){0};
    arrival->since_ms = now_ms(arrival);
    arrival->complete = false;
    settle(arrival, err && err->code != ERR_FILE_CHANGED ? TRY_AGAIN_MS : 0);
}

static json_t *receipt_of(const struct arrival *arrival, const struct tracker *row,
                          const struct error *err)
{
    return json_pack("{s:s, s:s, s:o, s:o}", "spool", arrival->spool->conf->name, "file",
                     arrival->path, "upload",
                     row ? answer_upload(arrival->spool->supervisor, row, NULL) : json_null(),
                     "error", err ? ipc_error_json(err) : json_null());
}

/* Is the file in nowhere under its path, so that another command for it may name another? (One that
 * has rows goes on under its old path alone.) */
static bool is_let_in_nowhere(enum error_code code)
{
    return code == ERR_FILE_ENCODING || code == ERR_DUPLICATE;
}

/* `row` NULL: it has no tracker, or none that is its own. */
static void move_out(struct arrival *arrival, const struct tracker *row, const struct error *err)
{
    const struct arrival_spool *spool = arrival->spool;
    const struct supervisor *supervisor = spool->supervisor;
    bool done = row && row->status == STATUS_PROCESSED;
    const struct spool_parcel parcel = {
        .folder = spool->conf->path,
        .name = arrival->name,
        .to = done ? spool->conf->done : spool->conf->failed,
        .identity = arrival->identity,
        .tracker = row ? row->id : 0,
        .rejects = row ? row->rejects : 0,
        .receipt = receipt_of(arrival, row, err),
        .advises = err && is_let_in_nowhere(err->code),
    };

    if (err)
        log_error(row ? row->id : 0, err, "not uploaded from spool %s path=%s", spool->conf->name,
                  log_value(arrival->path).text);
    arrival->step = ARRIVAL_MOVES;
    arrival->out = spool_out_new(supervisor->loop,
                                 supervisor->open ? database_reads(supervisor->database) : NULL,
                                 &parcel, on_out, arrival);
}

/* Errors that another try of the same file would meet again; ERR_ALREADY_UPLOADED is none: on_row
 * says whether it may be meant. */
static bool is_of_the_file(enum error_code code)
{
    static const enum error_code codes[] = {
        ERR_FILE_NAME,  ERR_FILE_KIND,        ERR_FILE_EMPTY, ERR_FILE_ENCODING, ERR_FILE_HEADER,
        ERR_FILE_QUOTE, ERR_SETTINGS_CHANGED, ERR_DUPLICATE,  ERR_GROWN,         ERR_FILE_CHANGED,
    };

    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (codes[i] == code)
            return true;
    return false;
}

static void ask(struct arrival *arrival);

/* An end, or a refusal. What an end means is asked of the row: it says of which file it is. */
static void on_uploaded(void *arg, json_t *message, bool last)
{
    struct arrival *arrival = arg;
    const json_t *upload = json_object_get(message, "upload");
    struct error err;

    ipc_error_parse(json_object_get(upload ? upload : message, "error"), &err);
    json_decref(message);
    if (!last)
        return;
    arrival->refusal = err;
    if (is_of_the_file(err.code))
        move_out(arrival, NULL, &err);
    else if (upload || err.code == ERR_ALREADY_UPLOADED)
        ask(arrival);
    else
        settle(arrival, TRY_AGAIN_MS);
}

static void upload(struct arrival *arrival)
{
    json_t *message = ipc_new(IPC_UPLOAD);

    arrival->step = ARRIVAL_UPLOADED;
    log_line(LOG_LEVEL_INFO, 0, "arrived in spool %s path=%s", arrival->spool->conf->name,
             log_value(arrival->path).text);
    json_object_set_new(message, "ref", json_integer(0));
    json_object_set_new(message, "file", json_string(arrival->path));
    json_object_set_new(message, "profile", json_string(arrival->spool->conf->profile));
    json_object_set_new(message, "wait", json_true());
    request_begin(arrival->spool->supervisor, IPC_UPLOAD, message, (int64_t)getuid(), on_uploaded,
                  arrival);
    json_decref(message);
}

/* The tracker's last word counts for the file that it is about: one that was changed, replaced or
 * moved in once more since (which its ctime shows) is uploaded, or refused for what it is. A file
 * that is refused as uploaded already may be the very one: its last chunk came in meanwhile. */
static void on_row(void *arg, const struct tracker *row, const struct db_error *err)
{
    struct arrival *arrival = arg;
    bool same = row && identity_same(&row->identity, &arrival->identity);

    if (err) {
        settle(arrival, TRY_AGAIN_MS);
    } else if (!same && arrival->refusal.code == ERR_ALREADY_UPLOADED) {
        move_out(arrival, NULL, &arrival->refusal);
    } else if (!same) {
        upload(arrival);
    } else if (row->status == STATUS_PROCESSED) {
        move_out(arrival, row, NULL);
    } else if (row->status == STATUS_FAILED) {
        move_out(arrival, row, &row->error);
    } else if (row->status == STATUS_STOPPED && row->wanted == WANTED_NOTHING) {
        leave(arrival, "it was stopped");
    } else if (row->status == STATUS_KILLED && !row->interrupted) {
        leave(arrival, "it was killed");
    } else {
        upload(arrival);
    }
}

/* Unless the connections are closed before it answers: then spools_database_lost does. */
static void ask(struct arrival *arrival)
{
    struct supervisor *supervisor = arrival->spool->supervisor;

    arrival->step = ARRIVAL_ASKED;
    if (!supervisor->open)
        settle(arrival, TRY_AGAIN_MS);
    else
        tracker_by_upload(database_reads(supervisor->database), arrival->path,
                          arrival->spool->conf->profile, on_row, arrival);
}

/* NULL: it can be uploaded, and moved out. One that is empty is most likely about to be written,
 * unless it is said to be complete. */
static const char *why_unfit(const struct arrival *arrival)
{
    _Static_assert(SPOOL_NAME_MAX == 200, "as is said");
    if (strlen(arrival->name) > SPOOL_NAME_MAX)
        return "its name is longer than 200 bytes";
    if (arrival->unfit)
        return arrival->unfit;
    return !arrival->complete && arrival->identity.size == 0 ? "it is empty" : NULL;
}

void arrival_begin(struct arrival *arrival)
{
    const char *unfit = why_unfit(arrival);
    struct error err;

    error_clear(&arrival->refusal);
    if (unfit) {
        leave(arrival, unfit);
        return;
    }
    if (text_path_is_normal(arrival->path)) {
        ask(arrival);
        return;
    }
    error_set(&err, ERR_FILE_NAME, "the name of the file is not UTF-8, or has a line break in it");
    move_out(arrival, NULL, &err);
}

/* When it is complete, if nothing more happens to it; UINT64_MAX: not without news. */
uint64_t arrival_due_ms(const struct arrival *arrival)
{
    uint64_t due =
        arrival->complete ? 0 : arrival->since_ms + (uint64_t)arrival->spool->conf->settle_ms;

    if (!arrival->listed)
        return UINT64_MAX;
    if (arrival->step == ARRIVAL_LEFT) /* its user may have gone on with it */
        return arrival->not_before_ms;
    if (arrival->step != ARRIVAL_SETTLES)
        return UINT64_MAX;
    if (!arrival->complete && arrival->writing)
        return UINT64_MAX;
    return due > arrival->not_before_ms ? due : arrival->not_before_ms;
}

/* ---- from outside ---- */

void arrival_seen(struct arrival *arrival, const struct spool_file *file)
{
    arrival->listed = true;
    arrival->complete = arrival->complete || file->ok;
    if (identity_same(&arrival->identity, &file->identity) || !arrival_rests(arrival))
        return; /* else its upload finds out */
    arrival->unfit = file->unfit;
    arrival->identity = file->identity;
    arrival->since_ms = now_ms(arrival);
    arrival->told = false;
    if (arrival->step == ARRIVAL_LEFT) /* it is not what was left: an empty one has its bytes now */
        arrival->not_before_ms = 0;
    arrival->step = ARRIVAL_SETTLES;
}

bool arrival_rests(const struct arrival *arrival)
{
    return arrival->step == ARRIVAL_SETTLES || arrival->step == ARRIVAL_LEFT;
}

void arrival_database_lost(struct arrival *arrival)
{
    if (arrival->step == ARRIVAL_ASKED)
        settle(arrival, 0);
    else if (arrival->out)
        spool_out_database_lost(arrival->out);
}

void arrival_stop(struct arrival *arrival)
{
    if (arrival->out)
        spool_out_leave(arrival->out);
    arrival->out = NULL;
}

struct arrival *arrival_new(const struct arrival_spool *spool, const char *name, uint64_t look)
{
    struct arrival *arrival = NEW(struct arrival);

    arrival->spool = spool;
    arrival->name = mem_dup(name);
    arrival->path = mem_format("%s/%s", spool->conf->path, name);
    arrival->born = look;
    arrival->since_ms = now_ms(arrival);
    return arrival;
}

void arrival_free(struct arrival *arrival)
{
    arrival_stop(arrival);
    free(arrival->name);
    free(arrival->path);
    free(arrival);
}
