/* SPDX-License-Identifier: PostgreSQL */
/* The two tables of uploadctl: its commands and its options. The command line is read by them, and
 * help and docs/uploadctl.md are printed from them. */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "base/error.h"

#include <stddef.h>
#include <stdio.h>

struct arguments;

enum command_id {
    CMD_UPLOAD,
    CMD_STOP,
    CMD_KILL,
    CMD_WAIT,
    CMD_STATUS,
    CMD_LIST,
    CMD_WATCH,
    CMD_HISTORY,
    CMD_REJECTS,
    CMD_VERIFY,
    CMD_FORGET,
    CMD_PAUSE,
    CMD_CONTINUE,
    CMD_METRICS,
    CMD_PING,
    CMD_VERSION,
    CMD_HELP,
    COMMAND_COUNT
};

#define COMMAND_EXAMPLES 4

struct command {
    const char *name;
    const char *also;     /* words for it elsewhere, a blank around each; NULL: none */
    const char *operands; /* "FILE|ID..." */
    size_t least, most;   /* operands */
    enum exit_code (*run)(const struct arguments *arguments);
    const char *what; /* one line, without a full stop */
    const char *more; /* sentences */
    struct {
        const char *command, *what;
    } examples[COMMAND_EXAMPLES];
};

extern const struct command commands[COMMAND_COUNT];

enum option_takes {
    TAKES_FLAG,
    TAKES_TEXT,
    TAKES_STATUS,
    TAKES_COUNT,
    TAKES_PRIORITY,
    TAKES_TIME,
    TAKES_COLOR
};

/* Commands that take an option, as bits. */
#define ON(command) (1u << (command))
#define ON_ALL (ON(COMMAND_COUNT) - 1)

struct command_option {
    const char *name;
    char letter;          /* its short form, or 0 */
    const char *argument; /* its name in help; NULL: none */
    enum option_takes type;
    size_t offset; /* of its value in struct arguments */
    unsigned on;
    const char *what;
};

extern const struct command_option command_options[];
extern const size_t command_option_count;

/* The command of this name; NULL when there is none. */
const struct command *command_find(const char *name);

/* The error that there is no such command, with the nearest one there is. Returns -ERR_USAGE. */
int command_unknown(const char *name, struct error *err);

/* Help as `uploadctl help` and `uploadctl help COMMAND` print it. */
void commands_print_help(FILE *out);
void command_print_help(FILE *out, const struct command *command);

/* docs/uploadctl.md. */
void commands_print_markdown(FILE *out);

#endif
