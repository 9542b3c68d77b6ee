/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/batch.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "db/trackers.h"
#include "ipc/messages.h"
#include "supervisor/database.h"
#include "supervisor/requests.h"
#include "supervisor/supervisor.h"
#include "supervisor/timer.h"
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

/* Asked: the database for its tracker, before it is uploaded or behind that. */
enum item_step { ITEM_WAITS, ITEM_ASKED, ITEM_UPLOADED, ITEM_ENDED };

/* One file. */
struct item {
    struct batch *batch;
    char *path, *profile;
    enum item_step step;
    enum status status; /* as last said; STATUS_NONE: there is no tracker */
    int64_t rows, rejects;
    bool in;     /* now or before */
    bool before; /* before */
};

struct batch {
    struct supervisor *supervisor;
    bool include_stopped, stopped;
    struct item *items;
    size_t count, capacity;
    size_t next;      /* to be begun; those before it may wait to be begun again */
    size_t under_way; /* begun, and not ended */
    size_t printed;   /* lines, in the order of the items */
    bool reported;    /* the totals, too */
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

/* The status, or what there is instead of one. */
static const char *word_of(const struct item *item)
{
    if (item->status != STATUS_NONE)
        return status_name(item->status);
    if (item->before)
        return "DUPLICATE";
    return item->step == ITEM_ENDED ? "REFUSED" : "NOT_BEGUN";
}

static void print_item(const struct item *item)
{
    char path[4 * PATH_MAX];

    text_escape(path, sizeof path, item->path);
    printf("%-12s %12lld %9lld  %s\n", word_of(item), (long long)item->rows,
           (long long)item->rejects, path);
}

/* In the order of the items: a line waits for those before it. */
static void print_ready(struct batch *batch)
{
    while (batch->printed < batch->count && batch->items[batch->printed].step == ITEM_ENDED)
        print_item(&batch->items[batch->printed++]);
    fflush(stdout);
}

static int print_totals(struct batch *batch)
{
    size_t in = 0;
    size_t before = 0;
    int64_t rows = 0;
    int64_t rejects = 0;
    char files[TEXT_COUNTED_BYTES];
    char row_text[TEXT_COUNTED_BYTES];
    char reject_text[TEXT_COUNTED_BYTES];

    for (size_t i = 0; i < batch->count; i++) {
        const struct item *item = &batch->items[i];
        in += item->in;
        before += item->before;
        rows += item->rows;
        rejects += item->rejects;
    }
    printf("%s: %zu in (%zu of them before), %zu not in; %s and %s in all\n",
           text_counted(files, (int64_t)batch->count, "file"), in, before, batch->count - in,
           text_counted(row_text, rows, "row"), text_counted(reject_text, rejects, "reject"));
    fflush(stdout);
    batch->reported = true;
    if (in < batch->count)
        return EXIT_FAILED;
    return rejects > 0 ? EXIT_REJECTS : EXIT_DONE;
}

/* ---- one file, from its last step to its first ---- */

static void pump_later(struct batch *batch, int64_t ms);

static void item_ended(struct item *item)
{
    item->step = ITEM_ENDED;
    item->batch->under_way--;
    print_ready(item->batch);
    pump_later(item->batch, 0);
}

/* The database is away: from the beginning, once more. */
static void item_again(struct item *item)
{
    struct batch *batch = item->batch;

    item->step = ITEM_WAITS;
    batch->under_way--;
    if (item < &batch->items[batch->next])
        batch->next = (size_t)(item - batch->items);
    pump_later(batch, AGAIN_MS);
}

static void item_refused(struct item *item, const struct error *err)
{
    log_error(0, err, "not uploaded path=%s", log_value(item->path).text);
    item_ended(item);
}

static void take_row(struct item *item, const struct tracker *row)
{
    item->status = row->status;
    item->rows = row->rows;
    item->rejects = row->rejects;
}

/* No row of this path has what the file holds. */
static void item_is_nowhere(struct item *item)
{
    item->status = STATUS_NONE;
    item->rows = item->rejects = 0;
}

/* Unless the connections are closed before it answers: then batch_database_lost does. */
static void ask_database(struct item *item, bool processed, on_tracker answer)
{
    const struct supervisor *supervisor = item->batch->supervisor;

    item->step = ITEM_ASKED;
    if (!supervisor->open)
        item_again(item);
    else if (processed)
        tracker_processed(database_reads(supervisor->database), item->path, item->profile, answer,
                          item);
    else
        tracker_by_upload(database_reads(supervisor->database), item->path, item->profile, answer,
                          item);
}

/* The tracker that has the file's bytes; none of this path has when they are in from another. */
static void on_tracker_before(void *arg, const struct tracker *row, const struct db_error *err)
{
    struct item *item = arg;

    if (err && err->meaning == DB_LOST) {
        item_again(item);
        return;
    }
    item->in = item->before = true;
    if (err) /* it is in all the same: a row seen before stands for the one that cannot be read */
        log_error(0, &err->error, "is in already, its row cannot be read path=%s",
                  log_value(item->path).text);
    if (row)
        take_row(item, row);
    else if (!err || item->status != STATUS_PROCESSED)
        item_is_nowhere(item);
    item_ended(item);
}

static void take_upload(struct item *item, const json_t *upload)
{
    item->status = status_parse(ipc_text(upload, "status"));
    item->rows = ipc_int(upload, "rows", 0);
    item->rejects = ipc_int(upload, "rejects", 0);
}

/* Refused, and its tracker is as it was; that of another file, once at this path, says nothing. */
static void item_unmoved(struct item *item, const struct error *err)
{
    if (err->code == ERR_DATABASE_AWAY || err->code == ERR_SHUTTING_DOWN) {
        item_again(item);
        return;
    }
    if (item->status == STATUS_PROCESSED)
        item_is_nowhere(item);
    item_refused(item, err);
}

static void on_uploaded(void *arg, json_t *message, bool last)
{
    struct item *item = arg;
    const json_t *upload = json_object_get(message, "upload");
    bool moved = upload != NULL;
    struct error err;

    if (moved)
        take_upload(item, upload);
    ipc_error_parse(json_object_get(moved ? upload : message, "error"), &err);
    json_decref(message);
    if (!last)
        return;
    item->in = moved && item->status == STATUS_PROCESSED;
    if (err.code == ERR_ALREADY_UPLOADED)
        ask_database(item, true, on_tracker_before);
    else if (!moved)
        item_unmoved(item, &err);
    else if (err.code != ERR_NONE)
        item_refused(item, &err);
    else
        item_ended(item);
}

static void upload(struct item *item)
{
    json_t *message = ipc_new(IPC_UPLOAD);

    item->step = ITEM_UPLOADED;
    json_object_set_new(message, "ref", json_integer(0));
    json_object_set_new(message, "file", json_string(item->path));
    json_object_set_new(message, "profile", json_string(item->profile));
    json_object_set_new(message, "wait", json_true());
    json_object_set_new(message, "again",
                        json_false()); /* a batch can be run any number of times */
    request_begin(item->batch->supervisor, IPC_UPLOAD, message, (int64_t)getuid(), on_uploaded,
                  item);
    json_decref(message);
}

/* How it stands before: what was STOPPED stays so. */
static void on_tracker_now(void *arg, const struct tracker *row, const struct db_error *err)
{
    struct item *item = arg;

    if (row)
        take_row(item, row);
    if (err && err->meaning == DB_LOST)
        item_again(item);
    else if (err)
        item_refused(item, &err->error);
    else if (row && row->status == STATUS_STOPPED && !item->batch->include_stopped)
        item_ended(item);
    else
        upload(item);
}

static void begin(struct item *item)
{
    struct error err;

    item->batch->under_way++;
    if (text_path_is_normal(item->path)) {
        ask_database(item, false, on_tracker_now);
        return;
    }
    error_set(&err, ERR_FILE_NAME, "the name of the file is not UTF-8, or has a line break in it");
    item_refused(item, &err);
}

/* ---- forward ---- */

static void on_pump(uv_timer_t *timer)
{
    struct batch *batch = timer->data;

    if (batch->stopped || !batch->supervisor->open)
        return;
    while (batch->next < batch->count && batch->under_way < AT_ONCE) {
        struct item *item = &batch->items[batch->next++];
        if (item->step == ITEM_WAITS)
            begin(item);
    }
    if (batch->printed == batch->count)
        supervisor_end(batch->supervisor, print_totals(batch), "the batch is done");
}

static void pump_later(struct batch *batch, int64_t ms)
{
    if (!batch->stopped)
        uv_timer_start(batch->pump, on_pump, (uint64_t)ms, 0);
}

struct batch *batch_new(struct supervisor *supervisor, bool include_stopped)
{
    struct batch *batch = NEW(struct batch);

