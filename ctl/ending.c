/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/ending.h"

#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "ctl/bar.h"
#include "ctl/numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status status_of(const json_t *upload)
{
    return status_parse(ipc_text(upload, "status"));
}

static enum exit_code waited_code(const json_t *upload)
{
    struct error err;

    switch (status_of(upload)) {
    case STATUS_PROCESSED:
        return ipc_int(upload, "rejects", 0) > 0 ? EXIT_REJECTS : EXIT_DONE;
    case STATUS_STOPPED:
    case STATUS_KILLED:
        ipc_error_parse(json_object_get(upload, "error"), &err);
        return err.code == ERR_FILE_CHANGED ? EXIT_FAILED : EXIT_INTERRUPTED;
    case STATUS_FAILED:
        ipc_error_parse(json_object_get(upload, "error"), &err);
        return error_code_exit(err.code) == EXIT_REFUSED ? EXIT_REFUSED : EXIT_FAILED;
    case STATUS_NONE:
    case STATUS_INITIALIZING:
    case STATUS_PROCESSING:
        break;
    }
    return EXIT_DONE;
}

/* Of what is equal: whoever removes the file when this is 0 wants all of it to be in. */
static enum exit_code verified_code(const json_t *upload)
{
    enum status status = status_of(upload);

    if (status == STATUS_PROCESSED)
        return EXIT_DONE;
    return status == STATUS_FAILED ? waited_code(upload) : EXIT_INTERRUPTED;
}

enum exit_code ending_code(enum ipc_kind command, bool waited, const json_t *upload)
{
    if (command == IPC_VERIFY)
        return verified_code(upload);
    if (!waited || (command == IPC_STOP && status_of(upload) == STATUS_STOPPED))
        return EXIT_DONE;
    return waited_code(upload);
}

/* Bytes of a number of the upload that may be unknown. */
static struct bar bar_of(const json_t *upload)
{
    return (struct bar){.done = ipc_int(upload, "offset", 0), .size = ipc_int(upload, "size", -1)};
}

void ending_percent(char *out, const json_t *upload)
{
    struct bar bar = bar_of(upload);
    int percent = status_of(upload) == STATUS_PROCESSED ? 100 : bar_percent(&bar);

    if (percent < 0)
        snprintf(out, 8, "?");
    else
        snprintf(out, 8, "%d %%", percent > 100 ? 100 : percent);
}

/* What comes next, as the supervisor says it, but with the file's name as it was typed. */
static char *next_command(const struct named *named, const json_t *upload)
{
    const char *next = ipc_text(upload, "next");
    const char *path = ipc_text(upload, "path");

    if (!next || !path || !named->file || strcmp(named->file, path) != 0)
        return mem_dup(next);
    char *typed = named_word(named->given);
    char *whole = named_word(path);
    size_t head = strlen(next) >= strlen(whole) ? strlen(next) - strlen(whole) : 0;
    char *command = strcmp(next + head, whole) == 0 ? mem_format("%.*s%s", (int)head, next, typed)
                                                    : mem_dup(next);
    free(typed);
    free(whole);
    return command;
}

static char *how_to_name(const struct named *named)
{
    return named->file ? named_word(named->given) : mem_dup(named->given);
}

/* "3,201,000 rows kept (64 % of the file)" */
static char *kept(const json_t *upload)
{
    char rows[TEXT_COUNTED_BYTES];
    char percent[8];

    ending_percent(percent, upload);
    return mem_format("%s kept%s%s%s", text_counted(rows, ipc_int(upload, "rows", 0), "row"),
                      percent[0] == '?' ? "" : " (", percent[0] == '?' ? "" : percent,
                      percent[0] == '?' ? "" : " of the file)");
}

static char *what_is_in(const struct named *named, const json_t *upload)
{
    char rows[TEXT_COUNTED_BYTES];
    char rejects[TEXT_COUNTED_BYTES];
    int64_t reject_count = ipc_int(upload, "rejects", 0);

    text_counted(rows, ipc_int(upload, "rows", 0), "row");
    if (reject_count == 0)
        return mem_format("%s, no rejects", rows);
    char *name = how_to_name(named);
    char *text = mem_format("%s, %s; see: uploadctl rejects %s", rows,
                            text_counted(rejects, reject_count, "reject"), name);
    free(name);
    return text;
}

/* An upload that has not ended: accepted, or on its way. */
static char *under_way(enum ipc_kind command, const json_t *upload)
{
    const char *phase = ipc_text(upload, "phase");
    long long id = (long long)ipc_int(upload, "id", 0);
    char *what = ipc_int(upload, "offset", 0) > 0 ? kept(upload) : mem_dup(NULL);
    char *text = mem_format("upload %lld is %s%s%s", id, phase ? phase : "there", what ? ", " : "",
                            what ? what : "");

    if (command == IPC_STOP) {
        free(text);
        text = mem_format("upload %lld will be rolled back", id);
    }
    free(what);
    return text;
}

/* Another upload has the file, or its beginning: this one has nothing of it. */
static bool is_refused(const json_t *upload)
{
    return waited_code(upload) == EXIT_REFUSED;
}

static const char *lead_of(enum status status, const json_t *upload)
{
    if (status == STATUS_STOPPED)
        return "begin again with";
    if (status == STATUS_FAILED && is_refused(upload))
        return "all the same with";
    return status == STATUS_KILLED || status == STATUS_FAILED ? "go on with" : "follow it with";
}

char *ending_line(enum ipc_kind command, const struct named *named, const json_t *upload,
                  const char *note)
{
    enum status status = status_of(upload);
    char *what = NULL;

    if (command == IPC_FORGET)
        return mem_format("forgotten: upload %lld; %s", (long long)ipc_int(upload, "id", 0),
                          note ? note : "");
    if (command == IPC_VERIFY)
        return mem_format("verified%s: upload %lld is %s; %s",
                          status == STATUS_PROCESSED ? "" : " as far as it came",
                          (long long)ipc_int(upload, "id", 0), status_name(status),
                          note ? note : "");
    switch (status) {
    case STATUS_PROCESSED:
        what = what_is_in(named, upload);
        break;
    case STATUS_KILLED:
    case STATUS_FAILED:
        what = is_refused(upload) ? mem_dup("refused, as another upload has it") : kept(upload);
        break;
    case STATUS_STOPPED:
        what = mem_dup("rolled back, 0 rows left");
        break;
    case STATUS_NONE:
    case STATUS_INITIALIZING:
    case STATUS_PROCESSING:
        what = under_way(command, upload);
        break;
    }
    char *next = next_command(named, upload);
    char *line = mem_format("%s: %s%s%s%s%s%s%s", status_name(status), what, note ? "; " : "",
                            note ? note : "", next ? "; " : "", next ? lead_of(status, upload) : "",
                            next ? ": " : "", next ? next : "");
    free(what);
    free(next);
    return line;
}
