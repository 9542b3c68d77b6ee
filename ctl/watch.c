/* SPDX-License-Identifier: PostgreSQL */
/* watch: asks every second for the newest uploads and for all that are in progress, and shows what
 * changed, until it is interrupted. On a terminal it is a screen; elsewhere an upload that
 * changed is a line, and with --json an object. */
#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "ctl/arguments.h"
#include "ctl/client.h"
#include "ctl/moving.h"
#include "ctl/output.h"
#include "ctl/run.h"
#include "ctl/screen.h"
#include "ctl/show.h"
#include "ctl/width.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define POLL_MS 1000
#define NEWEST 100
#define IN_PROGRESS 500
#define SINGLE 16 /* requests for one upload that are open at once */

struct watched {
    json_t *upload;
    struct moving moving;
    bool seen;     /* in this round */
    bool asked;    /* for it alone, in this round */
    bool progress; /* in progress, as far as is known */
};

struct watch {
    const struct arguments *arguments;
    struct client *client;
    uv_timer_t poll, look_again;
    uv_signal_t resized, terminated;
    struct screen *screen; /* NULL: elsewhere than on a terminal */
    bool said;             /* that the supervisor or its database is away */
    char trouble[200];     /* the same, on the screen */
    bool ever;             /* a round was answered */
    uint64_t lost_ms;
    int64_t ref, first_ref; /* of the last request, and of the first one of this round */
    size_t open;            /* answers of this round that are due */
    struct watched *list;   /* newest first */
    size_t count, capacity;
};

/* ---- what is known ---- */

static bool in_progress(const json_t *upload)
{
    return status_is_unfinished(status_parse(ipc_text(upload, "status")));
}

/* Where the upload stands in the list, or would. */
static size_t place_of(const struct watch *watch, int64_t id)
{
    size_t at = 0;

    while (at < watch->count && ipc_int(watch->list[at].upload, "id", 0) > id)
        at++;
    return at;
}

static struct watched *insert(struct watch *watch, size_t at)
{
    if (watch->count == watch->capacity) {
        watch->capacity = watch->capacity * 2 + 64;
        watch->list = mem_resize(watch->list, watch->capacity, sizeof *watch->list);
    }
    for (size_t i = watch->count++; i > at; i--)
        watch->list[i] = watch->list[i - 1];
    watch->list[at] = (struct watched){0};
    return &watch->list[at];
}

static void print_change(const struct watch *watch, const json_t *upload)
{
    if (watch->arguments->json)
        output_json(upload);
    else if (!watch->screen)
        show_change(upload);
}

static void hear_upload(struct watch *watch, json_t *upload)
{
    int64_t id = ipc_int(upload, "id", 0);
    size_t at = place_of(watch, id);
    bool known = at < watch->count && ipc_int(watch->list[at].upload, "id", 0) == id;
    struct watched *one = known ? &watch->list[at] : insert(watch, at);

    one->seen = true;
    one->progress = in_progress(upload);
    moving_note(&one->moving, upload, uv_now(client_loop(watch->client)));
    if (one->upload && json_equal(one->upload, upload))
        return;
    json_decref(one->upload);
    one->upload = json_incref(upload);
    print_change(watch, upload);
}

static void let_go(struct watched *one)
{
    json_decref(one->upload);
    moving_fini(&one->moving);
}

/* Those that have ended and are no longer among the newest are not watched any more. */
static void forget(struct watch *watch)
{
    size_t kept = 0;

    for (size_t i = 0; i < watch->count; i++) {
        if (watch->list[i].seen)
            watch->list[kept++] = watch->list[i];
        else
            let_go(&watch->list[i]);
    }
    watch->count = kept;
}

/* ---- the screen ---- */

static void draw(struct watch *watch)
{
    struct screen_row *rows = mem_new(watch->count, sizeof *rows);

    for (size_t i = 0; i < watch->count; i++)
        rows[i] = (struct screen_row){watch->list[i].upload, &watch->list[i].moving};
    screen_draw(watch->screen, rows, watch->count, watch->said ? watch->trouble : NULL,
                uv_now(client_loop(watch->client)));
    free(rows);
}

/* ---- away and back ---- */

/* Not with --json: what comes next on standard output are uploads again. */
static void say_away(struct watch *watch, const struct error *err)
{
    bool said = watch->said;

    watch->said = true;
    if (watch->screen) {
        char *why = mem_format("this goes on when it is over: %s", err->message);
        text_escape(watch->trouble, sizeof watch->trouble, why);
        free(why);
        draw(watch);
        output_flush();
    } else if (!said && !watch->arguments->json) {
        output_error_lines(err);
        fprintf(stderr, "uploadctl: watching goes on when that is over\n");
    }
}

static void say_back(struct watch *watch)
{
    if (watch->said && !watch->screen && !watch->arguments->json)
        fprintf(stderr, "uploadctl: it is over, watching goes on\n");
    watch->said = false;
}

/* ---- a round ---- */

static void ask(struct watch *watch, json_t *request)
{
    client_send(watch->client, request, ++watch->ref);
    watch->open++;
}

static void ask_list(struct watch *watch, const char *status, int64_t limit)
{
    json_t *request = ipc_new(IPC_LIST);

    json_object_set_new(request, "limit", json_integer(limit));
    if (status)
        json_object_set_new(request, "status", json_string(status));
    ask(watch, request);
}

