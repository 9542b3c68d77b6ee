/* SPDX-License-Identifier: PostgreSQL */
/* A request's life: begun, held, answered, over; and what time does to it. */
#include "supervisor/requests.h"

#include "base/mem.h"
#include "base/text.h"
#include "supervisor/answers.h"
#include "supervisor/pausing.h"
#include "supervisor/proving.h"
#include "supervisor/questions.h"
#include "supervisor/refusals.h"
#include "supervisor/supervisor.h"
#include "supervisor/targets.h"
#include "supervisor/timer.h"
#include "supervisor/uploads.h"

#include <stdlib.h>

#define TICK_MS 1000
#define SHOW_MS 250
#define KILL_PATIENCE_MS 1000 /* a kill asks the database which upload is meant no longer */

struct requests {
    struct supervisor *supervisor;
    struct request *newest, *oldest;
    uv_timer_t *tick, *show;
    uint64_t answered_ms; /* when the database answered last, anything */
};

static void on_tick(uv_timer_t *timer);
static void on_show(uv_timer_t *timer);

struct requests *requests_new(struct supervisor *supervisor)
{
    struct requests *requests = NEW(struct requests);

    requests->supervisor = supervisor;
    requests->tick = timer_every(supervisor->loop, on_tick, TICK_MS, requests);
    requests->show = timer_every(supervisor->loop, on_show, SHOW_MS, requests);
    return requests;
}

static void request_free(struct request *request)
{
    struct requests *requests = request->supervisor->requests;

    if (request->newer)
        request->newer->older = request->older;
    else
        requests->newest = request->older;
    if (request->older)
        request->older->newer = request->newer;
    else
        requests->oldest = request->newer;
    json_decref(request->ref);
    free(request->file);
    free(request->at);
    free(request->profile);
    free(request->profile_text);
    free(request);
}

void requests_free(struct requests *requests)
{
    if (!requests)
        return;
    while (requests->newest)
        request_free(requests->newest); /* NOLINT(clang-analyzer-unix.Malloc): takes it out */
    timer_close(requests->tick);
    timer_close(requests->show);
    uv_run(requests->supervisor->loop, UV_RUN_NOWAIT); /* the closes are carried out */
    free(requests);
}

/* ---- the end ---- */

static void unlink_from_upload(struct request *request)
{
    struct upload *upload = request->upload;

    if (!upload)
        return;
    struct request **at = &upload->requests;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    if (!*at)
        upload->last_request = at;
    request->upload = NULL;
    uploads_reap_later(upload);
}

static void free_if_over(struct request *request)
{
    if (request->ended && !request->looking && !request->asking)
        request_free(request);
}

/* The request is over; freed now, or by the call-back that it still expects. */
static void request_end(struct request *request)
{
    unlink_from_upload(request);
    request->answer = NULL;
    request->arg = NULL;
    request->ended = true;
    free_if_over(request);
}

bool request_asked(struct request *request)
{
    request->asking = false;
    requests_database_answered(request->supervisor->requests);
    if (!request->ended)
        return true;
    free_if_over(request);
    return false;
}

bool request_looked(struct request *request)
{
    request->looking = false;
    if (!request->ended)
        return true;
    free_if_over(request);
    return false;
}

void request_hold(struct request *request)
{
    request->held = true;
}

/* ---- answers ---- */

static void deliver(struct request *request, json_t *message, bool last)
{
    on_answer answer = request->answer;
    void *arg = request->arg;

    if (request->ref)
        json_object_set(message, "ref", request->ref);
    if (last)
        request_end(request); /* before: the answer may begin the next request */
    if (answer)
        answer(arg, message, last);
    else
        json_decref(message);
}

void request_send(struct request *request, json_t *message)
{
    deliver(request, message, false);
}

void request_done(struct request *request, json_t *message)
{
    deliver(request, message, true);
}

void request_refuse(struct request *request, const struct error *err)
{
    request_done(request, ipc_error_message(err));
}

static json_t *object_of(const struct upload *upload, const char *note, bool last)
{
    json_t *message = ipc_new(IPC_OBJECT);

    json_object_set_new(message, "upload", answer_upload(upload->supervisor, &upload->row, upload));
    if (note)
        json_object_set_new(message, "note", json_string(note));
    json_object_set_new(message, "last", json_boolean(last));
    return message;
}

void request_finish(struct request *request, const char *note)
{
    request_done(request, object_of(request->upload, note, true));
}

void request_show(struct request *request)
{
    if (request->answer)
        request_send(request, object_of(request->upload, NULL, false));
}

/* ---- the beginning ---- */

/* Exactly one of file and id, and the file by its proper name. */
static int check_target(const struct request *request, struct error *err)
{
    if (!request->file == !request->id)
        return error_set(err, ERR_PROTOCOL, "a request names either \"file\" or \"id\"");
    if (request->file && !text_path_is_normal(request->file))
        return refusal_file_name(request->file, err);
    if (request->at && !text_path_is_normal(request->at))
        return refusal_file_name(request->at, err);
    return 0;
}

static bool is_pausing(const struct request *request)
{
    return request->kind == IPC_PAUSE || request->kind == IPC_CONTINUE;
}

static int begin(struct request *request, const json_t *message, struct error *err)
{
    int rc;

    if (request->kind == IPC_PING) {
        question_ping(request);
        return 0;
    }
    if (request->kind == IPC_METRICS) {
        question_metrics(request);
        return 0;
    }
    if (request->supervisor->ending)
        return refusal_shutting_down(err);
    if (is_pausing(request)) {
        pausing_ask(request);
        return 0;
    }
    if (request->kind != IPC_LIST && (rc = check_target(request, err)) < 0)
        return rc;
    if (question_is(request->kind))
        return question_begin(request, message, err);
    if (request->kind == IPC_UPLOAD)
        return target_look(request, message, err);
    target_find(request);
    return 0;
}

