/* SPDX-License-Identifier: PostgreSQL */
/* What clients (and the batch) ask for. A request about an upload finds it (targets.h), becomes an
 * event of the state machine, and is answered when what it asked for is durable (settle.c);
 * requests that only ask are answered from the database (questions.h). */
#ifndef SUPERVISOR_REQUESTS_H
#define SUPERVISOR_REQUESTS_H

#include "base/identity.h"
#include "db/moves.h"
#include "ipc/messages.h"
#include "supervisor/states.h"

#include <stdbool.h>
#include <stdint.h>

/* How long a command waits for a database that is away before it is told so. */
#define REQUEST_PATIENCE_MS 10000

struct requests;
struct supervisor;
struct upload;

/* Takes an answer over; `last`: nothing follows, and the request is gone. It may begin further
 * requests, and must not detach any. */
typedef void (*on_answer)(void *arg, json_t *message, bool last);

struct request {
    struct supervisor *supervisor;
    enum ipc_kind kind;
    on_answer answer; /* NULL: nobody listens any more */
    void *arg;
    json_t *ref; /* NULL: the asker gave none */
    int64_t uid; /* who asks */
    uint64_t started_ms;

    char *file; /* or NULL, then: */
    int64_t id;
    bool wait;

    /* upload: what was asked, and what the look at the file gave */
    char *profile;
    char *profile_text;
    struct identity identity;
    bool again, restart;
    int64_t priority;
    bool reorders; /* the priority was asked for: also of what waits already */

    bool rows; /* forget: they go, too */
    char *at;  /* verify: where the file lies now, or NULL */

    /* list, history, rejects: the page */
    enum status only;
    int64_t tracker;     /* 0: not yet looked up */
    int64_t after, left; /* behind this one, so many more */

    bool applied; /* the state machine has taken it */
    bool durable; /* what it did is durable */
    bool waiter;  /* its command is answered; it waits for the end */
    bool held;    /* waits for the database before it can go on */
    bool looking; /* the thread pool calls back: not freed before */
    bool asking;  /* the database calls back, or its loss: not freed before */
    bool ended;
    struct upload *upload;
    struct request *next;          /* of the upload's requests */
    struct request *older, *newer; /* of all requests */
};

struct requests *requests_new(struct supervisor *supervisor);

/* After the loop has ended, and the connections are closed. NULL is allowed. */
void requests_free(struct requests *requests);

/* Takes up a checked message of kind `kind`. Answers come through `answer`, also before this
 * returns. */
void request_begin(struct supervisor *supervisor, enum ipc_kind kind, const json_t *message,
                   int64_t uid, on_answer answer, void *arg);

/* Nobody listens at `arg` any more. Commands that were given are carried out all the same. */
void requests_detach(struct requests *requests, const void *arg);

/* What `arg` waits for is shown to it again: it may have missed something. */
void requests_refresh(struct requests *requests, const void *arg);

/* The database is open: requests that waited for it go on. */
void requests_database_open(struct requests *requests);

/* The connections are closed: what was asked of them waits for the next, REQUEST_PATIENCE_MS long.
 */
void requests_database_lost(struct requests *requests);

/* The database has answered something: it is there, whoever else still waits for it. */
void requests_database_answered(struct requests *requests);

/* ---- for the upload that requests are about ---- */

/* The upload has moved: answers what is due and applies what has waited. */
void requests_settle(struct upload *upload);

/* The request is about this upload: last in its line. */
void requests_attach(struct upload *upload, struct request *request);

/* All that are about `from` are about `to` from now on. Settles neither. */
void requests_hand_over(struct upload *from, struct upload *to);

/* This move of commands that were applied is durable; or it was lost (they are applied again). */
void requests_mark_durable(struct upload *upload, enum move move);
void requests_mark_lost(struct upload *upload);

/* Whoever waits for a command's answer is told this instead; who waits for the end waits on. */
void requests_fail(struct upload *upload, const struct error *err);

/* ---- for what carries requests out ---- */

/* Before what it waits for is: of the database, of the thread pool. */
void request_hold(struct request *request);

/* What called back has done so. False: the request was over, and is gone now. */
bool request_asked(struct request *request);
bool request_looked(struct request *request);

/* An answer that is not the last; takes the message over. */
void request_send(struct request *request, json_t *message);

/* The last answer: a message that it takes over, an error, or its upload as it is (`note` may be
 * NULL). The request is gone after it. */
void request_done(struct request *request, json_t *message);
void request_refuse(struct request *request, const struct error *err);
void request_finish(struct request *request, const char *note);

/* Its upload as it is, to one that waits for the end. */
void request_show(struct request *request);

#endif
