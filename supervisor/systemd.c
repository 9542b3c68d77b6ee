/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/systemd.h"

#include "base/mem.h"
#include "supervisor/supervisor.h"
#include "supervisor/timer.h"
#include "supervisor/uploads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define STATUS_EVERY_MS 1000
#define STATUS_BYTES 128

struct systemd {
    struct supervisor *supervisor;
    uv_timer_t *status, *watchdog;
    char told[STATUS_BYTES];
};

/* ---- the socket ---- */

int systemd_take_socket(const char *path, int *fd, struct error *err)
{
    int count = sd_listen_fds(0); /* process.c keeps the variables from the workers */

    *fd = -1;
    if (count == 0)
        return 0;
    if (count < 0)
        return error_system(err, ERR_SYSTEM, -count, "cannot take the socket that systemd passes");
    if (count > 1) {
        error_set(err, ERR_SYSTEM, "systemd passes %d sockets, and one is meant", count);
        return error_hint(err, "Leave one ListenStream= in the socket's unit.");
    }
    if (sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, path, 0) <= 0) {
        error_set(err, ERR_SYSTEM, "the socket that systemd passes is not the one at \"%s\"", path);
        return error_hint(err, "Write the same path as ListenStream= in the socket's unit and "
                               "under socket in section [supervisor].");
    }
    *fd = SD_LISTEN_FDS_START;
    return 0;
}

/* ---- how it stands ---- */

static void print_status(const struct supervisor *supervisor, char *text, size_t size)
{
    snprintf(text, size, "%sdatabase %s, running %zu, queued %zu%s",
             supervisor->ending ? "ending: " : "", supervisor->open ? "ready" : "away",
             uploads_running(supervisor->uploads), uploads_queued(supervisor->uploads),
             supervisor->paused ? ", paused" : "");
}

static void on_status(uv_timer_t *timer)
{
    struct systemd *systemd = timer->data;
    char text[STATUS_BYTES];

    print_status(systemd->supervisor, text, sizeof text);
    if (strcmp(text, systemd->told) == 0)
        return;
    memcpy(systemd->told, text, sizeof text);
    sd_notifyf(0, "STATUS=%s", text);
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    sd_notify(0, "WATCHDOG=1");
}

void systemd_ready(struct systemd *systemd)
{
    print_status(systemd->supervisor, systemd->told, sizeof systemd->told);
    sd_notifyf(0, "READY=1\nSTATUS=%s", systemd->told);
}

void systemd_reloading(struct systemd *systemd)
{
    struct timespec now;

    (void)systemd;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
               (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void systemd_stopping(struct systemd *systemd, uint64_t within_ms)
{
    print_status(systemd->supervisor, systemd->told, sizeof systemd->told);
    sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=%s", within_ms * 1000,
               systemd->told);
}

/* ---- its life ---- */

struct systemd *systemd_new(struct supervisor *supervisor)
{
    struct systemd *systemd = NEW(struct systemd);
    uint64_t watchdog_us;

    systemd->supervisor = supervisor;
    if (getenv("NOTIFY_SOCKET"))
        systemd->status = timer_every(supervisor->loop, on_status, STATUS_EVERY_MS, systemd);
    if (sd_watchdog_enabled(0, &watchdog_us) > 0) /* twice within what it allows; 0 stops a timer */
        systemd->watchdog =
            timer_every(supervisor->loop, on_watchdog, watchdog_us / 2000 + 1, systemd);
    return systemd;
}

void systemd_free(struct systemd *systemd)
{
    if (!systemd)
        return;
    timer_close(systemd->status);
    timer_close(systemd->watchdog);
    free(systemd);
}
