/* SPDX-License-Identifier: PostgreSQL */
/* list, history and rejects: one question, asked page by page until there is no more. */
#include "base/mem.h"
#include "base/reject_csv.h"
#include "base/text.h"
#include "ctl/arguments.h"
#include "ctl/base64.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/named.h"
#include "ctl/output.h"
#include "ctl/run.h"
#include "ctl/show.h"

#include <stdio.h>
#include <stdlib.h>

/* As many objects as the supervisor sends at once. */
#define PAGE_OBJECTS 500

/* What tells the three apart. */
struct question {
    enum command_id command;
    enum ipc_kind kind;
    const char *object;   /* the field of an answer that holds it */
    const char *key;      /* of the object, by which pages follow each other */
    const char *position; /* the request's field for where a page begins */
    bool key_is_public;   /* else it only serves to turn pages */
    struct sheet *(*new_sheet)(void);
    void (*add)(struct sheet *sheet, const json_t *object);
};

static const struct question questions[] = {
    {CMD_LIST, IPC_LIST, "upload", "id", "before", true, show_uploads_new, show_uploads_add},
    {CMD_HISTORY, IPC_HISTORY, "event", "id", "after", false, show_events_new, show_events_add},
    {CMD_REJECTS, IPC_REJECTS, "reject", "line", "after", true, show_rejects_new, show_rejects_add},
};

struct pages {
    const struct arguments *arguments;
    const struct question *question;
    struct client *client;
    struct named named; /* of history and rejects */
    struct sheet *sheet;
    bool headed;   /* the heading of CSV is printed */
    int64_t shown; /* objects */
    int64_t last;  /* key of the last object; -1: none yet */
    int64_t page;  /* number of the request */
};

static void ask_page(struct pages *pages)
{
    const struct arguments *arguments = pages->arguments;
    json_t *request = ipc_new(pages->question->kind);
    int64_t limit = PAGE_OBJECTS;

    if (arguments->limit > 0 && arguments->limit - pages->shown < limit)
        limit = arguments->limit - pages->shown;
    json_object_set_new(request, "limit", json_integer(limit));
    if (arguments->status)
        json_object_set_new(request, "status", json_string(arguments->status));
    if (pages->question->kind != IPC_LIST)
        named_put(&pages->named, request);
    if (pages->last >= 0)
        json_object_set_new(request, pages->question->position, json_integer(pages->last));
    client_send(pages->client, request, ++pages->page);
}

static void end_with(struct pages *pages, const struct error *err)
{
    sheet_print(pages->sheet, false);
    output_error(err, pages->arguments->json);
    client_quit(pages->client, error_code_exit(err->code));
}

/* Not before the first answer: an error has no heading. */
static void put_heading(struct pages *pages)
{
    if (pages->arguments->csv && !pages->headed)
        reject_csv_head(stdout);
    pages->headed = true;
}

static void print_csv(const json_t *reject)
{
    const char *reason = ipc_text(reject, "reason");
    const char *base64 = ipc_text(reject, "raw_base64");
    size_t size;
    unsigned char *raw = base64_decode(base64 ? base64 : "", SIZE_MAX, &size);

    reject_csv_add(stdout, ipc_int(reject, "line", 0), reason ? reason : "", raw, size);
    free(raw);
}

static void hear_object(struct pages *pages, const json_t *message)
{
    const json_t *object = json_object_get(message, pages->question->object);

    if (!object)
        return;
    pages->last = ipc_int(object, pages->question->key, pages->last);
    pages->shown++;
    if (pages->arguments->csv)
        print_csv(object);
    else if (!pages->arguments->json)
        pages->question->add(pages->sheet, object);
    if (!pages->arguments->json)
        return;
    json_t *public = json_copy((json_t *)(uintptr_t)object);
    if (!pages->question->key_is_public)
        json_object_del(public, pages->question->key);
    output_json(public);
    json_decref(public);
}

static void hear_done(struct pages *pages, const json_t *message)
{
    bool enough = pages->arguments->limit > 0 && pages->shown >= pages->arguments->limit;

    sheet_print(pages->sheet, false);
    if (!output_flush() || enough || !ipc_bool(message, "more"))
        client_quit(pages->client, EXIT_DONE);
    else
        ask_page(pages);
}

static void on_answer(void *arg, enum ipc_kind kind, int64_t ref, const json_t *message)
{
    struct pages *pages = arg;
    struct error err;

    if (kind == IPC_ERROR) {
        ipc_error_parse(json_object_get(message, "error"), &err);
        end_with(pages, &err);
        return;
    }
    if (ref != pages->page)
        return;
    put_heading(pages);
    if (kind == IPC_OBJECT)
        hear_object(pages, message);
    else if (kind == IPC_DONE)
        hear_done(pages, message);
}

static void on_ready(void *arg, const json_t *pong)
{
    (void)pong;
    ask_page(arg);
}

static void on_lost(void *arg, bool ready, const struct error *err)
{
    (void)ready;
    end_with(arg, err);
}

static const struct client_events events = {
    .on_ready = on_ready,
    .on_answer = on_answer,
    .on_lost = on_lost,
};

static enum exit_code run(struct pages *pages)
{
    pages->client = client_new(pages->arguments->socket, &events, pages);
    pages->sheet = pages->question->new_sheet();
    client_connect(pages->client);
    enum exit_code code = client_run(pages->client);
    client_free(pages->client);
    sheet_free(pages->sheet);
    return code;
}

enum exit_code run_pages(const struct arguments *arguments)
{
    struct pages pages = {.arguments = arguments, .last = -1};
    struct error err;
    enum exit_code code;

    for (size_t i = 0; i < COUNT_OF(questions); i++)
        if (arguments->command == &commands[questions[i].command])
            pages.question = &questions[i];
    if (arguments->count > 0 && named_init(&pages.named, arguments->operands[0], &err) < 0) {
        output_error(&err, arguments->json);
        code = error_code_exit(err.code);
    } else {
        code = run(&pages);
    }
    named_fini(&pages.named);
    return code;
}
