/* SPDX-License-Identifier: PostgreSQL */
/* Sending, hearing, looking again for a supervisor that went away. What is printed of it, and how
 * an ask is left, is in results.c. */
#include "ctl/asks.h"

#include "base/mem.h"
#include "base/priority.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/run.h"

#include <stdlib.h>

/* ---- sending ---- */

static json_t *command_of(const struct asks *asks, const struct ask *ask)
{
    const struct arguments *arguments = asks->arguments;
    bool unknown = asks->command == IPC_UPLOAD && !ask->named.file;
    json_t *request = ipc_new(unknown ? IPC_STATUS : asks->command);

    named_put(&ask->named, request);
    if (unknown)
        return request;
    if (asks->command == IPC_UPLOAD) {
        const char *profile = arguments->profile ? arguments->profile : ask->profile;
        if (profile)
            json_object_set_new(request, "profile", json_string(profile));
        json_object_set_new(request, "restart", json_boolean(arguments->restart));
        if (arguments->again)
            json_object_set_new(request, "again", json_true());
        if (arguments->priority != PRIORITY_UNSAID)
            json_object_set_new(request, "priority", json_integer(arguments->priority));
    }
    if (asks->at)
        json_object_set_new(request, "at", json_string(asks->at));
    if (asks->command == IPC_FORGET)
        json_object_set_new(request, "rows", json_boolean(arguments->rows));
    if (asks->command == IPC_UPLOAD || asks->command == IPC_STOP)
        json_object_set_new(request, "wait", json_boolean(asks->waits && !asks->two_steps));
    return request;
}

/* The upload is known by now: its file may have another one when this arrives. */
static json_t *wait_of(const struct ask *ask)
{
    json_t *request = ipc_new(IPC_WAIT);

    if (ask->upload)
        json_object_set_new(request, "id", json_integer(ipc_int(ask->upload, "id", 0)));
    else
        named_put(&ask->named, request);
    return request;
}

static size_t count_open(const struct asks *asks)
{
    size_t open = 0;

    for (size_t i = 0; i < asks->count; i++)
        open += asks->list[i].stage == ASK_SENT || asks->list[i].stage == ASK_WAITING;
    return open;
}

/* Commands first: all of them are given before an end is waited for. */
static void send_stage(struct asks *asks, enum ask_stage stage)
{
    size_t open = count_open(asks);
    /* the supervisor verifies few at a time, and refuses more */
    size_t most = asks->command == IPC_VERIFY ? 1 : ASKS_OPEN_MAX;

    for (size_t i = 0; i < asks->count && open < most; i++) {
        struct ask *ask = &asks->list[i];
        if (ask->stage != stage)
            continue;
        ask->stage = stage == ASK_NEW ? ASK_SENT : ASK_WAITING;
        client_send(asks->client, stage == ASK_NEW ? command_of(asks, ask) : wait_of(ask),
                    (int64_t)i);
        open++;
    }
}

static void go_on(struct asks *asks)
{
    if (asks_print(asks)) {
        client_quit(asks->client, asks->code);
        return;
    }
    if (asks->ready) {
        send_stage(asks, ASK_NEW);
        send_stage(asks, ASK_TO_WAIT);
    }
}

/* ---- hearing ---- */

/* An upload is begun by its file: one that is named by its ID was asked for that first. */
static void hear_file(struct ask *ask, const json_t *upload)
{
    ask->named.file = mem_dup(ipc_text(upload, "path"));
    ask->profile = mem_dup(ipc_text(upload, "profile"));
    ask->stage = ASK_NEW;
}

static void hear_upload(struct asks *asks, struct ask *ask, const json_t *message)
{
    const char *note = ipc_text(message, "note");
    json_t *upload = json_object_get(message, "upload");
    bool accepted = asks->two_steps && asks->waits && ask->stage == ASK_SENT;

    if (!upload)
        return;
    if (asks->command == IPC_UPLOAD && !ask->named.file) {
        hear_file(ask, upload);
        return;
    }
    json_decref(ask->upload);
    ask->upload = json_incref(upload);
    if (note) {
        free(ask->note);
        ask->note = mem_dup(note);
    }
    if (ipc_bool(message, "last"))
        ask->stage = accepted && asks->command != IPC_WAIT ? ASK_TO_WAIT : ASK_DONE;
    follow_note(asks->follow, (size_t)(ask - asks->list), ask->named.given, upload);
    asks->lost_ms = 0;
}

