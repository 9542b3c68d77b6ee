/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/clients.h"

#include "base/log.h"
#include "base/mem.h"
#include "ipc/messages.h"
#include "ipc/stream.h"
#include "supervisor/questions.h"
#include "supervisor/requests.h"
#include "supervisor/supervisor.h"
#include "supervisor/timer.h"

#include <stdlib.h>
#include <unistd.h>

/* A client that has so much under way, or does not read, is not read until that has changed. */
#define REQUESTS_MAX 1000  /* of one client, waits among them */
#define WEIGHT_MAX 16      /* of one client's requests under way that are not for free: */
#define WEIGHT_STATUS 1    /* may need the database, which answers others too */
#define WEIGHT_QUESTION 16 /* may be answered with megabytes */
#define BURST_MAX 64       /* requests in a row, before others have their turn */
#define QUEUED_SOFT_BYTES ((size_t)256 * 1024)
#define QUEUED_HARD_BYTES IPC_MESSAGE_MAX_BYTES /* rejects, one as long as can be */

/* All clients together may leave so much unread. Beyond it those that leave most are closed. */
#define QUEUED_ALL_BYTES ((size_t)128 * 1024 * 1024)

#define NEXT_TURN_MS 1       /* the least that lets the loop look at others before */
#define DRAIN_MS 10          /* how often a queue that is too long is looked at */
#define PARTIAL_MAX_MS 10000 /* for the rest of a frame, with nothing under way */
#define IDLE_MAX_MS 300000   /* with nothing under way */

struct client {
    struct clients *clients;
    struct ipc_stream *stream;
    struct peer peer;
    size_t requests, weight; /* under way */
    size_t burst;            /* requests since others had their turn */
    uint64_t active_ms;      /* when a frame came or an answer went last */
    uint64_t partial_ms;     /* since when half a frame is there; 0: none */
    bool asked;              /* at least one request */
    bool paused, skipped;    /* not read; has missed objects that a later one replaces */
    bool doomed;             /* closed in the next turn */
    bool listed;             /* in `attention` */
    struct client *next, *prev, *next_attention;
};

struct clients {
    struct supervisor *supervisor;
    uv_timer_t *later;
    struct client *list, *attention; /* attention: to close, to read again */
    size_t count;
};

static uint64_t now_ms(const struct clients *clients)
{
    return uv_now(clients->supervisor->loop);
}

/* ---- clients ---- */

static void client_free(struct client *client)
{
    struct clients *clients = client->clients;

    if (client->requests > 0)
        requests_detach(clients->supervisor->requests, client);
    ipc_stream_close(client->stream);
    if (client->listed) {
        struct client **at = &clients->attention;
        while (*at != client)
            at = &(*at)->next_attention;
        *at = client->next_attention;
    }
    if (client->prev)
        client->prev->next = client->next;
    else
        clients->list = client->next;
    if (client->next)
        client->next->prev = client->prev;
    clients->count--;
    peer_fini(&client->peer);
    free(client);
}

static size_t queued_bytes(const struct client *client)
{
    return ipc_stream_queued_bytes(client->stream);
}

static bool is_congested(const struct client *client)
{
    return queued_bytes(client) > QUEUED_SOFT_BYTES;
}

static bool has_enough(const struct client *client)
{
    return client->requests >= REQUESTS_MAX || client->weight >= WEIGHT_MAX ||
           client->burst >= BURST_MAX || is_congested(client);
}

/* ---- what cannot be done where it is found: a stream is not closed or read in an answer ---- */

static void on_later(uv_timer_t *timer);

static void attend_later(struct client *client)
{
    struct clients *clients = client->clients;

    if (client->listed)
        return;
    client->listed = true;
    client->next_attention = clients->attention;
    clients->attention = client;
    uv_timer_start(clients->later, on_later, 0, 0);
}

/* True: it is to be looked at again. */
static bool attend(struct client *client)
{
    if (client->doomed) {
        client_free(client);
        return false;
    }
    client->burst = 0;
    if (!client->paused)
        return false;
    if (has_enough(client))
        return is_congested(client);
    client->paused = false;
    ipc_stream_resume(client->stream); /* may free it */
    return false;
}

