/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/batch.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "ipc/messages.h"
#include "supervisor/requests.h"
#include "supervisor/supervisor.h"
#include "supervisor/uploads.h"

#include <glob.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Requests at a time: more than workers, so that none waits for the next file to be looked at. */
#define AT_ONCE 64

/* Between two tries of a file while the database is away. */
#define AGAIN_MS 1000

enum item_step { ITEM_WAITS, ITEM_ASKED, ITEM_UPLOADED, ITEM_ENDED };

/* One file. */
struct item {
    struct batch *batch;
    char *path, *profile;
    enum item_step step;
    enum status status; /* as last said; STATUS_NONE: refused, or nothing known */
    int64_t rows, rejects;
    bool in;     /* now or before */
    bool before; /* before */
};

struct batch {
    struct supervisor *supervisor;
    bool include_stopped, stopped;
    struct item *items;
    size_t count, capacity;
    size_t next;      /* to be begun */
    size_t under_way; /* requests */
    size_t printed;   /* lines, in the order of the items */
    void *known;      /* search tree of items: each file once */
    uv_timer_t *pump;
};

/* ---- the files ---- */

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;
    int order = strcmp(x->path, y->path);

    return order ? order : strcmp(x->profile, y->profile);
}

static void add_item(struct batch *batch, const char *path, const char *profile)
{
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity * 2 + 64;
        batch->items = mem_resize(batch->items, batch->capacity, sizeof *batch->items);
    }
    batch->items[batch->count++] = (struct item){
        .path = text_path_normal(path, "/"),
        .profile = mem_dup(profile),
    };
}

static void expand(struct batch *batch, const struct conf_batch *section, const char *pattern)
{
    glob_t found;
    int rc = glob(pattern, GLOB_MARK, NULL, &found);

    if (rc == GLOB_NOMATCH)
        log_line(LOG_LEVEL_WARNING, 0, "[batch %s] matches no file pattern=\"%s\"", section->name,
                 pattern);
    else if (rc != 0)
        log_line(LOG_LEVEL_WARNING, 0, "[batch %s] cannot be expanded pattern=\"%s\"",
                 section->name, pattern);
    for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        if (path[strlen(path) - 1] == '/')
            log_line(LOG_LEVEL_WARNING, 0, "[batch %s] leaves out the folder %s", section->name,
                     path);
        else
            add_item(batch, path, section->profile);
    }
    if (rc == 0)
        globfree(&found);
}

static void no_op(void *node)
{
    (void)node;
}

/* Each file once, at its first place. */
static void drop_doubles(struct batch *batch)
{
    size_t used = 0;

    for (size_t i = 0; i < batch->count; i++) {
        struct item **node;
        batch->items[used] = batch->items[i];
        batch->items[used].batch = batch;
        node = tsearch(&batch->items[used], &batch->known, compare_items);
        if (*node == &batch->items[used]) {
            used++;
        } else {
            free(batch->items[used].path);
            free(batch->items[used].profile);
        }
    }
    batch->count = used;
    tdestroy(batch->known, no_op);
    batch->known = NULL;
}

static void collect(struct batch *batch)
{
    const struct conf *conf = &batch->supervisor->conf;

    for (size_t i = 0; i < conf->batch_count; i++)
        for (size_t k = 0; k < conf->batches[i].file_count; k++)
            expand(batch, &conf->batches[i], conf->batches[i].files[k]);
    drop_doubles(batch);
}

/* ---- the report ---- */

static void print_item(const struct item *item)
{
    char path[4 * PATH_MAX];

    text_escape(path, sizeof path, item->path);
    printf("%-12s %12lld %9lld  %s\n",
           item->status == STATUS_NONE ? "REFUSED" : status_name(item->status),
           (long long)item->rows, (long long)item->rejects, path);
}

/* In the order of the items: a line waits for those before it. */
static void print_ready(struct batch *batch)
{
    while (batch->printed < batch->count && batch->items[batch->printed].step == ITEM_ENDED)
        print_item(&batch->items[batch->printed++]);
    fflush(stdout);
}

static int print_totals(const struct batch *batch)
{
    size_t in = 0;
    size_t before = 0;
    long long rows = 0;
    long long rejects = 0;

    for (size_t i = 0; i < batch->count; i++) {
        const struct item *item = &batch->items[i];
        in += item->in;
        before += item->before;
        rows += item->rows;
        rejects += item->rejects;
    }
    printf("%zu file%s: %zu in (%zu of them before), %zu not in; %lld rows, %lld rejects\n",
           batch->count, batch->count == 1 ? "" : "s", in, before, batch->count - in, rows,
           rejects);
    fflush(stdout);
    if (in < batch->count)
        return EXIT_FAILED;
    return rejects > 0 ? EXIT_REJECTS : EXIT_DONE;
}

/* ---- what the requests answer ---- */

static void pump_later(struct batch *batch, int64_t ms);

static void item_ended(struct item *item)
{
    item->step = ITEM_ENDED;
    print_ready(item->batch);
    pump_later(item->batch, 0);
}

