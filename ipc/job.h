/* SPDX-License-Identifier: PostgreSQL */
/* A worker's job and its ending, as structures on both sides of the socketpair. */
#ifndef IPC_JOB_H
#define IPC_JOB_H

#include "base/error.h"
#include "base/identity.h"
#include "base/profile.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* The descriptors of the socketpairs: a worker's, and that of the process that forks it, over which
 * jobs come. */
#define WORKER_SOCKET_FD 3
#define FORKER_SOCKET_FD 4

enum job_mode { JOB_LOAD, JOB_ROLLBACK, JOB_VERIFY };

struct job {
    enum job_mode mode;
    int64_t tracker;
    int64_t epoch;
    int64_t token;
    char *owner;
    char *path;
    char **allow; /* folders, absolute and normal */
    size_t allow_count;
    struct profile profile;
    int64_t chunk_bytes;
    int64_t max_record; /* bytes */
    int64_t lanes;
    int64_t earlier; /* a PROCESSED tracker whose bytes the file must not be; 0: none */
    bool content;    /* it must not have the bytes of any other upload of the profile */
    bool again;      /* or may, as somebody wants it so */
    char *schema;
    char *conninfo; /* holds the password: never logged */
    char *application_name;
    int64_t log_level;
    bool confine;     /* it gives up what it does not need */
    int64_t chunks;   /* that are in, as the tracker's start has read it */
    bool first_start; /* of the tracker: no earlier one has taken the file's bytes */
};

/* The message for a job; the caller owns it. */
json_t *job_encode(const struct job *job);

/* The job of a checked message. The caller ends it with job_fini, also after an error
 * (ERR_PROTOCOL). */
int job_decode(const json_t *message, struct job *job, struct error *err) MUST_USE;

void job_fini(struct job *job);

/* There is no process for a job, for this reason: -ERR_SYSTEM, with what to do where it is that
 * there are too many. */
int job_refused(int errnum, struct error *err);

/* How a worker ended. X(NAME, name, what it says) */
#define OUTCOMES(X)                                                                                \
    X(OUTCOME_CRASHED, "crashed", "no last message: a signal, or a bug")                           \
    X(OUTCOME_LOADED, "loaded", "the final chunk is in")                                           \
    X(OUTCOME_ROLLED_BACK, "rolled_back", "nothing of the file is left")                           \
    X(OUTCOME_EQUAL, "equal", "the table holds what the file says")                                \
    X(OUTCOME_FINISHED, "finished", "told to finish: the chunk in hand is in")                     \
    X(OUTCOME_FAILED, "failed", "an error that trying again does not mend")                        \
    X(OUTCOME_FENCED, "fenced", "the gate refused: somebody else has the tracker")                 \
    X(OUTCOME_TROUBLE, "trouble", "trouble with the database: a new worker may go on")             \
    X(OUTCOME_CHANGED, "changed", "the file is not the one that was uploaded so far")

enum outcome {
#define X(name, text, what) name,
    OUTCOMES(X)
#undef X
};

const char *outcome_name(enum outcome outcome);

struct ending {
    enum outcome outcome;
    struct error error;       /* ERR_NONE unless failed, trouble or changed */
    struct identity identity; /* of the file as last seen; all 0 when never seen */
};

json_t *ending_encode(const struct ending *ending);
int ending_decode(const json_t *message, struct ending *ending, struct error *err) MUST_USE;

#endif
