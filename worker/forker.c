/* SPDX-License-Identifier: PostgreSQL */
#include "worker/forker.h"

#include "base/codes.h"
#include "base/log.h"
#include "db/kept.h"
#include "ipc/messages.h"
#include "ipc/stream.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* As `ps -e` and pgrep show them: 15 bytes at most. */
#define NAME_OF_FORKER "uploader-forker"
#define NAME_OF_WORKER "uploader-worker"

struct forker {
    FILE *jobs;           /* a line each */
    bool any;             /* job was done */
    struct db_kept *kept; /* NULL: none */
    bool tried;           /* to make one */
};

/* ---- the talk with the supervisor ---- */

NO_RETURN static void leave(const struct forker *forker)
{
    db_kept_end(forker->kept);
    _exit(EXIT_DONE);
}

static void send_message(const struct forker *forker, json_t *message)
{
    size_t size;
    char *frame = ipc_frame(message, &size);

    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(FORKER_SOCKET_FD, frame + sent, size - sent, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else if (errno != EINTR)
            leave(forker); /* nobody is there */
    }
    free(frame);
}

static int decode(const char *line, struct job *job, struct error *err)
{
    json_t *message = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    enum ipc_kind kind = IPC_KIND_COUNT;
    int rc = message ? ipc_check(message, TO_WORKER, &kind, err)
                     : error_set(err, ERR_PROTOCOL, "a frame is not JSON");

    if (rc == 0 && kind != IPC_JOB)
        rc = error_set(err, ERR_PROTOCOL, "a worker's first message is its job");
    if (rc == 0)
        rc = job_decode(message, job, err);
    json_decref(message);
    return rc;
}

/* Ends with the supervisor. */
static void take_job(const struct forker *forker, struct job *job)
{
    char *line = NULL;
    size_t room = 0;
    struct error err;

    if (getline(&line, &room, forker->jobs) < 0)
        leave(forker);
    if (decode(line, job, &err) < 0)
        log_fatal("%s", err.message); /* a bug of ours; to the supervisor a crash */
    explicit_bzero(line, room);       /* the password is in it */
    free(line);
    log_set_level((enum log_level)job->log_level);
}

/* ---- the connection ---- */

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

    if (forker->kept && !(loads && db_kept_is_usable(forker->kept, job->conninfo)))
        drop_connection(forker);
    if (!forker->any || !loads || forker->tried)
        return;
    forker->kept = db_kept_new(&settings);
    forker->tried = true;
}

NO_RETURN static void refuse(const struct forker *forker)
{
    struct ending ending = {.outcome = OUTCOME_TROUBLE};

    job_refused(errno, &ending.error);
    send_message(forker, ending_encode(&ending));
    _exit(EXIT_DONE);
}

/* ---- the worker's end ---- */

NO_RETURN static void end_by(int signal_number)
{
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

void forker_run(pid_t parent, struct job *job, struct db_kept **kept)
{
    static struct forker forker; /* a worker leaves it as it was, and yet leaks nothing */
    pid_t self = getpid();

    prctl(PR_SET_NAME, NAME_OF_FORKER);
    die_with(parent);
    forker.jobs = fdopen(FORKER_SOCKET_FD, "r");
    if (!forker.jobs)
        log_fatal("descriptor %d cannot be read", FORKER_SOCKET_FD);
    for (;; forker.any = true) {
        take_job(&forker, job);
        keep_connection(&forker, job);
        pid_t pid = fork(); /* allowed: it has no loop, and no other thread */
        if (pid < 0)
            refuse(&forker);
        if (pid == 0) {
            close(FORKER_SOCKET_FD); /* for no job but its own is its business */
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
