/* SPDX-License-Identifier: PostgreSQL */
#include "docs/lists.h"

#include "base/codes.h"
#include "base/mem.h"
#include "base/status.h"
#include "conf/options.h"
#include "conf/values.h"
#include "ctl/commands.h"
#include "docs/mdoc.h"
#include "supervisor/command_line.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void begin(FILE *out)
{
    fputs(".Bl -tag -width Ds\n", out);
}

static void end(FILE *out)
{
    fputs(".El\n", out);
}

/* ".It MACRO text", and what there is to say of it. */
static void item(FILE *out, const char *macro, const char *text, const char *what)
{
    fprintf(out, ".It %s ", macro);
    mdoc_argument(out, text);
    fputc('\n', out);
    mdoc_sentence(out, what);
}

/* ---- uploaderd(8) ---- */

/* "--config FILE" or "--print-states[=dot]", as help has it. */
static void daemon_option(FILE *out, const char *shown, const char *what)
{
    int name = (int)strcspn(shown, " [");
    const char *rest = shown + name;

    fprintf(out, ".It Fl %.*s", name - 1, shown + 1);
    if (rest[0] == '[')
        fprintf(out, " Ns Op %.*s", (int)strlen(rest) - 2, rest + 1);
    else if (rest[0])
        fprintf(out, " Ar %s", rest + 1);
    fputc('\n', out);
    mdoc_sentence(out, what);
}

static void daemon_options(FILE *out)
{
    begin(out);
#define X(letter, shown, name, takes, what) daemon_option(out, shown, what);
    UPLOADERD_OPTIONS(X)
#undef X
    end(out);
}

static void daemon_signals(FILE *out)
{
    begin(out);
#define X(signal, what) item(out, "Dv", #signal, what);
    UPLOADERD_SIGNALS(X)
#undef X
    end(out);
}

static void code(FILE *out, int number, const char *when)
{
    fprintf(out, ".It %d\n", number);
    mdoc_sentence(out, when);
}

static void daemon_exits(FILE *out)
{
    begin(out);
#define X(number, when) code(out, (int)(number), when);
    UPLOADERD_EXITS(X)
#undef X
    end(out);
}

/* ---- uploadctl(1) ---- */

static bool is_own(const struct command_option *option, size_t command)
{
    return option->on != ON_ALL && option->on & ON(command);
}

/* Options of a command alone, or (`command` is COMMAND_COUNT) those of all. */
static bool is_listed(const struct command_option *option, size_t command)
{
    return command == COMMAND_COUNT ? option->on == ON_ALL : is_own(option, command);
}

static void command_options_list(FILE *out, size_t command)
{
    bool begun = false;

    for (size_t i = 0; i < command_option_count; i++) {
        const struct command_option *option = &command_options[i];
        if (!is_listed(option, command))
            continue;
        if (!begun)
            begin(out);
        begun = true;
        fputs(".It ", out);
        if (option->letter)
            fprintf(out, "Fl %c , ", option->letter);
        fprintf(out, "Fl -%s%s%s\n", option->name, option->argument ? " Ar " : "",
                option->argument ? option->argument : "");
        mdoc_sentence(out, option->what);
    }
    if (begun)
        end(out);
}

/* ".It Cm upload Oo Fl -wait Oc Ar FILE..." */
static void command_synopsis(FILE *out, size_t command)
{
    const char *operands = commands[command].operands;

    fprintf(out, ".It Cm %s", commands[command].name);
    for (size_t i = 0; i < command_option_count; i++)
        if (is_own(&command_options[i], command))
            fprintf(out, " Oo Fl -%s%s%s Oc", command_options[i].name,
                    command_options[i].argument ? " Ar " : "",
                    command_options[i].argument ? command_options[i].argument : "");
    if (operands[0] == '[')
        fprintf(out, " Op Ar %.*s", (int)strlen(operands) - 2, operands + 1);
    else if (operands[0])
        fprintf(out, " Ar %s", operands);
    fputc('\n', out);
}

static void client_commands(FILE *out)
{
    begin(out);
    for (size_t c = 0; c < COMMAND_COUNT; c++) {
        command_synopsis(out, c);
        mdoc_sentence(out, commands[c].what);
        mdoc_text(out, commands[c].more);
        command_options_list(out, c);
    }
    end(out);
}

static void client_options(FILE *out)
{
    command_options_list(out, COMMAND_COUNT);
}

static void client_examples(FILE *out)
{
    for (size_t c = 0; c < COMMAND_COUNT; c++)
        for (size_t i = 0; i < COMMAND_EXAMPLES && commands[c].examples[i].command; i++) {
            if (c > 0 || i > 0)
                fputs(".Pp\n", out);
            mdoc_sentence(out, commands[c].examples[i].what);
            fputs(".Pp\n.Dl ", out);
            mdoc_argument(out, commands[c].examples[i].command);
            fputc('\n', out);
        }
}

static void client_exits(FILE *out)
{
    begin(out);
#define X(name, number, when) code(out, number, when);
    EXIT_CODES(X)
#undef X
    end(out);
}

static void statuses(FILE *out)
{
    begin(out);
#define X(name, text, what)                                                                        \
    if ((name) != STATUS_NONE)                                                                     \
        item(out, "Dv", text, what);
    STATUSES(X)
#undef X
    end(out);
}

/* ---- uploader.conf(5) ---- */

static void conf_rules(FILE *out)
{
    fputs(".Bl -bullet\n", out);
    for (size_t i = 0; i < option_rule_count; i++) {
        fputs(".It\n", out);
        mdoc_text(out, option_rules[i]);
    }
    end(out);
}

static void conf_option(FILE *out, const struct option *option)
{
    char what[VALUE_TEXT_BYTES];
    char *sentence = mem_format("Write %s.", value_describe(what, option));

    fprintf(out, ".It Ic %s\n", option->key);
    mdoc_text(out, option->help);
    mdoc_text(out, sentence);
    free(sentence);
    if (option->fallback && option->fallback[0]) {
        fputs("Default:\n.Ql ", out);
        mdoc_argument(out, option->fallback);
        fputs(" .\n", out);
    } else {
        sentence = mem_format("Default: %s.", option->unsaid);
        mdoc_text(out, sentence);
        free(sentence);
    }
}

static void conf_sections(FILE *out)
{
    for (enum option_section s = 0; s < OPTION_SECTION_COUNT; s++) {
        fprintf(out, ".Ss Section %s%s\n", option_section_name(s),
                option_section_is_named(s) ? " NAME" : "");
        mdoc_text(out, option_section_what(s));
        begin(out);
        for (size_t i = 0; i < option_count; i++)
            if (options[i].section == s)
                conf_option(out, &options[i]);
        end(out);
    }
}

static const struct list lists[] = {
    {"uploaderd_options", daemon_options},
    {"uploaderd_signals", daemon_signals},
    {"uploaderd_exits", daemon_exits},
    {"uploadctl_commands", client_commands},
    {"uploadctl_options", client_options},
    {"uploadctl_examples", client_examples},
    {"uploadctl_exits", client_exits},
    {"statuses", statuses},
    {"conf_rules", conf_rules},
    {"conf_sections", conf_sections},
};

const struct list *lists_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        if (strcmp(lists[i].name, name) == 0)
            return &lists[i];
    return NULL;
}
