/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/arguments.h"

#include "base/mem.h"
#include "base/priority.h"
#include "base/status.h"
#include "base/text.h"
#include "conf/conf.h"
#include "conf/units.h"
#include "ctl/commands.h"
#include "ctl/nearest.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_OPTIONS 32
#define LONG_BASE 256 /* getopt's value of option i is LONG_BASE + i */

/* The help in which the options stand that were meant: of the command, if one is named. */
static const char *help_of(char **argv)
{
    for (char **word = argv + 1; *word; word++)
        if (command_find(*word))
            return command_find(*word)->name;
    return NULL;
}

static int hint_help(const char *nearest, char **argv, struct error *err)
{
    const char *command = help_of(argv);

    return error_hint(err, "%s%s%s: uploadctl help%s%s", nearest ? "The nearest one is --" : "",
                      nearest ? nearest : "", nearest ? "; all are in" : "All options are in",
                      command ? " " : "", command ? command : "");
}

static int unknown_option(const char *text, char **argv, struct error *err)
{
    const char *names[MAX_OPTIONS] = {NULL};
    char escaped[80];
    char word[80];

    for (size_t i = 0; i < command_option_count; i++)
        names[i] = command_options[i].name;
    text_escape(escaped, sizeof escaped, text);
    error_set(err, ERR_USAGE, "there is no option \"%s\"", escaped);
    if (strncmp(text, "--", 2) != 0)
        return hint_help(NULL, argv, err);
    size_t length = strcspn(text + 2, "=");
    snprintf(word, sizeof word, "%.*s", length < 64 ? (int)length : 64, text + 2);
    size_t nearest = nearest_of(word, names, command_option_count);
    return hint_help(nearest < command_option_count ? names[nearest] : NULL, argv, err);
}

static const char *wanted_by(enum option_takes type)
{
    switch (type) {
    case TAKES_STATUS:
        return "INITIALIZING, PROCESSING, STOPPED, KILLED, FAILED or PROCESSED";
    case TAKES_COUNT:
        return "a number from 1";
    case TAKES_PRIORITY:
        return "a number " PRIORITY_RANGE;
    case TAKES_TIME:
        return "a time such as 500ms, 30s, 5m or 1h";
    case TAKES_COLOR:
        return "auto, always or never";
    case TAKES_FLAG:
    case TAKES_TEXT:
        break;
    }
    return "something";
}

static int lacks_value(const struct command_option *option, struct error *err)
{
    error_set(err, ERR_USAGE, "option --%s lacks its %s", option->name, option->argument);
    return error_hint(err, "Give --%s %s.", option->name,
                      option->type == TAKES_TEXT ? option->argument : wanted_by(option->type));
}

/* getopt_long's complaint, as an error. */
static int bad_option(int c, char **argv, struct error *err)
{
    const char *text = optind > 0 && argv[optind - 1] ? argv[optind - 1] : "";
    const struct command_option *option =
        optopt >= LONG_BASE ? &command_options[optopt - LONG_BASE] : NULL;

    if (option && c == ':')
        return lacks_value(option, err);
    if (option) {
        error_set(err, ERR_USAGE, "option --%s takes no value", option->name);
        return error_hint(err, "Write --%s alone.", option->name);
    }
    if (optopt) { /* an unknown letter, maybe among others in one argument */
        char letter[] = {'-', (char)optopt, '\0'};
        return unknown_option(letter, argv, err);
    }
    return unknown_option(text, argv, err);
}

static int bad_value(const struct command_option *option, const char *text, struct error *err)
{
    char escaped[80];

    text_escape(escaped, sizeof escaped, text);
    error_set(err, ERR_USAGE, "option --%s cannot be \"%s\"", option->name, escaped);
    return error_hint(err, "Give %s.", wanted_by(option->type));
}

static const char *status_of(const char *text)
{
    static const char *const names[] = {
#define X(name, text, what) [name] = text,
        STATUSES(X)
#undef X
    };

    for (size_t i = STATUS_NONE + 1; i < COUNT_OF(names); i++)
        if (strcasecmp(names[i], text) == 0)
            return names[i];
    return NULL;
}

static int take(struct arguments *arguments, const struct command_option *option, char *value,
                struct error *err)
{
    void *to = (char *)arguments + option->offset;
    bool good = true;

    switch (option->type) {
    case TAKES_FLAG:
        *(bool *)to = true;
        break;
    case TAKES_TEXT:
        *(const char **)to = value;
        good = value[0];
        break;
    case TAKES_STATUS:
        *(const char **)to = status_of(value);
        good = *(const char **)to;
        break;
    case TAKES_COUNT:
        good = text_to_int64(value, 1, INT64_MAX, to);
        break;
    case TAKES_PRIORITY:
        good = text_to_int64(value, PRIORITY_LEAST, PRIORITY_MOST, to);
        break;
    case TAKES_TIME:
        good = units_parse_ms(value, to);
        break;
    case TAKES_COLOR:
        *(enum color_when *)to = color_when_parse(value);
        good = *(enum color_when *)to < COLOR_WHEN_COUNT;
        break;
    }
    return good ? 0 : bad_value(option, value, err);
}

