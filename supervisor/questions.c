/* SPDX-License-Identifier: PostgreSQL */
/* A page is one answer of the database: so nothing of it was sent when the connection is lost, and
 * it is asked for again. */
#include "supervisor/questions.h"

#include "base/mem.h"
#include "base/version.h"
#include "supervisor/answers.h"
#include "supervisor/database.h"
#include "supervisor/refusals.h"
#include "supervisor/supervisor.h"
#include "supervisor/uploads.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The database ends a page of rejects at so many raw bytes. */
#define REJECTS_BYTES ((size_t)4 * 1024 * 1024)

/* ---- uploads ---- */

/* What memory has is newer than the row, or a statement is under way whose result counts only once
 * it is answered; else somebody else has moved the row. */
static bool memory_decides(const struct upload *upload, const struct tracker *row)
{
    if (!upload || state_rests(upload->state))
        return false;
    return upload->row.epoch >= row->epoch || state_kind(upload->state) == STATE_BUSY;
}

/* Nobody works on it, and this supervisor ought to. */
static bool is_orphan(struct supervisor *supervisor, const struct tracker *row)
{
    return status_is_unfinished(row->status) && strcmp(row->owner, supervisor->name) == 0 &&
           !supervisor->ending && !uploads_by_place(supervisor->uploads, row->path, row->profile);
}

/* Whatever a row was read for, an orphan is adopted. */
static json_t *upload_of(struct supervisor *supervisor, const struct tracker *row)
{
    struct upload *upload = uploads_by_id(supervisor->uploads, row->id);

    if (!upload && is_orphan(supervisor, row))
        upload = uploads_add(supervisor->uploads, row->path, row->profile, row);
    if (memory_decides(upload, row))
        return answer_upload(supervisor, &upload->row, upload);
    return answer_upload(supervisor, row, NULL);
}

static json_t *object_with(const char *name, json_t *object)
{
    json_t *message = ipc_new(IPC_OBJECT);

    json_object_set_new(message, name, object);
    return message;
}

void question_status(struct request *request, const struct tracker *row)
{
    json_t *message = object_with("upload", upload_of(request->supervisor, row));

    json_object_set_new(message, "last", json_true());
    request_done(request, message);
}

/* ---- pages ---- */

static void finish_page(struct request *request, bool more)
{
    json_t *message = ipc_new(IPC_DONE);

    json_object_set_new(message, "more", json_boolean(more));
    request_done(request, message);
}

/* Is the answer one that the request can go on with? Else it is refused, held, or gone. */
static bool is_answered(struct request *request, const struct db_error *err)
{
    if (!request_asked(request))
        return false;
    if (!err)
        return true;
    if (err->meaning == DB_LOST)
        request_hold(request);
    else
        request_refuse(request, &err->error);
    return false;
}

/* One more than the page has was asked for: it tells whether there is a next one. */
static void on_list(void *arg, const struct tracker *trackers, size_t count,
                    const struct db_error *err)
{
    struct request *request = arg;

    if (!is_answered(request, err))
        return;
    size_t page = (size_t)request->left;
    for (size_t i = 0; i < count && i < page; i++)
        request_send(request, object_with("upload", upload_of(request->supervisor, &trackers[i])));
    finish_page(request, count > page);
}

static void on_event_page(void *arg, const struct tracker_event *events, size_t count,
                          const struct db_error *err)
{
    struct request *request = arg;

    if (!is_answered(request, err))
        return;
    size_t page = (size_t)request->left;
    for (size_t i = 0; i < count && i < page; i++)
        request_send(request, object_with("event", answer_event(&events[i])));
    finish_page(request, count > page);
}

static void on_reject_page(void *arg, const struct tracker_reject *rejects, size_t count,
                           const struct db_error *err)
{
    struct request *request = arg;

    if (!is_answered(request, err))
        return;
    size_t page = (size_t)request->left;
    size_t bytes = 0;
    for (size_t i = 0; i < count && i < page; i++) {
        bytes += rejects[i].raw_bytes;
        request_send(request, object_with("reject", answer_reject(&rejects[i])));
    }
    finish_page(request, count > page || bytes >= REJECTS_BYTES);
}

static void on_target(void *arg, const struct tracker *row, const struct db_error *err)
{
    struct request *request = arg;
    struct error none;

    if (!is_answered(request, err))
        return;
    if (!row) {
        refusal_not_found(request, &none);
        request_refuse(request, &none);
        return;
    }
    request->tracker = row->id;
    question_ask(request);
}

static void ask_for_target(struct request *request, struct db_conn *conn)
{
    if (request->file)
        tracker_by_path(conn, request->file, on_target, request);
    else
        tracker_by_id(conn, request->id, on_target, request);
}

void question_ask(struct request *request)
{
    struct db_conn *conn;

    if (!request->supervisor->open) {
        request_hold(request);
        return;
    }
    conn = database_reads(request->supervisor->database);
    request->asking = true;
    if (request->kind == IPC_LIST)
        tracker_list(conn, request->only, request->after, request->left + 1, on_list, request);
    else if (!request->tracker)
        ask_for_target(request, conn);
    else if (request->kind == IPC_HISTORY)
        tracker_events(conn, request->tracker, request->after, request->left + 1, on_event_page,
                       request);
    else
        tracker_rejects(conn, request->tracker, request->after, request->left + 1, on_reject_page,
                        request);
}

/* ---- the beginning ---- */

bool question_is(enum ipc_kind kind)
{
    return kind == IPC_LIST || kind == IPC_HISTORY || kind == IPC_REJECTS;
}

static int take_status(struct request *request, const char *name, struct error *err)
{
    request->only = name ? status_parse(name) : STATUS_NONE;
    if (name && request->only == STATUS_NONE)
        return refusal_status_name(name, err);
    return 0;
}

int question_begin(struct request *request, const json_t *message, struct error *err)
{
    bool lists = request->kind == IPC_LIST;
    int64_t limit = ipc_int(message, "limit", QUESTION_PAGE);
    int rc = lists ? take_status(request, ipc_text(message, "status"), err) : 0;

    if (rc < 0)
        return rc;
    if (limit < 1)
        return error_set(err, ERR_USAGE, "a limit is at least 1");
    request->left = limit < QUESTION_PAGE_MAX ? limit : QUESTION_PAGE_MAX;
    request->after = ipc_int(message, lists ? "before" : "after", 0);
    question_ask(request);
    return 0;
}

static json_t *profile_names(const struct conf *conf)
{
    json_t *names = json_array();

    for (size_t i = 0; i < conf->profile_count; i++)
        json_array_append_new(names, json_string(conf->profiles[i].name));
    return names;
}

void question_ping(struct request *request)
{
    const struct supervisor *supervisor = request->supervisor;
    const struct error *trouble = database_trouble(supervisor->database);

    request_done(request,
                 json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:o, s:o*}", "kind",
                           ipc_kind_name(IPC_PONG), "database", supervisor->open ? "ready" : "away",
                           "version", UPLOADER_VERSION, "name", supervisor->name, "pid",
                           (json_int_t)getpid(), "running",
                           (json_int_t)uploads_running(supervisor->uploads), "queued",
                           (json_int_t)uploads_queued(supervisor->uploads), "paused",
                           (int)supervisor->paused, "profiles", profile_names(&supervisor->conf),
                           "error", trouble ? ipc_error_json(trouble) : NULL));
}

void question_metrics(struct request *request)
{
    char *text = metrics_text(request->supervisor);
    json_t *message = object_with("metrics", json_string(text));

    json_object_set_new(message, "last", json_true());
    free(text);
    request_done(request, message);
}
