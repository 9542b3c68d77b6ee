/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/orphans.h"

#include "base/log.h"
#include "base/mem.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct search {
    pid_t pid;
    bool found;
};

static void look_at(uv_handle_t *handle, void *arg)
{
    struct search *search = arg;

    if (handle->type == UV_PROCESS && uv_process_get_pid((uv_process_t *)handle) == search->pid)
        search->found = true;
}

/* The first that has ended is looked at, and no further while it is one of libuv's: SIGCHLD comes
 * again. */
static void on_child(uv_signal_t *watch, int number)
{
    siginfo_t ended = {0};

    (void)number;
    while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0) {
        struct search search = {.pid = ended.si_pid};
        uv_walk(watch->loop, look_at, &search);
        if (search.found)
            return;
        waitpid(ended.si_pid, NULL, WNOHANG);
        ended.si_pid = 0;
    }
}

static bool inherits_orphans(void)
{
    int subreaper = 0;

    return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper);
}

uv_signal_t *orphans_watch(uv_loop_t *loop)
{
    if (!inherits_orphans())
        return NULL;
    uv_signal_t *watch = NEW(uv_signal_t);
    uv_signal_init(loop, watch);
    int rc = uv_signal_start(watch, on_child, SIGCHLD);
    if (rc < 0)
        log_fatal("cannot watch for children that end: %s", uv_strerror(rc));
    uv_unref((uv_handle_t *)watch);
    return watch;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void orphans_leave(uv_signal_t *watch)
{
    if (watch)
        uv_close((uv_handle_t *)watch, on_closed);
}
