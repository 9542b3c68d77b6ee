/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/spawn.h"

#include "base/mem.h"
#include "ipc/job.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The program beside this one, as in a build folder; where there is none, the one that make install
 * has put in libexec: from this one's folder on, so that an installation can be moved. */
static char *program_path(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n <= 0)
        return mem_dup("uploader-worker");
    self[n] = '\0';
    int folder = (int)(strrchr(self, '/') - self);
    char *beside = mem_format("%.*s/uploader-worker", folder, self);
    char *installed = mem_format("%.*s/../libexec/uploader/uploader-worker", folder, self);
    bool is_beside = access(beside, X_OK) == 0 || access(installed, X_OK) != 0;
    free(is_beside ? installed : beside);
    return is_beside ? beside : installed;
}

/* Beginnings of what is not a worker's: libpq's variables are resolved here and travel with the
 * job, for a password in the environment would be seen in /proc; the others are between the service
 * manager and the supervisor. */
static const char *const withheld[] = {
    "PG", "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_", "CREDENTIALS_DIRECTORY=",
};

static bool is_withheld(const char *variable)
{
    for (size_t i = 0; i < COUNT_OF(withheld); i++)
        if (strncmp(variable, withheld[i], strlen(withheld[i])) == 0)
            return true;
    return false;
}

static char **clean_environment(void)
{
    size_t count = 0;
    size_t used = 0;

    while (environ[count])
        count++;
    char **copy = mem_new(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        if (!is_withheld(environ[i]))
            copy[used++] = environ[i];
    return copy;
}

int spawn(uv_loop_t *loop, uv_process_t *process, uv_pipe_t *worker, uv_pipe_t *forker,
          uv_exit_cb on_exit, struct error *err)
{
    char *program = program_path();
    char **environment = clean_environment();
    char parent[16];
    char name[] = "uploader-worker";
    char option[] = "--parent";
    char *argv[] = {name, option, parent, NULL};

    snprintf(parent, sizeof parent, "%d", (int)getpid());
    const uv_stdio_flags both_ways = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE;
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        /* standard output is the batch's report: a worker has only the log */
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
        [WORKER_SOCKET_FD] = {.flags = both_ways, .data.stream = (uv_stream_t *)worker},
        [FORKER_SOCKET_FD] = {.flags = both_ways, .data.stream = (uv_stream_t *)forker},
    };
    uv_process_options_t options = {
        .exit_cb = on_exit,
        .file = program,
        .args = argv,
        .env = environment,
        .stdio_count = (int)COUNT_OF(stdio),
        .stdio = stdio,
    };
    int rc = uv_spawn(loop, process, &options);
    free(program);
    free(environment);
    return rc == 0 ? 0 : job_refused(-rc, err);
}