/* All options, wherever they stand. Sets `given` to a bit for each that was there. */
static int parse_options(struct arguments *arguments, int argc, char **argv, unsigned *given,
                         struct error *err)
{
    struct option all[MAX_OPTIONS + 1] = {0};
    char letters[MAX_OPTIONS * 2 + 2] = ":";
    char *letter = letters + 1;
    int c;

    for (size_t i = 0; i < command_option_count; i++) {
        const struct command_option *option = &command_options[i];
        all[i] = (struct option){option->name, option->argument ? required_argument : no_argument,
                                 NULL, LONG_BASE + (int)i};
        if (option->letter)
            *letter++ = option->letter;
    }
    opterr = 0;
    optind = 0; /* from the beginning, also the second time */
    while ((c = getopt_long(argc, argv, letters, all, NULL)) != -1) {
        size_t i = 0;
        if (c == '?' || c == ':')
            return bad_option(c, argv, err);
        while (c != LONG_BASE + (int)i && c != command_options[i].letter)
            i++;
        *given |= 1u << i;
        int rc = take(arguments, &command_options[i], optarg, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int no_command(const char *name, struct error *err)
{
    if (name)
        return command_unknown(name, err);
    error_set(err, ERR_USAGE, "a command is missing");
    return error_hint(err, "Commands are in: uploadctl help");
}

/* --help and --version stand for commands. */
static int find_command(struct arguments *arguments, struct error *err)
{
    const char *name = arguments->count > 0 ? arguments->operands[0] : NULL;

    if (arguments->help || (arguments->version && !name)) {
        /* `uploadctl upload --help` is `uploadctl help upload` */
        arguments->command = &commands[arguments->help ? CMD_HELP : CMD_VERSION];
        arguments->count = name && command_find(name) ? 1 : 0;
        return name && !command_find(name) ? no_command(name, err) : 0;
    }
    if (arguments->version) {
        arguments->command = &commands[CMD_VERSION];
        arguments->count = 0;
        return 0;
    }
    arguments->command = name ? command_find(name) : NULL;
    if (!arguments->command) {
        no_command(name, err);
        return -ERR_USAGE;
    }
    arguments->operands++;
    arguments->count--;
    return 0;
}

static int check_options(const struct arguments *arguments, unsigned given, struct error *err)
{
    size_t command = (size_t)(arguments->command - commands);

    for (size_t i = 0; i < command_option_count; i++)
        if (given & 1u << i && !(command_options[i].on & ON(command))) {
            error_set(err, ERR_USAGE, "command \"%s\" has no option --%s", arguments->command->name,
                      command_options[i].name);
            return error_hint(err, "Its options are in: uploadctl help %s",
                              arguments->command->name);
        }
    return 0;
}

static int check_formats(const struct arguments *arguments, struct error *err)
{
    if (!arguments->csv || !arguments->json)
        return 0;
    error_set(err, ERR_USAGE, "--csv and --json exclude each other");
    return error_hint(err, "Give one of them.");
}

static int check_operands(const struct arguments *arguments, struct error *err)
{
    const struct command *command = arguments->command;

    if (arguments->count >= command->least && arguments->count <= command->most)
        return 0;
    if (arguments->count < command->least)
        error_set(err, ERR_USAGE, "command \"%s\" lacks its %s", command->name, command->operands);
    else if (command->most == 0)
        error_set(err, ERR_USAGE, "command \"%s\" takes no argument", command->name);
    else
        error_set(err, ERR_USAGE, "command \"%s\" takes one %s", command->name, command->operands);
    return error_hint(err, "See: uploadctl help %s", command->name);
}

static int check_place(const struct arguments *arguments, struct error *err)
{
    if (!arguments->at || arguments->count == 1)
        return 0;
    error_set(err, ERR_USAGE, "--at is where one file lies, not several");
    return error_hint(err, "Name one upload with it.");
}

/* Whether the answer is to be JSON, told before anything can be wrong. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

int arguments_parse(struct arguments *arguments, int argc, char **argv, struct error *err)
{
    const char *variable = getenv(SOCKET_VARIABLE);
    unsigned given = 0;
    int rc;

    *arguments = (struct arguments){
        .priority = PRIORITY_UNSAID,
        .json = wants_json(argc, argv),
        .socket = variable && variable[0] ? variable : CONF_DEFAULT_SOCKET,
        .timeout_ms = -1,
    };
    if ((rc = parse_options(arguments, argc, argv, &given, err)) < 0)
        return rc;
    arguments->operands = argv + optind;
    arguments->count = (size_t)(argc - optind);
    if ((rc = find_command(arguments, err)) < 0)
        return rc;
    if (!arguments->help && !arguments->version && (rc = check_options(arguments, given, err)) < 0)
        return rc;
    if ((rc = check_formats(arguments, err)) < 0)
        return rc;
    if ((rc = check_operands(arguments, err)) < 0)
        return rc;
    return check_place(arguments, err);
}
