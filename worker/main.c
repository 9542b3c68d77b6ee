/* SPDX-License-Identifier: PostgreSQL */
/* uploader-worker: forks a process that uploads one file, or rolls one back, for each job that the
 * supervisor tells it over the socketpair on descriptor 4; those have the one on 3. It is started
 * by uploaderd alone, and ends with it. */
#include "base/codes.h"
#include "base/log.h"
#include "base/text.h"
#include "base/version.h"
#include "ipc/job.h"
#include "ipc/messages.h"
#include "worker/forker.h"
#include "worker/session.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

/* Memory short: a worker goes before the supervisor, for it can be replaced. */
#define OOM_SCORE_ADJ "500"

/* Buffers from this size on go back to the system when they are freed: glibc would learn to keep
 * ever larger ones. Smaller ones are kept, for to take them anew costs a page fault for each 4 KiB.
 */
#define RETURNED_BYTES (4 * 1024 * 1024)

static const char usage[] =
    "Usage: uploader-worker --parent PID\n"
    "\n"
    "Forks a process that uploads one file, or rolls one back, for each job that uploaderd, which\n"
    "starts it, tells it over the sockets that are its descriptors 3 and 4; there is nothing to\n"
    "start by hand.\n"
    "\n"
    "  --parent PID  the supervisor: the worker ends when it is gone\n"
    "  --help        this text\n"
    "  --version     the version\n";

static const struct option options[] = {
    {"parent", required_argument, NULL, 'p'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

NO_RETURN static void refuse_usage(void)
{
    fputs("uploader-worker: it is started by uploaderd; see uploader-worker --help\n", stderr);
    _exit(EXIT_USAGE);
}

static bool is_socket(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* The pid after --parent; does not return for --help, --version and what is wrong. */
static int64_t parent_of(int argc, char **argv)
{
    int64_t parent = 0;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'p' && text_to_int64(optarg, 1, INT_MAX, &parent))
            continue;
        if (option != 'h' && option != 'v')
            refuse_usage();
        fputs(option == 'h' ? usage : "uploader-worker " UPLOADER_VERSION "\n", stdout);
        fflush(stdout);
        _exit(EXIT_DONE);
    }
    if (parent == 0 || optind < argc || !is_socket(WORKER_SOCKET_FD) ||
        !is_socket(FORKER_SOCKET_FD))
        refuse_usage();
    return parent;
}

/* What a terminal or systemd sends to the whole group is the supervisor's to act on. */
static void ignore_signals(void)
{
    const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGXFSZ};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        sigaction(ignored[i], &ignore, NULL);
}

static void volunteer_for_oom(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return; /* no /proc: then not */
    if (write(fd, OOM_SCORE_ADJ, strlen(OOM_SCORE_ADJ)) < 0)
        log_line(LOG_LEVEL_DEBUG, 0, "cannot set oom_score_adj");
    close(fd);
}

/* Few threads, large buffers that come and go: nothing that arenas of their own are good for. */
static void keep_memory_small(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, RETURNED_BYTES);
    mallopt(M_TRIM_THRESHOLD, RETURNED_BYTES);
}

int main(int argc, char **argv)
{
    struct session *session;
    struct job job;
    struct db_kept *kept;
    struct error err;
    uv_loop_t loop;

    closefrom(FORKER_SOCKET_FD + 1);
    log_init("uploader-worker");
    ipc_init();
    int64_t parent = parent_of(argc, argv);
    ignore_signals();
    volunteer_for_oom();
    keep_memory_small();
    setenv("UV_USE_IO_URING", "0", 1); /* a ring would be a way around the filter of confine.h */
    forker_run((pid_t)parent, &job, &kept);
    int rc = uv_loop_init(&loop);
    if (rc < 0)
        log_fatal("the event loop cannot be started: %s", uv_strerror(rc));
    if (session_new(&loop, WORKER_SOCKET_FD, &job, kept, &session, &err) < 0)
        log_fatal("%s", err.message);
    uv_run(&loop, UV_RUN_DEFAULT);
    int code = session_exit_code(session);
    session_close(session);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return code;
}
