/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/targets.h"

#include "base/mem.h"
#include "base/priority.h"
#include "csv/inspect.h"
#include "supervisor/database.h"
#include "supervisor/forget.h"
#include "supervisor/proving.h"
#include "supervisor/questions.h"
#include "supervisor/refusals.h"
#include "supervisor/supervisor.h"
#include "supervisor/uploads.h"

#include <stdlib.h>

/* ---- its upload ---- */

/* At rest the row decides: another supervisor may have moved it. A row that is older than what
 * memory knows was read before that, and tells nothing. */
static void refresh(struct upload *upload, const struct tracker *row)
{
    bool older = upload->row.id == row->id && row->epoch < upload->row.epoch;

    if (state_rests(upload->state) && !upload->shutdown && !older)
        upload_take_up(upload, row);
}

static struct upload *upload_of_row(struct supervisor *supervisor, const struct tracker *row)
{
    struct upload *upload = uploads_by_id(supervisor->uploads, row->id);

    if (!upload)
        return uploads_add(supervisor->uploads, row->path, row->profile, row);
    refresh(upload, row);
    return upload;
}

/* Who holds the place in memory is asked first: it may know of a tracker that the row, read before,
 * does not show. */
static struct upload *upload_at_place(struct request *request, const struct tracker *row)
{
    struct uploads *uploads = request->supervisor->uploads;
    struct upload *upload = uploads_by_place(uploads, request->file, request->profile);

    if (!upload && !row)
        return uploads_add(uploads, request->file, request->profile, NULL);
    if (!upload)
        return upload_of_row(request->supervisor, row);
    if (row && row->id > upload->row.id && !uploads_by_id(uploads, row->id))
        refresh(upload, row);
    else if (row && row->id == upload->row.id)
        refresh(upload, row);
    return upload;
}

/* Of a command that would put one more into the queue. What is in it, or under way, is answered; a
 * batch waits for its own. */
static bool is_too_many(const struct supervisor *supervisor, const struct upload *upload)
{
    return !supervisor->batch && state_rests(upload->state) &&
           uploads_queued(supervisor->uploads) >= (size_t)supervisor->conf.max_queued;
}

static void attach_upload(struct request *request, const struct tracker *row)
{
    struct upload *upload = upload_at_place(request, row);
    struct error err;

    if (is_too_many(request->supervisor, upload)) {
        uploads_reap_later(upload);
        refusal_queue_full(request->supervisor->conf.max_queued, &err);
        request_refuse(request, &err);
    } else {
        requests_attach(upload, request);
    }
}

static void attach(struct request *request, const struct tracker *row)
{
    struct error err;

    if (request->supervisor->ending) {
        refusal_shutting_down(&err);
        request_refuse(request, &err);
    } else if (request->kind == IPC_UPLOAD) {
        attach_upload(request, row);
    } else if (row) {
        requests_attach(upload_of_row(request->supervisor, row), request);
    } else {
        refusal_not_found(request, &err);
        request_refuse(request, &err);
    }
}

bool target_in_progress(const struct supervisor *supervisor, const struct tracker *row)
{
    const struct upload *upload = uploads_by_id(supervisor->uploads, row->id);
    bool at_work = upload && !state_rests(upload->state);

    return status_is_unfinished(row->status) || at_work || row->wanted != WANTED_NOTHING ||
           database_will_resume(supervisor->database, row->id);
}

static void on_found(void *arg, const struct tracker *row, const struct db_error *err)
{
    struct request *request = arg;

    if (!request_asked(request) || request->upload)
        return;
    if (err && err->meaning == DB_LOST)
        request_hold(request);
    else if (err)
        request_refuse(request, &err->error);
    else if (row && request->kind == IPC_STATUS)
        question_status(request, row);
    else if (row && request->kind == IPC_FORGET)
        forget_begin(request, row);
    else if (row && request->kind == IPC_VERIFY)
        proving_begin(request, row);
    else
        attach(request, row);
}

void target_kill(struct request *request)
{
    struct uploads *uploads = request->supervisor->uploads;
    struct upload *upload = request->file ? uploads_by_path(uploads, request->file)
                                          : uploads_by_id(uploads, request->id);

    if (!upload || !upload->row.id || state_rests(upload->state))
        return;
    request->held = false;
    requests_attach(upload, request);
}