    batch->supervisor = supervisor;
    batch->include_stopped = include_stopped;
    batch->pump = timer_new(supervisor->loop, batch);
    collect(batch);
    return batch;
}

void batch_database_open(struct batch *batch)
{
    if (batch)
        pump_later(batch, 0);
}

void batch_stop(struct batch *batch)
{
    if (!batch || batch->stopped)
        return;
    batch->stopped = true;
    timer_close(batch->pump);
}

/* What came back from the upload requests is told by them; this is what the connections owed. */
void batch_database_lost(struct batch *batch)
{
    for (size_t i = 0; batch && i < batch->count; i++)
        if (batch->items[i].step == ITEM_ASKED)
            item_again(&batch->items[i]);
}

/* As the supervisor left it. */
static void see_to_the_end(struct item *item)
{
    struct upload *left =
        uploads_by_place(item->batch->supervisor->uploads, item->path, item->profile);

    if (!left || !left->row.id)
        return;
    take_row(item, &left->row);
    item->in = item->status == STATUS_PROCESSED;
}

int batch_report(struct batch *batch)
{
    if (batch->reported)
        return batch->supervisor->exit_code;
    for (; batch->printed < batch->count; batch->printed++) {
        struct item *item = &batch->items[batch->printed];
        if (item->step != ITEM_ENDED)
            see_to_the_end(item);
        print_item(item);
    }
    int code = print_totals(batch);
    return batch->count > 0 ? code : batch->supervisor->exit_code;
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    for (size_t i = 0; i < batch->count; i++) {
        free(batch->items[i].path);
        free(batch->items[i].profile);
    }
    free(batch->items);
    free(batch);
}