/* Those who have listed themselves in this turn, and those who are to be looked at again: not in
 * this turn, in which the loop would serve nobody else, as it would not with a timer of 0. */
static void attend_next(struct clients *clients, struct client *again)
{
    uint64_t ms = clients->attention ? NEXT_TURN_MS : DRAIN_MS;
    struct client **end = &clients->attention;

    while (*end)
        end = &(*end)->next_attention;
    *end = again;
    if (clients->attention)
        uv_timer_start(clients->later, on_later, ms, 0);
}

/* None but the client in hand is closed meanwhile. */
static void on_later(uv_timer_t *timer)
{
    struct clients *clients = timer->data;
    struct client *turn = clients->attention;
    struct client *again = NULL;
    struct client *client;

    clients->attention = NULL;
    while ((client = turn)) {
        turn = client->next_attention;
        client->listed = false;
        if (attend(client)) {
            client->listed = true;
            client->next_attention = again;
            again = client;
        }
    }
    attend_next(clients, again);
}

/* ---- frames and answers ---- */

static void doom(struct client *client)
{
    log_line(LOG_LEVEL_WARNING, 0, "a client does not read its answers, and is closed uid=%lld",
             (long long)client->peer.uid);
    client->doomed = true;
    attend_later(client);
}

static void deliver(struct client *client, json_t *message)
{
    bool replaceable = json_is_false(json_object_get(message, "last"));

    if (client->doomed || (replaceable && is_congested(client))) {
        client->skipped = client->skipped || replaceable;
        json_decref(message);
        return;
    }
    ipc_stream_send(client->stream, message);
    if (queued_bytes(client) > QUEUED_HARD_BYTES)
        doom(client);
}

static void on_answer_to_command(void *arg, json_t *message, bool last)
{
    struct client *client = arg;

    client->active_ms = now_ms(client->clients);
    client->requests -= last;
    deliver(client, message);
    if (client->paused)
        attend_later(client);
}

static void on_answer_to_status(void *arg, json_t *message, bool last)
{
    struct client *client = arg;

    client->weight -= last ? WEIGHT_STATUS : 0;
    on_answer_to_command(arg, message, last);
}

static void on_answer_to_question(void *arg, json_t *message, bool last)
{
    struct client *client = arg;

    client->weight -= last ? WEIGHT_QUESTION : 0;
    on_answer_to_command(arg, message, last);
}

/* Takes it into account; answers who gets its answers. */
static on_answer account(struct client *client, enum ipc_kind kind)
{
    client->asked = true;
    client->requests++;
    client->burst++;
    if (question_is(kind)) {
        client->weight += WEIGHT_QUESTION;
        return on_answer_to_question;
    }
    if (kind == IPC_STATUS) {
        client->weight += WEIGHT_STATUS;
        return on_answer_to_status;
    }
    return on_answer_to_command;
}

static void on_message(void *arg, const json_t *message)
{
    struct client *client = arg;
    struct supervisor *supervisor = client->clients->supervisor;
    enum ipc_kind kind;
    struct error err;

    client->active_ms = now_ms(client->clients);
    client->partial_ms = 0;
    if (ipc_check(message, FROM_CLIENT, &kind, &err) < 0 ||
        access_check(&supervisor->conf, &client->peer, kind, &err) < 0) {
        json_t *refusal = ipc_error_message(&err);
        json_t *ref = json_object_get(message, "ref");
        if (json_is_integer(ref))
            json_object_set(refusal, "ref", ref);
        deliver(client, refusal);
    } else {
        on_answer answer = account(client, kind);
        request_begin(supervisor, kind, message, client->peer.uid, answer, client);
    }
    if (!client->paused && has_enough(client)) {
        client->paused = true;
        ipc_stream_pause(client->stream);
        attend_later(client);
    }
}

static void on_end(void *arg, const struct error *err)
{
    struct client *client = arg;

    if (err && err->code == ERR_PROTOCOL)
        deliver(client, ipc_error_message(err));
    client_free(client);
}

static const struct ipc_events events = {on_message, on_end};

/* ---- comings ---- */

