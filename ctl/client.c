/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/client.h"

#include "base/log.h"
#include "base/mem.h"
#include "ctl/unreachable.h"
#include "ipc/stream.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* The number of the ping that opens a connection; requests count from 0. */
#define HELLO_REF INT64_C(1000000000000)

#define TRY_AGAIN_MS 100

struct client {
    uv_loop_t loop;
    uv_signal_t interrupt;
    uv_timer_t patience;  /* until the connection is ready */
    uv_timer_t try_again; /* when the socket's queue was full */
    const char *socket;
    const struct client_events *events;
    void *arg;
    struct ipc_stream *stream; /* or NULL */
    bool ready;
    enum exit_code code;
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct client *client = handle->data;

    (void)number;
    if (client->events->on_interrupt)
        client->events->on_interrupt(client->arg);
    else
        client_quit(client, EXIT_WAIT_ENDED);
}

struct client *client_new(const char *socket, const struct client_events *events, void *arg)
{
    struct client *client = NEW(struct client);

    client->socket = socket;
    client->events = events;
    client->arg = arg;
    if (uv_loop_init(&client->loop) < 0)
        log_fatal("cannot make an event loop");
    uv_signal_init(&client->loop, &client->interrupt);
    uv_timer_init(&client->loop, &client->patience);
    uv_timer_init(&client->loop, &client->try_again);
    client->interrupt.data = client->patience.data = client->try_again.data = client;
    uv_signal_start(&client->interrupt, on_signal, SIGINT);
    return client;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void client_free(struct client *client)
{
    client_disconnect(client);
    uv_walk(&client->loop, close_handle, NULL);
    uv_run(&client->loop, UV_RUN_DEFAULT);
    uv_loop_close(&client->loop);
    free(client);
}

uv_loop_t *client_loop(struct client *client)
{
    return &client->loop;
}

void client_disconnect(struct client *client)
{
    uv_timer_stop(&client->patience);
    uv_timer_stop(&client->try_again);
    ipc_stream_close(client->stream);
    client->stream = NULL;
    client->ready = false;
}

static void lost(struct client *client, const struct error *err)
{
    bool ready = client->ready;

    client_disconnect(client);
    client->events->on_lost(client->arg, ready, err);
}

static void lost_unreachable(struct client *client, int errnum)
{
    struct error err;

    unreachable(client->socket, errnum, &err);
    lost(client, &err);
}

static void on_impatient(uv_timer_t *timer)
{
    lost_unreachable(timer->data, ETIMEDOUT);
}

static void on_end(void *arg, const struct error *why)
{
    struct client *client = arg;
    struct error err;

    if (why) {
        err = *why;
    } else {
        error_set(&err, ERR_NO_SUPERVISOR, "the supervisor has closed the connection");
        error_hint(&err, "See whether it is still there: uploadctl ping");
    }
    lost(client, &err);
}

static void on_message(void *arg, const json_t *message)
{
    struct client *client = arg;
    enum ipc_kind kind;
    struct error err;

    if (ipc_check(message, FROM_SUPERVISOR, &kind, &err) < 0) {
        lost(client, &err);
        return;
    }
    int64_t ref = ipc_int(message, "ref", -1);
    if (client->ready) {
        client->events->on_answer(client->arg, kind, ref, message);
    } else if (kind == IPC_PONG && ref == HELLO_REF) {
        uv_timer_stop(&client->patience);
        client->ready = true;
        client->events->on_ready(client->arg, message);
    } else if (kind == IPC_ERROR) { /* too many clients, for instance */
        ipc_error_parse(json_object_get(message, "error"), &err);
        lost(client, &err);
    }
}

static const struct ipc_events stream_events = {on_message, on_end};

/* libuv's call-back belongs to a request of its own, since a stream may be closed before. */
struct attempt {
    uv_connect_t connect;
    struct client *client;
    struct ipc_stream *stream;
};

static void connect_now(struct client *client);

static void on_try_again(uv_timer_t *timer)
{
    connect_now(timer->data);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct attempt *attempt = CONTAINER_OF(connect, struct attempt, connect);
    struct client *client = attempt->client;
    bool current = attempt->stream == client->stream && status != UV_ECANCELED;
    struct error err;

    free(attempt);
    if (!current)
        return;
    if (status == UV_EAGAIN) { /* its queue is full: until patience ends */
        ipc_stream_close(client->stream);
        client->stream = NULL;
        uv_timer_start(&client->try_again, on_try_again, TRY_AGAIN_MS, 0);
    } else if (status < 0) {
        lost_unreachable(client, -status);
    } else if (ipc_stream_start(client->stream, &err) < 0) {
        lost(client, &err);
    } else {
        client_send(client, ipc_new(IPC_PING), HELLO_REF);
    }
}

static void connect_now(struct client *client)
{
    struct attempt *attempt = NEW(struct attempt);

    client->stream = ipc_stream_new(&client->loop, IPC_MESSAGE_MAX_BYTES, &stream_events, client);
    attempt->client = client;
    attempt->stream = client->stream;
    uv_pipe_connect(&attempt->connect, ipc_stream_pipe(client->stream), client->socket,
                    on_connected);
}

void client_connect(struct client *client)
{
    client_disconnect(client);
    if (strlen(client->socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
        /* libuv would cut it, and connect elsewhere */
        lost_unreachable(client, ENAMETOOLONG);
        return;
    }
    uv_timer_start(&client->patience, on_impatient, CLIENT_CONNECT_MS, 0);
    connect_now(client);
}

void client_send(struct client *client, json_t *request, int64_t ref)
{
    json_object_set_new(request, "ref", json_integer(ref));
    if (client->stream)
        ipc_stream_send(client->stream, request);
    else
        json_decref(request);
}

enum exit_code client_run(struct client *client)
{
    uv_run(&client->loop, UV_RUN_DEFAULT);
    return client->code;
}

void client_quit(struct client *client, enum exit_code code)
{
    client->code = code;
    uv_stop(&client->loop);
}
