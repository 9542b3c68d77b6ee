/* SPDX-License-Identifier: PostgreSQL */
/* Prints the documents that are generated from the tables of the code: print-docs FILE. */
#include "base/codes.h"
#include "base/status.h"
#include "conf/options.h"
#include "ctl/commands.h"
#include "docs/man.h"
#include "ipc/messages.h"
#include "supervisor/states.h"

#include <stdio.h>
#include <string.h>

static const char *sender_name(enum ipc_sender sender)
{
    switch (sender) {
    case FROM_CLIENT:
        return "Requests of a client";
    case FROM_SUPERVISOR:
        return "Answers of the supervisor";
    case TO_WORKER:
        return "From the supervisor to a worker";
    case FROM_WORKER:
        return "From a worker to the supervisor";
    }
    return "";
}

static const char *type_name(enum ipc_type type)
{
    switch (type) {
    case IPC_TEXT:
        return "text";
    case IPC_INTEGER:
        return "integer";
    case IPC_BOOLEAN:
        return "boolean";
    case IPC_LIST_OF:
        return "list";
    case IPC_OBJECT_OF:
        return "object";
    }
    return "";
}

static const struct {
    const char *name;
    enum ipc_sender sender;
    const char *what;
} kinds[] = {
#define X(name, kind, sender, what) [name] = {kind, sender, what},
    IPC_KINDS(X)
#undef X
};

static void print_kind(FILE *out, enum ipc_kind kind)
{
    fprintf(out, "\n### `%s`\n\n%s.\n\n", kinds[kind].name, kinds[kind].what);
    fprintf(out, "| field | type | required | what it says |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < ipc_field_count; i++)
        if (ipc_fields[i].kind == kind)
            fprintf(out, "| `%s` | %s | %s | %s |\n", ipc_fields[i].name,
                    type_name(ipc_fields[i].type), ipc_fields[i].required ? "yes" : "no",
                    ipc_fields[i].help);
}

static void print_protocol(FILE *out)
{
    fprintf(out, "# Protocol\n\nGenerated from ipc/messages.c by `make docs`; do not edit.\n\n"
                 "Messages are JSON objects, one a line (newline-delimited), over Unix-domain "
                 "stream sockets: the\ncontrol socket between a client and the supervisor, and a "
                 "socketpair between the supervisor and each\nworker. Each has its kind in "
                 "`kind`. An optional field may be absent or null; an unknown field or\nkind is "
                 "an error.\n\n");
    fprintf(out,
            "A request is at most %zu bytes long, its newline included. A client numbers its "
            "requests with `ref`,\nand every answer repeats it; a request is over with `error`, "
            "`pong`, `done`, or an `object` whose\n`last` is true. A frame that is no message "
            "is answered with `error`, and the connection is closed.\n",
            IPC_REQUEST_MAX_BYTES);
    for (enum ipc_sender s = FROM_CLIENT; s <= FROM_WORKER; s++) {
        fprintf(out, "\n## %s\n", sender_name(s));
        for (enum ipc_kind k = 0; k < IPC_KIND_COUNT; k++)
            if (kinds[k].sender == s)
                print_kind(out, k);
    }
}

static void print_codes(FILE *out)
{
    fprintf(out, "# Codes\n\nGenerated from base/codes.h and base/status.h by `make docs`; do not "
                 "edit.\n\n## Exit codes\n\nOf several files, the highest.\n\n"
                 "| exit code | when |\n| --- | --- |\n");
#define X(name, number, when) fprintf(out, "| %d | %s |\n", number, when);
    EXIT_CODES(X)
#undef X
    fprintf(out, "\n## Error codes\n\nThe `code` of an error object.\n\n"
                 "| code | exit code | when |\n| --- | --- | --- |\n");
#define X(name, wire, exit, when) fprintf(out, "| `%s` | %d | %s |\n", wire, (int)(exit), when);
    ERROR_CODES(X)
#undef X
    fprintf(out, "\n## Statuses\n\n| status | what it says |\n| --- | --- |\n");
#define X(name, text, what)                                                                        \
    if ((name) != STATUS_NONE)                                                                     \
        fprintf(out, "| %s | %s |\n", text, what);
    STATUSES(X)
#undef X
}

static const struct {
    const char *file;
    void (*print)(FILE *out);
} documents[] = {
    {"docs/states.md", states_print_markdown},
    {"docs/protocol.md", print_protocol},
    {"docs/options.md", options_print_markdown},
    {"docs/codes.md", print_codes},
    {"docs/uploadctl.md", commands_print_markdown},
    {"examples/uploader.conf", options_print_sample},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof documents / sizeof documents[0]; i++)
        if (strcmp(documents[i].file, argv[1]) == 0) {
            documents[i].print(stdout);
            return EXIT_DONE;
        }
    if (argc == 2 && strncmp(argv[1], "man/", 4) == 0)
        return man_print(stdout, argv[1]) < 0 ? EXIT_FAILED : EXIT_DONE;
    fprintf(stderr, "usage: print-docs FILE, one of those that make docs names\n");
    return EXIT_USAGE;
}
