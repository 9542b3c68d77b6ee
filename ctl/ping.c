/* SPDX-License-Identifier: PostgreSQL */
/* ping and version: what a supervisor says of itself as soon as there is a connection; pause and
 * continue, which it answers in the same way. */
#include "base/mem.h"
#include "base/text.h"
#include "base/version.h"
#include "ctl/arguments.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct greeting {
    struct client *client;
    enum ipc_kind ask; /* IPC_PING: nothing but what opens a connection */
    json_t *pong;      /* or NULL, then: */
    struct error error;
};

static void take_pong(struct greeting *greeting, const json_t *pong)
{
    greeting->pong = json_deep_copy(pong);
    client_quit(greeting->client, EXIT_DONE);
}

static void on_ready(void *arg, const json_t *pong)
{
    struct greeting *greeting = arg;

    if (greeting->ask == IPC_PING)
        take_pong(greeting, pong);
    else
        client_send(greeting->client, ipc_new(greeting->ask), 1);
}

static void on_lost(void *arg, bool ready, const struct error *err)
{
    struct greeting *greeting = arg;

    (void)ready;
    greeting->error = *err;
    client_quit(greeting->client, error_code_exit(err->code));
}

static void on_answer(void *arg, enum ipc_kind kind, int64_t ref, const json_t *message)
{
    struct greeting *greeting = arg;

    (void)ref;
    if (kind == IPC_PONG || kind == IPC_OBJECT) {
        take_pong(greeting, message);
    } else if (kind == IPC_ERROR) {
        ipc_error_parse(json_object_get(message, "error"), &greeting->error);
        client_quit(greeting->client, error_code_exit(greeting->error.code));
    }
}

static const struct client_events events = {
    .on_ready = on_ready,
    .on_answer = on_answer,
    .on_lost = on_lost,
};

static enum exit_code greet(const struct arguments *arguments, struct greeting *greeting)
{
    greeting->client = client_new(arguments->socket, &events, greeting);
    client_connect(greeting->client);
    enum exit_code code = client_run(greeting->client);
    client_free(greeting->client);
    return code;
}

static void print_pong_json(json_t *pong)
{
    json_object_del(pong, "kind");
    json_object_del(pong, "ref");
    if (!json_object_get(pong, "error"))
        json_object_set_new(pong, "error", json_null());
    output_json(pong);
}

static void print_trouble(const json_t *json)
{
    struct error err;

    printf("the supervisor cannot use its database, and goes on trying\n");
    ipc_error_parse(json, &err);
    output_line(stdout, "reason", err.message);
    output_line(stdout, "detail", err.detail);
    output_line(stdout, "hint", err.hint);
}

static void print_pong(const json_t *pong)
{
    const char *database = ipc_text(pong, "database");
    char name[512];

    text_escape(name, sizeof name, ipc_text(pong, "name"));
    printf("%s: uploaderd %s, \"%s\", pid %lld; %lld running, %lld queued%s\n", database,
           ipc_text(pong, "version"), name, (long long)ipc_int(pong, "pid", 0),
           (long long)ipc_int(pong, "running", 0), (long long)ipc_int(pong, "queued", 0),
           ipc_bool(pong, "paused") ? "; paused: go on with uploadctl continue" : "");
    if (strcmp(database, "ready") != 0)
        print_trouble(json_object_get(pong, "error"));
}

static enum exit_code greet_and_print(const struct arguments *arguments, enum ipc_kind ask,
                                      void (*print)(const json_t *), void (*print_json)(json_t *))
{
    struct greeting greeting = {.ask = ask};
    enum exit_code code = greet(arguments, &greeting);

    if (greeting.pong && arguments->json)
        print_json(greeting.pong);
    else if (greeting.pong)
        print(greeting.pong);
    else if (greeting.error.code != ERR_NONE)
        output_error(&greeting.error, arguments->json);
    json_decref(greeting.pong);
    return code;
}

enum exit_code run_ping(const struct arguments *arguments)
{
    return greet_and_print(arguments, IPC_PING, print_pong, print_pong_json);
}

enum exit_code run_pause(const struct arguments *arguments)
{
    bool pause = arguments->command == &commands[CMD_PAUSE];

    return greet_and_print(arguments, pause ? IPC_PAUSE : IPC_CONTINUE, print_pong,
                           print_pong_json);
}

static void print_metrics(const json_t *answer)
{
    const char *text = ipc_text(answer, "metrics");

    fputs(text ? text : "", stdout);
}

static void print_metrics_json(json_t *answer)
{
    const char *text = ipc_text(answer, "metrics");
    json_t *object = json_pack("{s:s}", "metrics", text ? text : "");

    output_json(object);
    json_decref(object);
}

enum exit_code run_metrics(const struct arguments *arguments)
{
    return greet_and_print(arguments, IPC_METRICS, print_metrics, print_metrics_json);
}

enum exit_code run_version(const struct arguments *arguments)
{
    struct greeting greeting = {.ask = IPC_PING};

    if (greet(arguments, &greeting) == EXIT_WAIT_ENDED)
        return EXIT_WAIT_ENDED;
    const char *theirs = greeting.pong ? ipc_text(greeting.pong, "version") : NULL;
    if (arguments->json) {
        json_t *object = json_pack("{s:s, s:o}", "version", UPLOADER_VERSION, "supervisor",
                                   theirs ? json_string(theirs) : json_null());
        output_json(object);
        json_decref(object);
    } else {
        printf("uploadctl %s\n", UPLOADER_VERSION);
        if (theirs)
            printf("uploaderd %s, at %s\n", theirs, arguments->socket);
        else
            printf("uploaderd %s: %s\n",
                   greeting.error.code == ERR_DENIED ? "does not say" : "is not there",
                   greeting.error.message);
    }
    json_decref(greeting.pong);
    return EXIT_DONE;
}
