/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/complete.h"

#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "conf/conf.h"
#include "ctl/arguments.h"
#include "ctl/commands.h"
#include "ctl/heard.h"
#include "ctl/named.h"
#include "ipc/messages.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The command line as far as it is typed. */
struct line {
    const char *socket;
    const struct command *command;       /* NULL: not typed yet */
    const struct command_option *option; /* whose value comes next; NULL: none */
    size_t operands;
    bool operands_only;  /* -- was there */
    const char *word;    /* the last one, to be completed */
    const char *leading; /* of the word: what stays in front of each candidate ("--status=") */
};

/* ---- reading ---- */

/* The option of this name, of `length` bytes, that the command takes (NULL: any does). */
static const struct command_option *find_option(const struct command *command, const char *name,
                                                size_t length)
{
    unsigned on = command ? ON(command - commands) : ON_ALL;

    for (size_t i = 0; i < command_option_count; i++)
        if (command_options[i].on & on && strlen(command_options[i].name) == length &&
            strncmp(command_options[i].name, name, length) == 0)
            return &command_options[i];
    return NULL;
}

static void take_value(struct line *line, const struct command_option *option, const char *value)
{
    if (option->offset == offsetof(struct arguments, socket))
        line->socket = value;
}

/* "--name" or "--name=value" */
static void take_option(struct line *line, const char *word)
{
    size_t length = strcspn(word + 2, "=");
    const struct command_option *option = find_option(line->command, word + 2, length);

    if (!option || !option->argument)
        return;
    if (word[2 + length] == '=')
        take_value(line, option, word + 2 + length + 1);
    else
        line->option = option;
}

static void take_word(struct line *line, const char *word)
{
    if (line->option) {
        take_value(line, line->option, word);
        line->option = NULL;
    } else if (!line->operands_only && strcmp(word, "--") == 0) {
        line->operands_only = true;
    } else if (!line->operands_only && word[0] == '-') {
        if (word[1] == '-')
            take_option(line, word);
    } else if (!line->command && line->operands == 0 && command_find(word)) {
        line->command = command_find(word);
    } else {
        line->operands++;
    }
}

/* "--status=FA" is the beginning of a value, too. */
static void take_last(struct line *line, char *word)
{
    char *equals = strchr(word, '=');

    line->word = word;
    line->leading = "";
    if (line->option || line->operands_only || strncmp(word, "--", 2) != 0 || !equals)
        return;
    line->option = find_option(line->command, word + 2, (size_t)(equals - word - 2));
    if (line->option) {
        *equals = '\0';
        line->leading = word;
        line->word = equals + 1;
    }
}

/* ---- printing ---- */

/* A line each: what has a line break, or would be read by the terminal, is not offered. */
static bool is_one_line(const char *candidate)
{
    while (*candidate && !iscntrl((unsigned char)*candidate))
        candidate++;
    return *candidate == '\0';
}

static void offer(const struct line *line, const char *candidate)
{
    if (is_one_line(candidate) && strncmp(candidate, line->word, strlen(line->word)) == 0)
        printf("%s%s%s\n", line->leading, line->leading[0] ? "=" : "", candidate);
}

static void offer_commands(const struct line *line)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        offer(line, commands[i].name);
}

static void offer_options(const struct line *line)
{
    unsigned on = line->command ? ON(line->command - commands) : 0;

    for (size_t i = 0; i < command_option_count; i++) {
        if (command_options[i].on != ON_ALL && !(command_options[i].on & on))
            continue;
        char *text = mem_format("--%s", command_options[i].name);
        offer(line, text);
        free(text);
    }
}

static void offer_statuses(const struct line *line)
{
#define X(name, text, what)                                                                        \
    if ((name) != STATUS_NONE)                                                                     \
        offer(line, text);
    STATUSES(X)
#undef X
}

static void offer_profiles(const struct line *line)
{
    struct heard heard;
    const json_t *profile;
    size_t i;

    heard_init(&heard, line->socket, false);
    json_array_foreach (heard.profiles, i, profile)
        if (json_is_string(profile))
            offer(line, json_string_value(profile));
    heard_fini(&heard);
}

static void offer_values(const struct line *line)
{
    switch (line->option->type) {
    case TAKES_STATUS:
        offer_statuses(line);
        break;
    case TAKES_TEXT:
        if (line->option->offset == offsetof(struct arguments, profile))
            offer_profiles(line);
        else
            puts(COMPLETE_FILES);
        break;
    case TAKES_COLOR:
#define X(name, word) offer(line, word);
        COLOR_WHENS(X)
#undef X
        break;
    case TAKES_FLAG:
    case TAKES_COUNT:
    case TAKES_PRIORITY:
    case TAKES_TIME:
        break;
    }
}

/* As it may be typed here: a path below this folder without it. */
static const char *as_typed(const char *path, const char *folder, const char *word)
{
    size_t length = strlen(folder);

    if (word[0] == '/' || length < 2 || !text_path_below(path, folder) || path[length] != '/')
        return path;
    return path + length + 1;
}

static void offer_uploads(const struct line *line, bool ids)
{
    char *folder = getcwd(NULL, 0);
    json_t *seen = json_object();
    struct heard heard;
    const json_t *upload;
    char id[24];
    size_t i;

    heard_init(&heard, line->socket, true);
    json_array_foreach (heard.uploads, i, upload) {
        const char *path = ipc_text(upload, "path");
        snprintf(id, sizeof id, "%lld", (long long)ipc_int(upload, "id", 0));
        if (ids && (line->word[0] == '\0' || named_is_id(line->word)))
            offer(line, id);
        if (!path || json_object_get(seen, path))
            continue;
        json_object_set_new(seen, path, json_true());
        offer(line, folder ? as_typed(path, folder, line->word) : path);
    }
    heard_fini(&heard);
    json_decref(seen);
    free(folder);
}

static void offer_operands(const struct line *line)
{
    const struct command *command = line->command;

    if (line->operands >= command->most)
        return;
    if (strstr(command->operands, "COMMAND"))
        offer_commands(line);
    if (strstr(command->operands, "FILE")) {
        offer_uploads(line, strstr(command->operands, "ID"));
        puts(COMPLETE_FILES);
    }
}

enum exit_code complete(char **words, size_t count)
{
    const char *variable = getenv(SOCKET_VARIABLE);
    struct line line = {.socket = variable && variable[0] ? variable : CONF_DEFAULT_SOCKET};

    if (count > 0 && strcmp(words[0], "--") == 0) {
        words++;
        count--;
    }
    if (count == 0)
        return EXIT_DONE;
    for (size_t i = 0; i + 1 < count; i++)
        take_word(&line, words[i]);
    take_last(&line, words[count - 1]);
    if (line.option)
        offer_values(&line);
    else if (line.word[0] == '-' && !line.operands_only)
        offer_options(&line);
    else if (line.command)
        offer_operands(&line);
    else if (line.operands == 0) /* else there is no such command */
        offer_commands(&line);
    return EXIT_DONE;
}