static void look_again(struct asks *asks);

static void hear_error(struct asks *asks, struct ask *ask, const json_t *message)
{
    struct error err;

    ipc_error_parse(json_object_get(message, "error"), &err);
    if (err.code == ERR_SHUTTING_DOWN && asks->waits && ask->stage == ASK_WAITING) {
        /* it will be started again, maybe: as if it had gone by now */
        ask->stage = ASK_TO_WAIT;
        asks->trouble = err;
        look_again(asks);
        return;
    }
    ask_fail(ask, &err);
}

static void fail_all(struct asks *asks, const struct error *err)
{
    for (size_t i = 0; i < asks->count; i++)
        if (asks->list[i].stage != ASK_DONE)
            ask_fail(&asks->list[i], err);
}

static void on_answer(void *arg, enum ipc_kind kind, int64_t ref, const json_t *message)
{
    struct asks *asks = arg;
    struct error err;

    if (ref < 0 && kind == IPC_ERROR) { /* about the connection */
        ipc_error_parse(json_object_get(message, "error"), &err);
        fail_all(asks, &err);
    } else if (ref >= 0 && ref < (int64_t)asks->count) {
        struct ask *ask = &asks->list[ref];
        if (ask->stage != ASK_SENT && ask->stage != ASK_WAITING)
            return;
        if (kind == IPC_OBJECT)
            hear_upload(asks, ask, message);
        else if (kind == IPC_ERROR)
            hear_error(asks, ask, message);
        if (ask->stage == ASK_DONE)
            follow_ended(asks->follow, (size_t)ref);
    }
    go_on(asks);
}

/* ---- the supervisor goes away ---- */

/* What was asked may be asked again, in a way that cannot do anything twice. */
static bool can_ask_again(struct asks *asks, struct ask *ask)
{
    bool plain =
        asks->command == IPC_WAIT ||
        (asks->command == IPC_UPLOAD && !asks->arguments->restart && !asks->arguments->again);

    if (!asks->waits)
        return false;
    if (ask->upload || asks->command == IPC_WAIT) {
        ask->stage = ask->stage == ASK_NEW ? ASK_NEW : ASK_TO_WAIT;
        return true;
    }
    ask->stage = plain ? ASK_NEW : ask->stage;
    return ask->stage == ASK_NEW;
}

static void fail_unknown(const struct asks *asks, struct ask *ask, const struct error *why)
{
    struct error err = *why;
    bool sent = ask->stage == ASK_SENT;

    if (sent && asks->command != IPC_STATUS) {
        char *word = named_word(ask->named.given);
        error_set(&err, why->code, "%s", why->message);
        error_detail(&err, "Whether the command for \"%s\" was carried out is not known.",
                     ask->named.given);
        error_hint(&err, "When the supervisor is there again, see: uploadctl status %s", word);
        free(word);
    }
    ask_fail(ask, &err);
}

static void on_look_again(uv_timer_t *timer)
{
    struct asks *asks = timer->data;

    client_connect(asks->client);
}

static void look_again(struct asks *asks)
{
    uint64_t now = uv_now(client_loop(asks->client));

    asks->ready = false;
    client_disconnect(asks->client);
    for (size_t i = 0; i < asks->count; i++) {
        struct ask *ask = &asks->list[i];
        if (ask->stage != ASK_DONE && !can_ask_again(asks, ask))
            fail_unknown(asks, ask, &asks->trouble);
    }
    if (asks->lost_ms == 0) {
        asks->lost_ms = now;
        follow_clear(asks->follow);
        if (asks->waits && !asks->arguments->json)
            fprintf(stderr, "uploadctl: the supervisor went away; looking for it for %d s\n",
                    CLIENT_LOOK_AGAIN_MS / 1000);
    }
    if (now - asks->lost_ms >= CLIENT_LOOK_AGAIN_MS)
        fail_all(asks, &asks->trouble);
    else
        uv_timer_start(&asks->look_again, on_look_again, CLIENT_LOOK_AGAIN_STEP_MS, 0);
}

