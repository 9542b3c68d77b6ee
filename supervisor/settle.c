/* SPDX-License-Identifier: PostgreSQL */
/* The requests of one upload: which of them its state lets be applied, in the order they came, and
 * which answers are due. */
#include "base/profile.h"
#include "supervisor/database.h"
#include "supervisor/refusals.h"
#include "supervisor/requests.h"
#include "supervisor/supervisor.h"
#include "supervisor/uploads.h"

#include <stdio.h>

/* ---- what is due ---- */

/* Shown KILLED, and yet no end: the next life goes on with it, or this one does in its turn. */
static bool will_go_on(const struct upload *upload)
{
    const struct supervisor *supervisor = upload->supervisor;

    return upload->state == ST_INTERRUPTED && supervisor->conf.resume &&
           (upload->shutdown || database_will_resume(supervisor->database, upload->row.id));
}

static bool has_ended(const struct upload *upload)
{
    switch (upload->state) {
    case ST_STOPPED:
    case ST_KILLED:
    case ST_FAILED:
    case ST_PROCESSED:
        return true;
    case ST_INTERRUPTED:
        return !will_go_on(upload);
    default: /* allowed: only these states are ends; a new one is not by itself */
        return false;
    }
}

static void refuse_superseded(struct request *request)
{
    struct error err;

    refusal_superseded(request, &err);
    request_refuse(request, &err);
}

/* Who waits for the end. */
static void settle_waiter(struct request *request)
{
    const struct upload *upload = request->upload;
    struct error err;

    if (upload->state == ST_ABSENT) {
        refusal_not_found(request, &err);
        request_refuse(request, &err);
    } else if (has_ended(upload) && upload->outcome == OUTCOME_CHANGED && upload->trouble &&
               upload->state != ST_PROCESSED) {
        err = *upload->trouble;
        request_refuse(request, &err);
    } else if (has_ended(upload)) {
        request_finish(request, NULL);
    }
}

static void finish_upload(struct request *request)
{
    const struct upload *upload = request->upload;
    char note[160];

    snprintf(note, sizeof note,
             "another supervisor has it; if that one is gone for good: uploadctl kill %lld",
             (long long)upload->row.id);
    request_finish(request, upload->state == ST_FOREIGN ? note : NULL);
}

/* An upload command is answered as soon as it is durable. */
static void settle_upload(struct request *request)
{
    const struct upload *upload = request->upload;

    if (!request->durable) {
        if (has_ended(upload))
            refuse_superseded(request);
    } else if (!request->wait) {
        finish_upload(request);
    } else {
        request->waiter = true;
        request_show(request);
        settle_waiter(request);
    }
}

static void settle_stop(struct request *request)
{
    const struct upload *upload = request->upload;

    switch (upload->state) {
    case ST_STOPPED:
        request_finish(request, NULL);
        break;
    case ST_ROLLING_BACK:
    case ST_RELAUNCHING:
    case ST_EMPTYING:
        if (!request->wait)
            request_finish(request, "the stop is durable; the rollback goes on");
        break;
    case ST_PROCESSED:
    case ST_KILLED:
    case ST_INTERRUPTED:
    case ST_FAILED:
    case ST_FOREIGN:
    case ST_FOREIGN_STOP:
    case ST_LEFT:
        refuse_superseded(request);
        break;
    default: /* allowed: in every other state the stop is still under way */
        break;
    }
}

static void settle_kill(struct request *request)
{
    switch (request->upload->state) {
    case ST_KILLED:
    case ST_FAILED:
        request_finish(request, NULL);
        break;
    case ST_PROCESSED:
    case ST_STOPPED:
    case ST_FOREIGN:
    case ST_FOREIGN_STOP:
        refuse_superseded(request);
        break;
    default: /* allowed: in every other state the kill is still under way */
        break;
    }
}

static void settle_one(struct request *request)
{
    if (request->waiter)
        settle_waiter(request);
    else if (request->kind == IPC_UPLOAD)
        settle_upload(request);
    else if (request->kind == IPC_STOP)
        settle_stop(request);
    else if (request->kind == IPC_KILL)
        settle_kill(request);
}

/* ---- applying ---- */

/* An upload of this file, for the row as it is now. */
static enum event upload_command(const struct upload *upload, const struct request *request)
{
    enum error_code found = upload->row.error.code;
    bool known = identity_same(&upload->row.identity, &request->identity) && !request->again;
    /* whose bytes they were may be gone by now, and only the worker can tell */
    bool by_path = request->supervisor->conf.duplicates == DUPLICATES_PATH;

    if (upload->state == ST_PROCESSED && !known)
        return EV_UPLOAD_NEW;
    if (upload->state == ST_FAILED && known && found == ERR_ALREADY_UPLOADED && by_path)
        return EV_UPLOAD_KNOWN;
    if (upload->state == ST_FAILED && known && found == ERR_GROWN)
        return EV_UPLOAD_GROWN;
    if (upload->state == ST_QUEUED && !request->restart && request->reorders &&
        request->priority != upload->row.priority)
        return EV_REORDER;
    return request->restart ? EV_RESTART : EV_UPLOAD;
}

