/* SPDX-License-Identifier: PostgreSQL */
/* Help, and docs/uploadctl.md, from the tables of commands.h. */
#include "base/mem.h"
#include "conf/conf.h"
#include "ctl/arguments.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/run.h"

#include <stdlib.h>
#include <string.h>

static const char file_or_id[] =
    "FILE is a path on the supervisor's machine; it may be relative, and means the newest upload "
    "of\nthat file. An argument of digits only is an ID: a file of such a name is given as ./123.\n"
    "Options may stand anywhere; behind -- nothing is one.\n";

static const struct {
    int code;
    const char *when;
} codes[] = {
#define X(name, number, when) {number, when},
    EXIT_CODES(X)
#undef X
};

static void print_examples(FILE *out, const struct command *command)
{
    for (size_t i = 0; i < COMMAND_EXAMPLES && command->examples[i].command; i++)
        fprintf(out, "  %-40s %s\n", command->examples[i].command, command->examples[i].what);
}

static bool is_own(const struct command_option *option, size_t command)
{
    return option->on != ON_ALL && option->on & ON(command);
}

/* "--timeout TIME" */
static char *option_text(const struct command_option *option)
{
    return mem_format("--%s%s%s", option->name, option->argument ? " " : "",
                      option->argument ? option->argument : "");
}

/* Words of a text within 78 columns, each line behind `indent` blanks; the first one is begun. */
static void print_wrapped(FILE *out, const char *text, int indent)
{
    int column = indent;

    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column + length > 78 && column > indent) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
        fprintf(out, "%.*s", length, text);
        text += length;
        column += length;
        if (*text == ' ') {
            text++;
            column++;
            if (*text && column + (int)strcspn(text, " ") <= 78)
                fputc(' ', out);
        }
    }
    fputc('\n', out);
}

/* "upload [--wait] [--profile NAME] FILE...": the options of its own, and the operands. */
static void print_synopsis(FILE *out, size_t command)
{
    fputs(commands[command].name, out);
    for (size_t i = 0; i < command_option_count; i++) {
        const struct command_option *option = &command_options[i];
        if (!is_own(option, command))
            continue;
        char *text = option_text(option);
        fprintf(out, " [%s]", text);
        free(text);
    }
    if (commands[command].operands[0])
        fprintf(out, " %s", commands[command].operands);
}

static void print_options(FILE *out, size_t command, bool of_all)
{
    for (size_t i = 0; i < command_option_count; i++) {
        const struct command_option *option = &command_options[i];
        if (of_all ? option->on != ON_ALL : !is_own(option, command))
            continue;
        char *text = option_text(option);
        fprintf(out, "  %-16s ", text);
        print_wrapped(out, option->what, 19);
        free(text);
    }
}

void commands_print_help(FILE *out)
{
    fprintf(out, "uploadctl uploads CSV files into PostgreSQL, and stops, kills and resumes that.\n"
                 "\nExamples:\n");
    print_examples(out, &commands[CMD_UPLOAD]);
    print_examples(out, &commands[CMD_STOP]);
    print_examples(out, &commands[CMD_KILL]);
    fprintf(
        out,
        "\nUsage: uploadctl [--socket PATH] [--json] COMMAND [OPTIONS] [FILE...]\n\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char *text = mem_format("%s %s", commands[i].name, commands[i].operands);
        fprintf(out, "  %-20s %s\n", text, commands[i].what);
        free(text);
    }
    fprintf(out, "\nOptions of all commands (the others: uploadctl help COMMAND):\n");
    print_options(out, CMD_HELP, true);
    fprintf(out, "\n%s\nThe default socket is %s.\n\nExit codes (of several files, the highest):\n",
            file_or_id, CONF_DEFAULT_SOCKET);
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        fprintf(out, "  %3d  ", codes[i].code);
        print_wrapped(out, codes[i].when, 7);
    }
}

