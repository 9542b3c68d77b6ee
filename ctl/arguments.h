/* SPDX-License-Identifier: PostgreSQL */
/* The command line, read by the tables of commands.h. */
#ifndef CTL_ARGUMENTS_H
#define CTL_ARGUMENTS_H

#include "base/error.h"
#include "ctl/color.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;

#define SOCKET_VARIABLE "UPLOADER_SOCKET"

/* Everything borrowed from argv and the environment. */
struct arguments {
    const struct command *command;
    const char *socket; /* by --socket, UPLOADER_SOCKET, or the default */
    bool json;
    enum color_when color;
    bool help;
    bool version;
    bool wait;
    bool no_wait;
    bool restart;
    bool again;
    bool csv;
    bool rows;
    const char *profile; /* NULL: the supervisor's default */
    const char *at;      /* verify: where the file lies, or NULL */
    const char *status;  /* a durable status, or NULL */
    int64_t limit;       /* 0: none */
    int64_t priority;    /* PRIORITY_UNSAID: none */
    int64_t timeout_ms;  /* -1: none */
    char **operands;     /* as typed, behind the command */
    size_t count;
};

/* Reads the command line; permutes argv. Errors: ERR_USAGE. `json` is right also then, so that
 * the error can be told as asked for. */
int arguments_parse(struct arguments *arguments, int argc, char **argv, struct error *err) MUST_USE;

#endif