static void item_refused(struct item *item, const struct error *err)
{
    struct batch *batch = item->batch;

    if (err->code == ERR_DATABASE_AWAY && !batch->stopped) {
        item->step = ITEM_WAITS;
        if (item < &batch->items[batch->next])
            batch->next = (size_t)(item - batch->items);
        pump_later(batch, AGAIN_MS);
        return;
    }
    item->in = item->before = err->code == ERR_ALREADY_UPLOADED;
    if (!item->in) {
        log_error(0, err, "not uploaded path=%s", item->path);
        if (item->status != STATUS_STOPPED && item->status != STATUS_KILLED &&
            item->status != STATUS_FAILED)
            item->status = STATUS_NONE;
    }
    item_ended(item);
}

static void take_upload(struct item *item, const json_t *upload)
{
    item->status = status_parse(ipc_text(upload, "status"));
    item->rows = ipc_int(upload, "rows", 0);
    item->rejects = ipc_int(upload, "rejects", 0);
}

static void on_uploaded(void *arg, json_t *message, bool last)
{
    struct item *item = arg;
    const json_t *upload = json_object_get(message, "upload");
    struct error err;

    if (upload)
        take_upload(item, upload);
    if (!last) {
        json_decref(message);
        return;
    }
    item->batch->under_way--;
    ipc_error_parse(json_object_get(upload ? upload : message, "error"), &err);
    json_decref(message);
    if (err.code != ERR_NONE && item->status != STATUS_PROCESSED) {
        item_refused(item, &err);
    } else {
        item->in = item->status == STATUS_PROCESSED;
        item_ended(item);
    }
}

static void ask(struct item *item, enum ipc_kind kind, on_answer answer)
{
    json_t *message = ipc_new(kind);

    json_object_set_new(message, "ref", json_integer(0));
    json_object_set_new(message, "file", json_string(item->path));
    if (kind == IPC_UPLOAD) {
        json_object_set_new(message, "profile", json_string(item->profile));
        json_object_set_new(message, "wait", json_true());
    }
    item->batch->under_way++;
    request_begin(item->batch->supervisor, kind, message, (int64_t)getuid(), answer, item);
    json_decref(message);
}

static void upload(struct item *item)
{
    item->step = ITEM_UPLOADED;
    ask(item, IPC_UPLOAD, on_uploaded);
}

/* How it stands before: what was STOPPED stays so, and what is in is told with its counts. */
static void on_status(void *arg, json_t *message, bool last)
{
    struct item *item = arg;
    const json_t *found = json_object_get(message, "upload");
    struct error err;

    (void)last; /* there is one answer */
    item->batch->under_way--;
    bool same = found && strcmp(ipc_text(found, "profile"), item->profile) == 0;
    if (same)
        take_upload(item, found);
    ipc_error_parse(json_object_get(message, "error"), &err);
    json_decref(message);
    if (err.code != ERR_NONE && err.code != ERR_NOT_FOUND)
        item_refused(item, &err);
    else if (same && item->status == STATUS_STOPPED && !item->batch->include_stopped)
        item_ended(item);
    else
        upload(item);
}

/* ---- forward ---- */

static void on_pump(uv_timer_t *timer)
{
    struct batch *batch = timer->data;

    for (; !batch->stopped && batch->next < batch->count && batch->under_way < AT_ONCE;
         batch->next++) {
        struct item *item = &batch->items[batch->next];
        if (item->step != ITEM_WAITS)
            continue;
        item->step = ITEM_ASKED;
        ask(item, IPC_STATUS, on_status);
    }
    if (!batch->stopped && batch->printed == batch->count)
        supervisor_end(batch->supervisor, print_totals(batch), "the batch is done");
}

static void pump_later(struct batch *batch, int64_t ms)
{
    if (!batch->stopped)
        uv_timer_start(batch->pump, on_pump, (uint64_t)ms, 0);
}

static void on_pump_closed(uv_handle_t *handle)
{
    free(handle);
}

struct batch *batch_new(struct supervisor *supervisor, bool include_stopped)
{
    struct batch *batch = NEW(struct batch);

    batch->supervisor = supervisor;
    batch->include_stopped = include_stopped;
    batch->pump = NEW(uv_timer_t);
    uv_timer_init(supervisor->loop, batch->pump);
    batch->pump->data = batch;
    collect(batch);
    pump_later(batch, 0);
    return batch;
}

void batch_stop(struct batch *batch)
{
    if (!batch || batch->stopped)
        return;
    batch->stopped = true;
    uv_close((uv_handle_t *)batch->pump, on_pump_closed);
}

/* As the supervisor left it. */
static void see_to_the_end(struct item *item)
{
    struct upload *left =
        uploads_by_place(item->batch->supervisor->uploads, item->path, item->profile);

    if (!left || !left->row.id)
        return;
    item->status = left->row.status;
    item->rows = left->row.rows;
    item->rejects = left->row.rejects;
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    bool cut_short = batch->printed < batch->count;
    for (size_t i = batch->printed; i < batch->count; i++) {
        if (batch->items[i].step != ITEM_ENDED)
            see_to_the_end(&batch->items[i]);
        print_item(&batch->items[i]);
    }
    if (cut_short)
        print_totals(batch);
    for (size_t i = 0; i < batch->count; i++) {
        free(batch->items[i].path);
        free(batch->items[i].profile);
    }
    free(batch->items);
    free(batch);
}