void clients_add(struct clients *clients, int fd, const struct peer *peer)
{
    struct client *client = NEW(struct client);
    struct error err;

    client->clients = clients;
    client->peer = *peer;
    client->active_ms = now_ms(clients);
    client->stream =
        ipc_stream_new(clients->supervisor->loop, IPC_REQUEST_MAX_BYTES, &events, client);
    client->next = clients->list;
    if (client->next)
        client->next->prev = client;
    clients->list = client;
    clients->count++;
    int rc = uv_pipe_open(ipc_stream_pipe(client->stream), fd);
    if (rc < 0) {
        log_line(LOG_LEVEL_WARNING, 0, "cannot take a client: %s", uv_strerror(rc));
        close(fd);
        client_free(client);
    } else if (ipc_stream_start(client->stream, &err) < 0) {
        log_error(0, &err, "cannot take a client");
        client_free(client);
    }
}

/* Is the first better let go of than the second? One that has never asked for anything, else the
 * one that has been quiet for longer. */
static bool is_idler(const struct client *client, const struct client *than)
{
    if (client->asked != than->asked)
        return !client->asked;
    return client->active_ms < than->active_ms;
}

bool clients_make_room(struct clients *clients)
{
    struct client *idle = NULL;

    for (struct client *client = clients->list; client; client = client->next)
        if (client->requests == 0 && (!idle || is_idler(client, idle)))
            idle = client;
    if (!idle)
        return false;
    log_line(LOG_LEVEL_DEBUG, 0, "too many clients: an idle one is closed uid=%lld",
             (long long)idle->peer.uid);
    client_free(idle);
    return true;
}

/* ---- time ---- */

/* True: it has been closed. */
static bool is_too_slow(struct client *client, uint64_t now)
{
    bool partial = ipc_stream_partial_bytes(client->stream) > 0;
    struct error err;

    if (client->requests > 0 || !partial)
        client->partial_ms = 0;
    else if (client->partial_ms == 0)
        client->partial_ms = now;
    if (client->partial_ms && now - client->partial_ms >= PARTIAL_MAX_MS) {
        error_set(&err, ERR_PROTOCOL, "the rest of a frame did not come within %d s",
                  PARTIAL_MAX_MS / 1000);
        deliver(client, ipc_error_message(&err));
        client_free(client);
        return true;
    }
    if (client->requests == 0 && now - client->active_ms >= IDLE_MAX_MS) {
        client_free(client);
        return true;
    }
    return false;
}

/* The client that leaves most unread, of those that stay; the sum of all of these in *sum. */
static struct client *most_unread(const struct clients *clients, size_t *sum)
{
    struct client *most = NULL;

    *sum = 0;
    for (struct client *client = clients->list; client; client = client->next) {
        if (client->doomed)
            continue;
        *sum += queued_bytes(client);
        if (!most || queued_bytes(client) > queued_bytes(most))
            most = client;
    }
    return most;
}

static void close_hoarders(struct clients *clients)
{
    size_t sum;

    for (struct client *most; (most = most_unread(clients, &sum)) && sum > QUEUED_ALL_BYTES;)
        doom(most);
}

void clients_sweep(struct clients *clients)
{
    uint64_t now = now_ms(clients);
    struct client *next;

    for (struct client *client = clients->list; client; client = next) {
        next = client->next;
        if (is_too_slow(client, now) || !client->skipped || is_congested(client))
            continue;
        client->skipped = false;
        requests_refresh(clients->supervisor->requests, client);
    }
    close_hoarders(clients);
}

/* ---- their life ---- */

struct clients *clients_new(struct supervisor *supervisor)
{
    struct clients *clients = NEW(struct clients);

    clients->supervisor = supervisor;
    clients->later = timer_new(supervisor->loop, clients);
    return clients;
}

size_t clients_count(const struct clients *clients)
{
    return clients->count;
}

void clients_close(struct clients *clients)
{
    while (clients->list)
        client_free(clients->list); /* NOLINT(clang-analyzer-unix.Malloc): takes it out */
    timer_close(clients->later);
    clients->later = NULL;
}

void clients_free(struct clients *clients)
{
    free(clients);
}
