/* SPDX-License-Identifier: PostgreSQL */
/* inotify itself, not uv_fs_event: that one does not tell a file that is moved in from one that is
 * made, nor when who writes has closed it. */
#include "supervisor/spool_watch.h"

#include "base/mem.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS                                                                                     \
    (IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE | IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF)

struct spool_watch {
    uv_poll_t poll;
    int fd;
    on_spool_news tell;
    void *arg;
};

static void on_closed(uv_handle_t *handle)
{
    struct spool_watch *watch = CONTAINER_OF(handle, struct spool_watch, poll);

    close(watch->fd);
    free(watch);
}

static void take(const struct spool_watch *watch, const struct inotify_event *event)
{
    const char *name = event->len > 0 ? event->name : NULL;

    if (!name)
        watch->tell(watch->arg, SPOOL_MISSED, NULL);
    else if (event->mask & IN_MOVED_TO)
        watch->tell(watch->arg, SPOOL_MOVED_IN, name);
    else if (event->mask & IN_CLOSE_WRITE)
        watch->tell(watch->arg, SPOOL_CLOSED, name);
    else
        watch->tell(watch->arg, SPOOL_WRITTEN, name);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    const struct spool_watch *watch = CONTAINER_OF(poll, struct spool_watch, poll);
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

struct spool_watch *spool_watch_new(uv_loop_t *loop, const char *folder, on_spool_news tell,
                                    void *arg)
{
    struct spool_watch *watch;
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd < 0)
        return NULL;
    if (inotify_add_watch(fd, folder, EVENTS | IN_ONLYDIR) < 0) {
        int errnum = errno;
        close(fd);
        errno = errnum;
        return NULL;
    }
    watch = NEW(struct spool_watch);
    *watch = (struct spool_watch){.fd = fd, .tell = tell, .arg = arg};
    uv_poll_init(loop, &watch->poll, fd);
    uv_poll_start(&watch->poll, UV_READABLE, on_readable);
    return watch;
}

void spool_watch_close(struct spool_watch *watch)
{
    if (watch)
        uv_close((uv_handle_t *)&watch->poll, on_closed);
}
