/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/heard.h"

#include "ctl/client.h"
#include "ipc/messages.h"

/* Who types does not wait longer. */
#define PATIENCE_MS 1000

#define UPLOADS 100

struct hearing {
    struct heard *heard;
    struct client *client;
    bool with_uploads;
};

static void on_ready(void *arg, const json_t *pong)
{
    struct hearing *hearing = arg;
    json_t *request;

    if (json_object_get(pong, "profiles")) {
        json_decref(hearing->heard->profiles);
        hearing->heard->profiles = json_deep_copy(json_object_get(pong, "profiles"));
    }
    if (!hearing->with_uploads) {
        client_quit(hearing->client, EXIT_DONE);
        return;
    }
    request = ipc_new(IPC_LIST);
    json_object_set_new(request, "limit", json_integer(UPLOADS));
    client_send(hearing->client, request, 1);
}

static void on_answer(void *arg, enum ipc_kind kind, int64_t ref, const json_t *message)
{
    struct hearing *hearing = arg;
    const json_t *upload = json_object_get(message, "upload");

    (void)ref;
    if (kind == IPC_OBJECT && upload)
        json_array_append_new(hearing->heard->uploads, json_deep_copy(upload));
    else
        client_quit(hearing->client, EXIT_DONE);
}

static void on_lost(void *arg, bool ready, const struct error *err)
{
    struct hearing *hearing = arg;

    (void)ready;
    (void)err;
    client_quit(hearing->client, EXIT_DONE);
}

static void on_patience_ended(uv_timer_t *timer)
{
    client_quit(timer->data, EXIT_DONE);
}

static const struct client_events events = {
    .on_ready = on_ready,
    .on_answer = on_answer,
    .on_lost = on_lost,
};

void heard_init(struct heard *heard, const char *socket, bool with_uploads)
{
    struct hearing hearing = {.heard = heard, .with_uploads = with_uploads};
    uv_timer_t patience;

    *heard = (struct heard){json_array(), json_array()};
    hearing.client = client_new(socket, &events, &hearing);
    uv_timer_init(client_loop(hearing.client), &patience);
    patience.data = hearing.client;
    uv_timer_start(&patience, on_patience_ended, PATIENCE_MS, 0);
    client_connect(hearing.client);
    client_run(hearing.client);
    client_free(hearing.client); /* closes the timer, too */
}

void heard_fini(struct heard *heard)
{
    json_decref(heard->profiles);
    json_decref(heard->uploads);
}