void command_print_help(FILE *out, const struct command *command)
{
    size_t number = (size_t)(command - commands);
    bool options = false;

    fprintf(out, "uploadctl %s %s\n\nExamples:\n", command->name, command->what);
    print_examples(out, command);
    fputs("\nUsage: uploadctl ", out);
    print_synopsis(out, number);
    fputc('\n', out);
    if (command->more[0]) {
        fputc('\n', out);
        print_wrapped(out, command->more, 0);
    }
    for (size_t i = 0; i < command_option_count; i++)
        options |= is_own(&command_options[i], number);
    if (options) {
        fprintf(out, "\nOptions:\n");
        print_options(out, number, false);
    }
    fprintf(out, "\nOptions of all commands:\n");
    print_options(out, number, true);
    if (command->least > 0)
        fprintf(out, "\n%s", file_or_id);
}

/* A `|` ends a cell of a table. */
static void print_cell(FILE *out, const char *text)
{
    for (; *text; text++)
        fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void print_markdown_options(FILE *out)
{
    fprintf(out, "\n## Options\n\n| option | of | what it does |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < command_option_count; i++) {
        const struct command_option *option = &command_options[i];
        char *text = option_text(option);
        fprintf(out, "| `%s` | ", text);
        free(text);
        if (option->on == ON_ALL)
            fprintf(out, "all commands");
        for (size_t c = 0; c < COMMAND_COUNT; c++)
            if (is_own(option, c))
                fprintf(out, "`%s`", commands[c].name);
        fprintf(out, " | %s |\n", option->what);
    }
}

void commands_print_markdown(FILE *out)
{
    fprintf(out,
            "# uploadctl\n\nGenerated from ctl/commands.c and base/codes.h by `make docs`; do "
            "not edit.\n\n    uploadctl [--socket PATH] [--json] COMMAND\n\n%s\n"
            "The socket comes from `--socket`, from `" SOCKET_VARIABLE "`, or is\n"
            "`" CONF_DEFAULT_SOCKET "`.\n\n## Commands\n\n"
            "| command | does |\n| --- | --- |\n",
            file_or_id);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "| `%s%s", commands[i].name, commands[i].operands[0] ? " " : "");
        print_cell(out, commands[i].operands);
        fprintf(out, "` | %s |\n", commands[i].what);
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "\n### %s\n\n", commands[i].name);
        fputs("    uploadctl ", out);
        print_synopsis(out, i);
        fputs("\n\n", out);
        if (commands[i].more[0])
            fprintf(out, "%s\n\n", commands[i].more);
        for (size_t e = 0; e < COMMAND_EXAMPLES && commands[i].examples[e].command; e++)
            fprintf(out, "    %-40s # %s\n", commands[i].examples[e].command,
                    commands[i].examples[e].what);
    }
    print_markdown_options(out);
    fprintf(out, "\n## Exit codes\n\nOf several files, the highest.\n\n"
                 "| exit code | when |\n| --- | --- |\n");
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        fprintf(out, "| %d | %s |\n", codes[i].code, codes[i].when);
    fprintf(out, "\nWhat `--json` prints is described by "
                 "[uploadctl.schema.json](uploadctl.schema.json).\n");
}

static void print(FILE *out, const struct command *command)
{
    if (command)
        command_print_help(out, command);
    else
        commands_print_help(out);
}

static void print_json(const struct command *command)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);

    if (memory)
        print(memory, command);
    if (!memory || fclose(memory) != 0)
        mem_none("a text");
    json_t *object = json_pack("{s:s}", "help", text);
    free(text);
    output_json(object);
    json_decref(object);
}

enum exit_code run_help(const struct arguments *arguments)
{
    const struct command *command = NULL;
    struct error err;

    if (arguments->count > 0 && !(command = command_find(arguments->operands[0]))) {
        command_unknown(arguments->operands[0], &err);
        output_error(&err, arguments->json);
        return error_code_exit(err.code);
    }
    if (arguments->json)
        print_json(command);
    else
        print(stdout, command);
    return EXIT_DONE;
}