/* Of an upload whose worker runs memory knows more than its row: the database need not be asked,
 * and is not: a client that asks often takes nothing from the uploads. */
static bool answer_from_memory(struct request *request)
{
    const struct upload *upload = request->kind == IPC_STATUS && request->id
                                      ? uploads_by_id(request->supervisor->uploads, request->id)
                                      : NULL;

    if (!upload || !upload->worker || state_rests(upload->state))
        return false;
    question_status(request, &upload->row);
    return true;
}

void target_find(struct request *request)
{
    struct supervisor *supervisor = request->supervisor;
    struct error err;

    if (supervisor->ending) { /* since it was begun */
        refusal_shutting_down(&err);
        request_refuse(request, &err);
        return;
    }
    if (answer_from_memory(request))
        return;
    if (!supervisor->open) {
        request_hold(request);
        if (request->kind == IPC_KILL)
            target_kill(request);
        return;
    }
    struct db_conn *conn = database_reads(supervisor->database);
    request->asking = true;
    if (request->kind == IPC_UPLOAD)
        tracker_by_upload(conn, request->file, request->profile, on_found, request);
    else if (request->file)
        tracker_by_path(conn, request->file, on_found, request);
    else
        tracker_by_id(conn, request->id, on_found, request);
}

/* ---- its file ---- */

struct look {
    uv_work_t work;
    struct request *request;
    struct profile profile;
    char *path;
    char **allow;
    size_t allow_count;
    int64_t max_record;
    struct identity identity;
    struct error error;
    int rc;
};

static void look_at_file(uv_work_t *work)
{
    struct look *look = CONTAINER_OF(work, struct look, work);

    look->rc = inspect_file(look->path, look->allow, look->allow_count, &look->profile,
                            look->max_record, &look->identity, &look->error);
}

static void look_free(struct look *look)
{
    for (size_t i = 0; i < look->allow_count; i++)
        free(look->allow[i]);
    free(look->allow);
    free(look->path);
    profile_fini(&look->profile);
    free(look);
}

static void on_looked(uv_work_t *work, int status)
{
    struct look *look = CONTAINER_OF(work, struct look, work);
    struct request *request = look->request;

    if (request_looked(request)) {
        request->identity = look->identity;
        request->started_ms = uv_now(request->supervisor->loop);
        if (status == 0 && look->rc < 0)
            request_refuse(request, &look->error);
        else
            target_find(request);
    }
    look_free(look);
}

int target_look(struct request *request, const json_t *message, struct error *err)
{
    const struct conf *conf = &request->supervisor->conf;
    const char *name = ipc_text(message, "profile");
    const struct profile *profile = conf_profile(conf, name ? name : PROFILE_BUILT_IN);

    request->priority = ipc_int(message, "priority", PRIORITY_USUAL);
    request->reorders = ipc_given(message, "priority");
    if (request->priority < PRIORITY_LEAST || request->priority > PRIORITY_MOST)
        return error_set(err, ERR_USAGE, "a priority is " PRIORITY_RANGE);
    if (!profile)
        return refusal_profile(request, name, err);
    request->profile = mem_dup(profile->name);
    request->profile_text = profile_text(profile);
    request->restart = ipc_bool(message, "restart");
    request->again = ipc_given(message, "again") ? ipc_bool(message, "again")
                                                 : conf->duplicates == DUPLICATES_ALLOW;

    /* copies: the thread outlives a reload of the configuration */
    struct look *look = NEW(struct look);
    look->request = request;
    profile_copy(&look->profile, profile);
    look->path = mem_dup(request->file);
    look->allow = mem_new(conf->allow_count, sizeof *look->allow);
    for (size_t i = 0; i < conf->allow_count; i++)
        look->allow[i] = mem_dup(conf->allow[i]);
    look->allow_count = conf->allow_count;
    look->max_record = conf->max_record;
    request->looking = true;
    uv_queue_work(request->supervisor->loop, &look->work, look_at_file, on_looked);
    return 0;
}
