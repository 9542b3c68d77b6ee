/* SPDX-License-Identifier: PostgreSQL */
/* The connection to the supervisor, and the loop that it lives on. A connection is ready when the
 * supervisor has answered a ping on it; it may be made again after it was lost. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "base/error.h"
#include "ipc/messages.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct client;

/* How long a connection may take until the supervisor has answered on it. */
#define CLIENT_CONNECT_MS 10000

/* How long who waits looks for a supervisor that went away. */
#define CLIENT_LOOK_AGAIN_MS 30000
#define CLIENT_LOOK_AGAIN_STEP_MS 250

struct client_events {
    /* Connected; `pong` is the supervisor's, borrowed. */
    void (*on_ready)(void *arg, const json_t *pong);
    /* A checked answer to request `ref`; an error that is about none has -1. Borrowed. */
    void (*on_answer)(void *arg, enum ipc_kind kind, int64_t ref, const json_t *message);
    /* There is no connection: it could not be made (`ready` false), or was lost. */
    void (*on_lost)(void *arg, bool ready, const struct error *err);
    /* Ctrl-C; NULL: the program then ends with EXIT_WAIT_ENDED. */
    void (*on_interrupt)(void *arg);
};

/* `socket`, `events` and `arg` must outlive it. */
struct client *client_new(const char *socket, const struct client_events *events, void *arg);

/* Ends the connection and closes whatever is still on the loop. */
void client_free(struct client *client);

uv_loop_t *client_loop(struct client *client);

/* Begins to connect: on_ready or on_lost follows, at most CLIENT_CONNECT_MS later. */
void client_connect(struct client *client);

/* Lets go of the connection, if there is one; no event follows. */
void client_disconnect(struct client *client);

/* Sends a request, which it takes over, under this number. Only while connected. */
void client_send(struct client *client, json_t *request, int64_t ref);

/* Runs until client_quit, and returns its exit code. */
enum exit_code client_run(struct client *client);
void client_quit(struct client *client, enum exit_code code);

#endif
