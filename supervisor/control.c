/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/control.h"

#include "base/log.h"
#include "base/mem.h"
#include "ipc/messages.h"
#include "supervisor/access.h"
#include "supervisor/clients.h"
#include "supervisor/refusals.h"
#include "supervisor/supervisor.h"
#include "supervisor/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 1000
#define BACKLOG 1024
#define ACCEPTS_A_TURN 64

#define SWEEP_MS 1000
#define LISTEN_AGAIN_MS 1000 /* after a lack of descriptors */

struct control {
    struct supervisor *supervisor;
    int listen_fd;
    uv_poll_t *listener;
    uv_timer_t *sweep;
    struct clients *clients;
    uint64_t listen_again_ms; /* 0: it listens */
    bool short_of;            /* descriptors or memory for clients, and that was said */
    bool closed;
};

static uint64_t now_ms(const struct control *control)
{
    return uv_now(control->supervisor->loop);
}

/* ---- comings ---- */

/* One frame into an empty socket: it is taken whole, or there is nobody to tell. */
static void turn_away(int fd, const struct error *err)
{
    json_t *message = ipc_error_message(err);
    char *text = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    if (text) {
        size_t size = strlen(text);
        text[size] = '\n'; /* in place of its NUL */
        if (send(fd, text, size + 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            log_line(LOG_LEVEL_DEBUG, 0, "a client that is turned away is gone already");
    }
    free(text);
    close(fd);
}

/* No descriptors, no memory: those who come wait in the backlog. */
static void wait_for_means(struct control *control, int errnum)
{
    struct error err;

    error_system(&err, ERR_SYSTEM, errnum, "cannot accept a client");
    if (!control->short_of)
        log_error(0, &err, "clients have to wait");
    control->short_of = true;
    control->listen_again_ms = now_ms(control) + LISTEN_AGAIN_MS;
    uv_poll_stop(control->listener);
}

/* Who may ask nothing takes no place. */
static void take(struct control *control, int fd)
{
    struct peer peer;
    struct error err;

    peer_ask(&peer, fd);
    if (access_check(&control->supervisor->conf, &peer, IPC_PING, &err) == 0) {
        if (clients_count(control->clients) < CLIENTS_MAX || clients_make_room(control->clients)) {
            clients_add(control->clients, fd, &peer);
            return;
        }
        refusal_busy(CLIENTS_MAX, &err);
    }
    peer_fini(&peer);
    turn_away(fd, &err);
}

static void on_listener(uv_poll_t *poll, int status, int events_seen)
{
    struct control *control = poll->data;

    (void)status;
    (void)events_seen;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (fd < 0) {
            wait_for_means(control, errno);
            return;
        }
        control->short_of = false;
        take(control, fd);
    }
}

/* ---- time ---- */

static void on_sweep(uv_timer_t *timer)
{
    struct control *control = timer->data;
    uint64_t now = now_ms(control);

    clients_sweep(control->clients);
    if (control->listener && control->listen_again_ms && now >= control->listen_again_ms) {
        control->listen_again_ms = 0;
        uv_poll_start(control->listener, UV_READABLE, on_listener);
    }
}

/* ---- its life ---- */

static void on_listener_closed(uv_handle_t *handle)
{
    free(handle);
}

static int start_listening(struct control *control, struct error *err)
{
    int rc;

    if (listen(control->listen_fd, BACKLOG) < 0)
        return error_system(err, ERR_SYSTEM, errno, "cannot listen on the control socket");
    uv_poll_t *poll = NEW(uv_poll_t);
    if ((rc = uv_poll_init(control->supervisor->loop, poll, control->listen_fd)) < 0) {
        free(poll);
        return error_set(err, ERR_SYSTEM, "cannot watch the control socket: %s", uv_strerror(rc));
    }
    poll->data = control;
    control->listener = poll;
    uv_poll_start(poll, UV_READABLE, on_listener); /* uv_poll_init has set it non-blocking */
    return 0;
}

int control_new(struct supervisor *supervisor, int listen_fd, struct control **out,
                struct error *err)
{
    struct control *control = NEW(struct control);

    control->supervisor = supervisor;
    control->listen_fd = listen_fd;
    int rc = start_listening(control, err);
    if (rc < 0) {
        close(listen_fd);
        free(control);
        return rc;
    }
    control->sweep = timer_every(supervisor->loop, on_sweep, SWEEP_MS, control);
    control->clients = clients_new(supervisor);
    *out = control;
    return 0;
}

void control_stop_listening(struct control *control)
{
    if (!control->listener)
        return;
    uv_close((uv_handle_t *)control->listener, on_listener_closed);
    control->listener = NULL;
    close(control->listen_fd);
}

size_t control_clients(const struct control *control)
{
    return clients_count(control->clients);
}

void control_close(struct control *control)
{
    if (control->closed)
        return;
    control->closed = true;
    control_stop_listening(control);
    clients_close(control->clients);
    timer_close(control->sweep);
}

void control_free(struct control *control)
{
    if (!control)
        return;
    control_close(control);
    clients_free(control->clients);
    free(control);
}
