/* SPDX-License-Identifier: PostgreSQL */
#include "worker/forker.h"

#include "base/codes.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/kept.h"
#include "ipc/messages.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PART_BYTES 4096

/* As `ps -e` and pgrep show them: 15 bytes at most. */
#define NAME_OF_FORKER "uploader-forker"
#define NAME_OF_WORKER "uploader-worker"

struct forker {
    int fd;
    int64_t jobs;         /* done */
    struct db_kept *kept; /* NULL: none */
    bool tried;           /* to make one */
};

/* ---- the socket: it never blocks, for a worker's loop has set it so for all who share it ---- */

static void await(const struct forker *forker, short events)
{
    struct pollfd socket = {.fd = forker->fd, .events = events};

    while (poll(&socket, 1, -1) < 0 && errno == EINTR)
        ;
}

NO_RETURN static void leave(const struct forker *forker)
{
    db_kept_end(forker->kept);
    _exit(EXIT_DONE);
}

/* Some bytes, as recv() has them; ends with the supervisor. */
static size_t receive(const struct forker *forker, char *to, size_t size, int flags)
{
    for (;;) {
        ssize_t n = recv(forker->fd, to, size, flags);
        if (n > 0)
            return (size_t)n;
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            leave(forker);
        await(forker, POLLIN);
    }
}

/* Up to the end of the line, and not a byte of what follows: that is the worker's to read. */
static char *read_line(const struct forker *forker)
{
    char part[PART_BYTES];
    char *line = NULL;
    size_t size = 0;
    const char *newline;

    do {
        size_t n = receive(forker, part, sizeof part, MSG_PEEK);
        newline = memchr(part, '\n', n);
        n = receive(forker, part, newline ? (size_t)(newline - part) + 1 : n, 0);
        if (size + n > IPC_MESSAGE_MAX_BYTES)
            log_fatal("the supervisor's message is too long");
        line = mem_resize(line, size + n + 1, 1);
        memcpy(line + size, part, n);
        size += n;
    } while (!newline);
    line[size] = '\0';
    return line;
}

static void send_message(const struct forker *forker, json_t *message)
{
    char *text = json_dumps(message, JSON_COMPACT);
    char *line = mem_format("%s\n", text);
    size_t size = strlen(line);

    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(forker->fd, line + sent, size - sent, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else if (errno == EAGAIN)
            await(forker, POLLOUT);
        else if (errno != EINTR)
            leave(forker); /* nobody is there */
    }
    free(line);
    free(text);
    json_decref(message);
}

/* ---- a job ---- */

static void take_job(const struct forker *forker, struct job *job)
{
    char *line = read_line(forker);
    json_t *message = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    enum ipc_kind kind = IPC_KIND_COUNT;
    struct error err;
    int rc = message ? ipc_check(message, TO_WORKER, &kind, &err)
                     : error_set(&err, ERR_PROTOCOL, "a frame is not JSON");

    if (rc == 0 && kind != IPC_JOB)
        rc = error_set(&err, ERR_PROTOCOL, "a worker's first message is its job");
    if (rc == 0)
        rc = job_decode(message, job, &err);
    if (rc < 0)
        log_fatal("%s", err.message); /* a bug of ours; to the supervisor a crash */
    json_decref(message);
    free(line);
    log_set_level((enum log_level)job->log_level);
}

static void drop_connection(struct forker *forker)
{
    db_kept_end(forker->kept);
    forker->kept = NULL;
    forker->tried = false;
}

/* Where one upload follows another a session is worth having for all of them. What is no upload
 * makes connections of its own, and is to have no more of them than it is said to. */
static void keep_connection(struct forker *forker, const struct job *job)
{
    const struct db_settings settings = {.conninfo = job->conninfo,
                                         .schema = job->schema,
                                         .application_name = job->application_name};
    bool loads = job->mode == JOB_LOAD;

    if (forker->kept && (!loads || !db_kept_is_for(forker->kept, job->conninfo)))
        drop_connection(forker);
    if (forker->jobs == 0 || !loads || forker->tried)
        return;
    forker->kept = db_kept_new(&settings);
    forker->tried = true;
}

NO_RETURN static void refuse(const struct forker *forker)
{
    struct ending ending = {.outcome = OUTCOME_TROUBLE};

    error_system(&ending.error, ERR_SYSTEM, errno, "cannot start a worker");
    if (errno == EAGAIN)
        error_hint(&ending.error, HINT_PROCESSES);
    send_message(forker, ending_encode(&ending));
    _exit(EXIT_DONE);
}

/* ---- the worker's end ---- */

/* Without a core of its own: the worker has left one. */
NO_RETURN static void end_by(int signal_number)
{
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    _exit(EXIT_FAILED);
}

/* Goes on only behind one that has left all as it was. */
static void outlive(pid_t worker)
{
    int status;

    while (waitpid(worker, &status, 0) < 0)
        if (errno != EINTR)
            _exit(EXIT_FAILED);
    if (WIFSIGNALED(status))
        end_by(WTERMSIG(status));
    if (WEXITSTATUS(status) == EXIT_SPENT)
        _exit(EXIT_DONE);
    if (WEXITSTATUS(status) != EXIT_DONE)
        _exit(WEXITSTATUS(status));
}

/* No forker without its supervisor, no worker without its forker. It may have died before the
 * kernel was asked. */
static void die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILED);
}

void forker_run(int fd, pid_t parent, struct job *job, struct db_kept **kept)
{
    static struct forker forker; /* a worker leaves it as it was, and yet leaks nothing */
    pid_t self = getpid();

    forker.fd = fd;
    prctl(PR_SET_NAME, NAME_OF_FORKER);
    die_with(parent);
    for (;; forker.jobs++) {
        take_job(&forker, job);
        keep_connection(&forker, job);
        pid_t pid = fork(); /* allowed: it has no loop, and no other thread */
        if (pid < 0)
            refuse(&forker);
        if (pid == 0) {
            prctl(PR_SET_NAME, NAME_OF_WORKER);
            die_with(self);
            *kept = forker.kept;
            return;
        }
        job_fini(job);
        outlive(pid);
        send_message(&forker, ipc_new(IPC_IDLE));
    }
}