static enum event command_of(const struct upload *upload, const struct request *request)
{
    if (request->kind == IPC_STOP)
        return EV_STOP;
    if (request->kind == IPC_KILL)
        return upload->row.id && upload->row.final ? EV_KILL_FINAL : EV_KILL;
    return upload_command(upload, request);
}

/* An upload goes on only under the settings that it was begun with. */
static const char *settings_differ(const struct upload *upload, const struct request *request)
{
    bool goes_on =
        upload->state == ST_KILLED || upload->state == ST_FAILED || upload->state == ST_INTERRUPTED;

    if (request->kind != IPC_UPLOAD || request->restart || !goes_on || upload->row.chunk_no == 0)
        return NULL;
    return profile_text_differs(upload->row.profile_text, request->profile_text);
}

/* The answers to a command that changes nothing: what it is about is durable already. */
static bool is_durable(enum action action)
{
    return action == ACT_SAME || action == ACT_JOIN || action == ACT_NOOP;
}

static void apply(struct upload *upload, struct request *request)
{
    struct error err;
    const char *key = settings_differ(upload, request);

    if (key) {
        refusal_settings(request, key, &err);
        request_refuse(request, &err);
        return;
    }
    enum event command = command_of(upload, request);
    request->applied = true;
    struct transition t = upload_event(upload, command, request);
    if (t.verdict != FSM_EDGE) {
        refusal_of(request, &t, &err);
        request_refuse(request, &err);
    } else if (t.action == ACT_NOOP) {
        request_finish(request, t.reason);
    } else {
        request->durable = is_durable(t.action);
        if (request->durable)
            settle_one(request);
    }
}

static bool can_apply(const struct upload *upload, const struct request *request)
{
    return !request->applied &&
           fsm_next(upload->state, command_of(upload, request)).verdict != FSM_WAITS;
}

static void settle_applied(struct upload *upload)
{
    struct request *next;

    for (struct request *request = upload->requests; request; request = next) {
        next = request->next;
        if (request->applied)
            settle_one(request);
    }
}

/* Until one of them moves the upload: then those before it are looked at again. */
static void apply_waiting(struct upload *upload)
{
    uint64_t serial = upload->serial;
    struct request *next;

    for (struct request *request = upload->requests; request; request = next) {
        next = request->next;
        if (can_apply(upload, request))
            apply(upload, request);
        if (upload->serial != serial)
            return;
    }
}

void requests_settle(struct upload *upload)
{
    uint64_t serial;

    if (upload->settling) {
        upload->unsettled = true;
        return;
    }
    upload->settling = true;
    do {
        upload->unsettled = false;
        serial = upload->serial;
        settle_applied(upload);
        apply_waiting(upload);
    } while (upload->unsettled || upload->serial != serial);
    upload->settling = false;
    if (upload->shutdown && fsm_next(upload->state, EV_SHUTDOWN).verdict == FSM_EDGE)
        upload_event(upload, EV_SHUTDOWN, NULL);
    if (!upload->requests && state_rests(upload->state))
        uploads_reap_later(upload);
}

/* ---- the line ---- */

static void append(struct upload *upload, struct request *request)
{
    request->upload = upload;
    request->next = NULL;
    *upload->last_request = request;
    upload->last_request = &request->next;
}

void requests_attach(struct upload *upload, struct request *request)
{
    append(upload, request);
    if (request->kind == IPC_WAIT) {
        request->waiter = request->applied = true;
        if (!has_ended(upload))
            request_show(request);
    }
    requests_settle(upload);
}

void requests_hand_over(struct upload *from, struct upload *to)
{
    while (from->requests) {
        struct request *request = from->requests;
        from->requests = request->next;
        request->applied = request->waiter;
        append(to, request);
    }
    from->last_request = &from->requests;
}

static bool made_durable(enum ipc_kind kind, enum move move)
{
    if (kind == IPC_UPLOAD)
        return move == MOVE_QUEUE || move == MOVE_RESTART;
    if (kind == IPC_STOP)
        return move == MOVE_STOP;
    return kind == IPC_KILL && (move == MOVE_KILL || move == MOVE_FINISH);
}

void requests_mark_durable(struct upload *upload, enum move move)
{
    for (struct request *request = upload->requests; request; request = request->next)
        if (request->applied && made_durable(request->kind, move))
            request->durable = true;
}

void requests_mark_lost(struct upload *upload)
{
    for (struct request *request = upload->requests; request; request = request->next)
        if (!request->durable && !request->waiter)
            request->applied = false;
}

void requests_fail(struct upload *upload, const struct error *err)
{
    struct request *next;
    struct error copy = *err;

    for (struct request *request = upload->requests; request; request = next) {
        next = request->next;
        if (!request->waiter)
            request_refuse(request, &copy);
    }
}
