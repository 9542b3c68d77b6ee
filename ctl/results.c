/* SPDX-License-Identifier: PostgreSQL */
/* What an ask came to, printed for people or as JSON, in the order of the operands. */
#include "base/mem.h"
#include "base/text.h"
#include "ctl/asks.h"
#include "ctl/color.h"
#include "ctl/ending.h"
#include "ctl/output.h"
#include "ctl/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ask_fail(struct ask *ask, const struct error *err)
{
    ask->error = *err;
    ask->stage = ASK_DONE;
}

static void print_escaped(FILE *out, const char *text)
{
    char *escaped = text_escaped(text);

    fputs(escaped, out);
    free(escaped);
}

/* The error of an upload that ended on it, or that stands in the way of going on. */
static void print_upload_error(const struct asks *asks, const struct ask *ask)
{
    struct error err;

    ipc_error_parse(json_object_get(ask->upload, "error"), &err);
    if (err.code != ERR_NONE && asks->waits)
        output_error_lines(&err);
}

/* "KILLED: ..." */
static void print_ending(const char *line)
{
    size_t length = strcspn(line, ":");
    char status[24];

    snprintf(status, sizeof status, "%.*s", length < sizeof status ? (int)length : 0, line);
    if (color_of(status)) {
        color_print(stdout, status);
        line += length;
    }
    print_escaped(stdout, line);
}

static void print_upload(const struct asks *asks, const struct ask *ask)
{
    if (asks->command == IPC_STATUS) {
        show_upload(ask->upload);
        return;
    }
    print_upload_error(asks, ask);
    if (asks->count > 1) {
        print_escaped(stdout, ask->named.given);
        fputs(": ", stdout);
    }
    char *line = ending_line(asks->command, &ask->named, ask->upload, ask->note);
    print_ending(line);
    fputc('\n', stdout);
    free(line);
}

/* Of several, the one that it is about, unless it says so itself. */
static void print_failure(const struct asks *asks, const struct ask *ask)
{
    struct error err = ask->error;

    if (asks->count > 1 && !strstr(err.message, ask->named.given))
        error_detail(&err, "%s%sThis is about: %s", ask->error.detail,
                     ask->error.detail[0] ? " " : "", ask->named.given);
    output_error(&err, asks->arguments->json);
}

static enum exit_code print_one(const struct asks *asks, const struct ask *ask)
{
    if (ask->error.code != ERR_NONE) {
        print_failure(asks, ask);
        return error_code_exit(ask->error.code);
    }
    if (asks->arguments->json)
        output_json(ask->upload);
    else
        print_upload(asks, ask);
    return ending_code(asks->command, asks->waits, ask->upload);
}

bool asks_print(struct asks *asks)
{
    while (asks->printed < asks->count && asks->list[asks->printed].stage == ASK_DONE) {
        follow_clear(asks->follow);
        enum exit_code code = print_one(asks, &asks->list[asks->printed++]);
        asks->code = code > asks->code ? code : asks->code;
    }
    output_flush();
    return asks->printed == asks->count;
}

/* ---- an ask that is left before its end ---- */

static void message_of(struct error *err, enum error_code code, const char *what)
{
    if (code == ERR_TIMEOUT)
        error_set(err, code, "the time ran out; %s", what);
    else
        error_set(err, code, "waiting was interrupted; %s", what);
}

void ask_leave(const struct asks *asks, struct ask *ask, enum error_code code)
{
    char *word = named_word(ask->named.given);
    struct error err;

    if (ask->stage == ASK_NEW && asks->command != IPC_WAIT) {
        message_of(&err, code, "the command was not given");
    } else if (asks->command == IPC_STATUS) {
        message_of(&err, code, "there was no answer yet");
    } else if (asks->command == IPC_WAIT || ask->upload) {
        message_of(&err, code,
                   asks->command == IPC_STOP ? "the rollback goes on" : "the upload goes on");
        error_hint(&err, "Wait for its end with: uploadctl wait %s", word);
    } else {
        message_of(&err, code, "the command is given and goes on, but is not acknowledged yet");
        error_hint(&err, "See what became of it with: uploadctl status %s", word);
    }
    free(word);
    ask_fail(ask, &err);
}
