/* SPDX-License-Identifier: PostgreSQL */
/* inotify itself, not uv_fs_event: that one does not tell a file that is moved in from one that is
 * made, nor when who writes has closed it. */
#include "supervisor/spool_watch.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS                                                                                     \
    (IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE | IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF)

struct spool_watch {
    uv_poll_t poll;
    int fd;
    int folder; /* inotify's number of it; NONE: it is not watched now */
    on_spool_news tell;
    void *arg;
};

#define NONE (-1)

static void on_closed(uv_handle_t *handle)
{
    struct spool_watch *watch = CONTAINER_OF(handle, struct spool_watch, poll);

    close(watch->fd);
    free(watch);
}

static void leave(struct spool_watch *watch)
{
    if (watch->folder != NONE)
        inotify_rm_watch(watch->fd, watch->folder);
    watch->folder = NONE;
}

/* It is no longer the folder of that path, whatever follows in it. */
static bool is_lost(const struct inotify_event *event)
{
    return event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED);
}

static void take(struct spool_watch *watch, const struct inotify_event *event)
{
    const char *name = event->len > 0 ? event->name : NULL;

    if (event->wd != watch->folder && !(event->mask & IN_Q_OVERFLOW))
        return;
    if (is_lost(event))
        leave(watch);
    if (!name)
        watch->tell(watch->arg, SPOOL_MISSED, NULL);
    else if (event->mask & IN_MOVED_TO)
        watch->tell(watch->arg, SPOOL_MOVED_IN, name);
    else if (event->mask & IN_CLOSE_WRITE)
        watch->tell(watch->arg, SPOOL_CLOSED, name);
    else if (event->mask & IN_CREATE)
        watch->tell(watch->arg, SPOOL_MADE, name);
    else
        watch->tell(watch->arg, SPOOL_WRITTEN, name);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct spool_watch *watch = CONTAINER_OF(poll, struct spool_watch, poll);
    alignas(struct inotify_event) char buffer[16 * 1024];
    ssize_t size = read(watch->fd, buffer, sizeof buffer);

    (void)status;
    (void)events;
    for (ssize_t at = 0; at < size;) {
        const struct inotify_event *event = (const void *)(buffer + at);
        take(watch, event);
        at += (ssize_t)(sizeof *event + event->len);
    }
}

struct spool_watch *spool_watch_new(uv_loop_t *loop, on_spool_news tell, void *arg)
{
    struct spool_watch *watch;
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd < 0)
        return NULL;
    watch = NEW(struct spool_watch);
    *watch = (struct spool_watch){.fd = fd, .folder = NONE, .tell = tell, .arg = arg};
    uv_poll_init(loop, &watch->poll, fd);
    uv_poll_start(&watch->poll, UV_READABLE, on_readable);
    return watch;
}

/* For a folder that is watched already, inotify gives the number that it has. */
void spool_watch_renew(struct spool_watch *watch, const char *folder)
{
    int found = inotify_add_watch(watch->fd, folder, EVENTS | IN_ONLYDIR);

    if (found != watch->folder)
        leave(watch);
    watch->folder = found;
}

void spool_watch_close(struct spool_watch *watch)
{
    if (watch)
        uv_close((uv_handle_t *)&watch->poll, on_closed);
}