static void on_lost(void *arg, bool ready, const struct error *err)
{
    struct asks *asks = arg;

    asks->trouble = *err;
    if (ready || asks->lost_ms != 0) {
        look_again(asks);
    } else {
        asks->ready = false;
        fail_all(asks, err);
    }
    go_on(asks);
}

static void on_ready(void *arg, const json_t *pong)
{
    struct asks *asks = arg;

    (void)pong;
    asks->ready = true;
    go_on(asks);
}

/* ---- the wait is left ---- */

static void leave_all(struct asks *asks, enum error_code code)
{
    follow_stop(asks->follow);
    for (size_t i = 0; i < asks->count; i++)
        if (asks->list[i].stage != ASK_DONE)
            ask_leave(asks, &asks->list[i], code);
    go_on(asks);
}

static void on_interrupt(void *arg)
{
    leave_all(arg, ERR_WAIT_ENDED);
}

static void on_timeout(uv_timer_t *timer)
{
    leave_all(timer->data, ERR_TIMEOUT);
}

/* ---- all of it ---- */

static const struct {
    enum command_id command;
    enum ipc_kind kind;
} kinds[] = {
    {CMD_UPLOAD, IPC_UPLOAD}, {CMD_STOP, IPC_STOP},     {CMD_KILL, IPC_KILL},
    {CMD_WAIT, IPC_WAIT},     {CMD_STATUS, IPC_STATUS}, {CMD_FORGET, IPC_FORGET},
    {CMD_VERIFY, IPC_VERIFY},
};

struct asks *asks_new(const struct arguments *arguments)
{
    struct asks *asks = mem_new(1, sizeof *asks + arguments->count * sizeof asks->list[0]);
    struct error err;

    asks->arguments = arguments;
    asks->count = arguments->count;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (arguments->command == &commands[kinds[i].command])
            asks->command = kinds[i].kind;
    asks->waits = (asks->command == IPC_UPLOAD && arguments->wait) ||
                  (asks->command == IPC_STOP && !arguments->no_wait) || asks->command == IPC_WAIT;
    asks->follows = asks->waits || asks->command == IPC_VERIFY;
    asks->two_steps = asks->count > ASKS_OPEN_MAX;
    for (size_t i = 0; i < asks->count; i++)
        if (named_init(&asks->list[i].named, arguments->operands[i], &err) < 0)
            ask_fail(&asks->list[i], &err);
    if (arguments->at && named_path(&asks->at, arguments->at, &err) < 0) /* there is one */
        ask_fail(&asks->list[0], &err);
    return asks;
}

void asks_free(struct asks *asks)
{
    for (size_t i = 0; i < asks->count; i++) {
        named_fini(&asks->list[i].named);
        json_decref(asks->list[i].upload);
        free(asks->list[i].note);
        free(asks->list[i].profile);
    }
    follow_free(asks->follow);
    free(asks->at);
    free(asks);
}

static const struct client_events events = {
    .on_ready = on_ready,
    .on_answer = on_answer,
    .on_lost = on_lost,
    .on_interrupt = on_interrupt,
};

static enum exit_code run(struct asks *asks)
{
    const struct arguments *arguments = asks->arguments;
    uv_loop_t *loop;

    asks->client = client_new(arguments->socket, &events, asks);
    loop = client_loop(asks->client);
    uv_timer_init(loop, &asks->look_again);
    uv_timer_init(loop, &asks->timeout);
    asks->look_again.data = asks->timeout.data = asks;
    if (arguments->timeout_ms >= 0)
        uv_timer_start(&asks->timeout, on_timeout, (uint64_t)arguments->timeout_ms, 0);
    if (asks->follows && !arguments->json)
        asks->follow = follow_new(loop, asks->count);
    client_connect(asks->client);
    enum exit_code code = client_run(asks->client);
    client_free(asks->client);
    return code;
}

enum exit_code run_asks(const struct arguments *arguments)
{
    struct asks *asks = asks_new(arguments);
    /* names that cannot be are refused here, without a supervisor */
    enum exit_code code = asks_print(asks) ? asks->code : run(asks);
    asks_free(asks);
    return code;
}