void request_begin(struct supervisor *supervisor, enum ipc_kind kind, const json_t *message,
                   int64_t uid, on_answer answer, void *arg)
{
    struct requests *requests = supervisor->requests;
    struct request *request = NEW(struct request);
    struct error err;

    *request = (struct request){
        .supervisor = supervisor,
        .kind = kind,
        .answer = answer,
        .arg = arg,
        .ref = json_incref(json_object_get(message, "ref")),
        .uid = uid,
        .started_ms = uv_now(supervisor->loop),
        .file = mem_dup(ipc_text(message, "file")),
        .id = ipc_int(message, "id", 0),
        .wait = ipc_bool(message, "wait"),
        .rows = ipc_bool(message, "rows"),
        .at = mem_dup(ipc_text(message, "at")),
        .older = requests->newest,
    };
    if (requests->newest)
        requests->newest->newer = request;
    else
        requests->oldest = request;
    requests->newest = request;
    if (begin(request, message, &err) < 0)
        request_refuse(request, &err);
}

static bool is_command(const struct request *request)
{
    return request->kind == IPC_UPLOAD || request->kind == IPC_STOP || request->kind == IPC_KILL ||
           request->kind == IPC_FORGET || is_pausing(request);
}

void requests_detach(struct requests *requests, const void *arg)
{
    struct request *older;

    for (struct request *request = requests->newest; request; request = older) {
        older = request->older;
        if (request->arg != arg || request->ended)
            continue;
        request->answer = NULL;
        request->arg = NULL;
        proving_leave(request);
        if (request->waiter || !is_command(request))
            request_end(request);
    }
}

void requests_refresh(struct requests *requests, const void *arg)
{
    for (struct request *request = requests->newest; request; request = request->older)
        if (request->arg == arg && request->upload)
            request->upload->changed = true;
}

/* ---- the database comes and goes ---- */

static void go_on(struct request *request)
{
    request->held = false;
    if (is_pausing(request))
        pausing_ask(request);
    else if (question_is(request->kind))
        question_ask(request);
    else
        target_find(request);
}

void requests_database_open(struct requests *requests)
{
    struct request *newer;

    for (struct request *request = requests->oldest; request; request = newer) {
        newer = request->newer;
        if (request->held)
            go_on(request);
    }
}

void requests_database_answered(struct requests *requests)
{
    requests->answered_ms = uv_now(requests->supervisor->loop);
}

void requests_database_lost(struct requests *requests)
{
    struct request *newer;

    for (struct request *request = requests->oldest; request; request = newer) {
        newer = request->newer;
        if (request->asking && request_asked(request) && !request->upload)
            request_hold(request);
    }
}

/* ---- time ---- */

static uint64_t later_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Does only the database keep it waiting, and since when? One that is there answers others first,
 * which takes its time; one that answers nobody, or has the row locked by somebody, is as good as
 * away. */
static bool waits_for_database(const struct request *request, uint64_t *since_ms)
{
    const struct supervisor *supervisor = request->supervisor;
    const struct upload *upload = request->upload;
    uint64_t silent_ms = supervisor->requests->answered_ms;

    if (request->ended || request->durable || request->waiter || request->looking)
        return false;
    if (!supervisor->open)
        silent_ms = supervisor->away_since_ms;
    else if (upload && upload->blocked_ms)
        silent_ms = upload->blocked_ms;
    else if (!request->asking && !(upload && upload->pendings))
        return false;
    *since_ms = later_of(request->started_ms, silent_ms);
    return true;
}

/* The process is dead: so much is certain. KILLED is recorded when the database is back, though
 * nobody hears of it. */
static void answer_kill(struct request *request, const struct error *err)
{
    on_answer answer = request->answer;
    void *arg = request->arg;
    json_t *message = ipc_error_message(err);

    if (request->ref)
        json_object_set(message, "ref", request->ref);
    request->answer = NULL;
    request->arg = NULL;
    answer(arg, message, true);
}

static void lose_patience(struct request *request, uint64_t now_ms)
{
    uint64_t since_ms;
    struct error err;

    if (!waits_for_database(request, &since_ms))
        return;
    bool kills = request->kind == IPC_KILL;
    if (now_ms - since_ms < REQUEST_PATIENCE_MS) {
        if (kills && !request->upload && now_ms - since_ms >= KILL_PATIENCE_MS)
            target_kill(request);
        return;
    }
    refusal_away(request, &err);
    if (!kills || !request->upload)
        request_refuse(request, &err);
    else if (request->answer)
        answer_kill(request, &err);
}

static void poll_foreign(struct upload *upload, void *arg)
{
    (void)arg;
    if (upload->requests && (upload->state == ST_FOREIGN || upload->state == ST_FOREIGN_STOP))
        upload_event(upload, EV_POLL, NULL);
}

static void on_tick(uv_timer_t *timer)
{
    struct requests *requests = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    struct request *older;

    for (struct request *request = requests->newest; request; request = older) {
        older = request->older;
        lose_patience(request, now_ms);
    }
    if (requests->supervisor->open && !requests->supervisor->ending)
        uploads_each(requests->supervisor->uploads, poll_foreign, NULL);
}

static void show(struct upload *upload, void *arg)
{
    (void)arg;
    if (!upload->changed || !upload->requests)
        return;
    upload->changed = false;
    for (struct request *request = upload->requests; request; request = request->next)
        if (request->waiter || (request->kind == IPC_STOP && request->durable))
            request_show(request);
}

static void on_show(uv_timer_t *timer)
{
    struct requests *requests = timer->data;

    if (requests->newest)
        uploads_each(requests->supervisor->uploads, show, NULL);
}
