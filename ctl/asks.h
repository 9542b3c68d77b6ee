/* SPDX-License-Identifier: PostgreSQL */
/* The requests of one command about uploads that the command line names (upload, stop, kill, wait,
 * status): each operand is an ask, all go over one connection, and their results are printed in the
 * order in which the operands were given. */
#ifndef CTL_ASKS_H
#define CTL_ASKS_H

#include "base/error.h"
#include "ctl/arguments.h"
#include "ctl/client.h"
#include "ctl/follow.h"
#include "ctl/named.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Requests that are open on a connection at once. */
#define ASKS_OPEN_MAX 32

/* An ask's life. With more operands than may be open at once the command is given first, to all of
 * them, and then their ends are waited for; else its own request waits. */
enum ask_stage {
    ASK_NEW,     /* the command is to be sent */
    ASK_SENT,    /* and is not answered yet for the last time */
    ASK_TO_WAIT, /* accepted; a wait for its end is to be sent */
    ASK_WAITING, /* and is not answered yet for the last time */
    ASK_DONE     /* to be printed, or printed */
};

struct ask {
    struct named named;
    enum ask_stage stage;
    json_t *upload; /* as last heard of, or NULL */
    char *note;     /* the supervisor's */
    char *profile;  /* of an upload that was named by its ID */
    struct error error;
};

struct asks {
    const struct arguments *arguments;
    enum ipc_kind command;
    char *at;       /* of verify: where the file lies, or NULL */
    bool waits;     /* for the ends of the uploads */
    bool follows;   /* shows how it goes on */
    bool two_steps; /* command first, wait later */
    struct client *client;
    bool ready;           /* connected */
    uint64_t lost_ms;     /* the supervisor is looked for since then; 0: it is not */
    struct error trouble; /* why it was lost */
    uv_timer_t look_again, timeout;
    struct follow *follow; /* or NULL */
    size_t count, printed;
    enum exit_code code;
    struct ask list[];
};

/* One ask an operand; the caller ends it with asks_free. */
struct asks *asks_new(const struct arguments *arguments);
void asks_free(struct asks *asks);

/* Prints the results that are due, in order; true when all are. */
bool asks_print(struct asks *asks);

/* This one ends with this error. */
void ask_fail(struct ask *ask, const struct error *err);

/* Why the wait for it has ended, for one that goes on: EXIT_WAIT_ENDED or EXIT_TIMEOUT. */
void ask_leave(const struct asks *asks, struct ask *ask, enum error_code code);

#endif