/* What was in progress and is no longer listed as that: how did it end? A few at a time. */
static void ask_singly(struct watch *watch)
{
    for (size_t i = 0; i < watch->count && watch->open < SINGLE; i++) {
        struct watched *one = &watch->list[i];
        if (one->seen || one->asked || !one->progress)
            continue;
        json_t *request = ipc_new(IPC_STATUS);
        json_object_set_new(request, "id", json_integer(ipc_int(one->upload, "id", 0)));
        one->asked = true;
        ask(watch, request);
    }
}

static void begin_round(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        watch->list[i].seen = watch->list[i].asked = false;
    watch->open = 0;
    watch->first_ref = watch->ref + 1;
    ask_list(watch, "PROCESSING", IN_PROGRESS);
    ask_list(watch, "INITIALIZING", IN_PROGRESS);
    ask_list(watch, NULL, NEWEST);
}

static void on_poll(uv_timer_t *timer)
{
    begin_round(timer->data);
}

static void end_round(struct watch *watch)
{
    ask_singly(watch);
    if (watch->open > 0)
        return;
    forget(watch);
    watch->ever = true;
    say_back(watch);
    if (watch->screen)
        draw(watch);
    watch->lost_ms = 0;
    if (output_flush())
        uv_timer_start(&watch->poll, on_poll, POLL_MS, 0);
    else
        client_quit(watch->client, EXIT_DONE);
}

/* ---- trouble ---- */

static void end_with(struct watch *watch, const struct error *err)
{
    screen_free(watch->screen);
    watch->screen = NULL;
    output_error(err, watch->arguments->json);
    client_quit(watch->client, error_code_exit(err->code));
}

static void on_look_again(uv_timer_t *timer)
{
    client_connect(((struct watch *)timer->data)->client);
}

static void on_lost(void *arg, bool ready, const struct error *err)
{
    struct watch *watch = arg;
    uint64_t now = uv_now(client_loop(watch->client));

    (void)ready;
    watch->open = 0;
    uv_timer_stop(&watch->poll);
    if (watch->lost_ms == 0)
        watch->lost_ms = now;
    if (!watch->ever || now - watch->lost_ms >= CLIENT_LOOK_AGAIN_MS) {
        end_with(watch, err);
        return;
    }
    say_away(watch, err);
    uv_timer_start(&watch->look_again, on_look_again, CLIENT_LOOK_AGAIN_STEP_MS, 0);
}

static void hear_error(struct watch *watch, const json_t *message)
{
    struct error err;

    ipc_error_parse(json_object_get(message, "error"), &err);
    if (err.code == ERR_NOT_FOUND) /* an upload that was deleted meanwhile */
        return;
    if (err.code == ERR_SHUTTING_DOWN) {
        client_disconnect(watch->client);
        on_lost(watch, true, &err);
    } else if (err.code != ERR_DATABASE_AWAY || !watch->ever) {
        end_with(watch, &err);
    } else { /* the round has failed; another one follows */
        say_away(watch, &err);
        watch->open = 0;
        uv_timer_start(&watch->poll, on_poll, POLL_MS, 0);
    }
}

static void on_answer(void *arg, enum ipc_kind kind, int64_t ref, const json_t *message)
{
    struct watch *watch = arg;
    json_t *upload = json_object_get(message, "upload");

    if (ref >= 0 && (watch->open == 0 || ref < watch->first_ref))
        return; /* of a round that is given up */
    if (upload)
        hear_upload(watch, upload);
    if (kind == IPC_ERROR)
        hear_error(watch, message);
    bool last = kind == IPC_DONE || kind == IPC_ERROR || ipc_bool(message, "last");
    if (last && watch->open > 0 && --watch->open == 0)
        end_round(watch);
}

static void on_ready(void *arg, const json_t *pong)
{
    (void)pong;
    begin_round(arg);
}

/* ---- all of it ---- */

static void on_interrupt(void *arg)
{
    client_quit(((struct watch *)arg)->client, EXIT_WAIT_ENDED);
}

static void on_terminated(uv_signal_t *handle, int number)
{
    (void)number;
    on_interrupt(handle->data);
}

static void on_resized(uv_signal_t *handle, int number)
{
    struct watch *watch = handle->data;

    (void)number;
    if (watch->screen)
        draw(watch);
    output_flush();
}

static const struct client_events events = {
    .on_ready = on_ready,
    .on_answer = on_answer,
    .on_lost = on_lost,
    .on_interrupt = on_interrupt,
};

enum exit_code run_watch(const struct arguments *arguments)
{
    struct watch watch = {.arguments = arguments};
    uv_loop_t *loop;

    if (!arguments->json && width_is_screen(STDOUT_FILENO))
        watch.screen = screen_new();
    watch.client = client_new(arguments->socket, &events, &watch);
    loop = client_loop(watch.client);
    uv_timer_init(loop, &watch.poll);
    uv_timer_init(loop, &watch.look_again);
    uv_signal_init(loop, &watch.resized);
    uv_signal_init(loop, &watch.terminated);
    watch.poll.data = watch.look_again.data = &watch;
    watch.resized.data = watch.terminated.data = &watch;
    if (watch.screen) { /* which has to be given back */
        uv_signal_start(&watch.resized, on_resized, SIGWINCH);
        uv_signal_start(&watch.terminated, on_terminated, SIGTERM);
    }
    client_connect(watch.client);
    enum exit_code code = client_run(watch.client);
    client_free(watch.client);
    screen_free(watch.screen);
    for (size_t i = 0; i < watch.count; i++)
        let_go(&watch.list[i]);
    free(watch.list);
    return code;
}
