/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/spool.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "db/trackers.h"
#include "ipc/messages.h"
#include "supervisor/answers.h"
#include "supervisor/database.h"
#include "supervisor/requests.h"
#include "supervisor/spool_list.h"
#include "supervisor/spool_out.h"
#include "supervisor/spool_watch.h"
#include "supervisor/supervisor.h"
#include "supervisor/timer.h"
#include "supervisor/uploads.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE 64        /* files under way, of one spool */
#define LOOK_MS 10000     /* between two looks at the folder, when nothing is told of it */
#define NEWS_MS 50        /* after news, for more of them */
#define TRY_AGAIN_MS 5000 /* after an error that is none of the file's */

/* Asked: the database for its tracker. Left: to whom stopped or killed it. */
enum arrival_step { ARRIVAL_SETTLES, ARRIVAL_ASKED, ARRIVAL_UPLOADED, ARRIVAL_MOVES, ARRIVAL_LEFT };

/* One file. */
struct arrival {
    struct spool *spool;
    char *name, *path;
    struct identity identity; /* as last seen; all 0: it was only told of */
    enum arrival_step step;
    bool writing, complete; /* by what inotify tells; by its companion, or moved in */
    bool listed, told;      /* why it is left, that is */
    uint64_t born;          /* the look that was the last when it was first heard of */
    uint64_t since_ms;      /* it has been as it is */
    uint64_t not_before_ms;
    struct error refusal; /* that its tracker was asked about: ERR_ALREADY_UPLOADED */
    struct spool_out *out;
};

struct spool {
    struct supervisor *supervisor;
    struct conf_spool conf; /* a copy */
    struct spool_watch *watch;
    uv_timer_t *look, *pump;
    uv_work_t work;
    struct spool_listing listing;
    int rc; /* of the look */
    struct error error, said;
    bool looks, look_again, stopped;
    uint64_t look_number;
    struct arrival **arrivals;
    size_t count, under_way;
    void *by_name; /* search tree of arrivals */
};

struct spools {
    struct spool **list;
    size_t count;
};

static uint64_t now_ms(const struct spool *spool)
{
    return uv_now(spool->supervisor->loop);
}

/* ---- arrivals ---- */

static int compare_names(const void *a, const void *b)
{
    const struct arrival *x = a;
    const struct arrival *y = b;

    return strcmp(x->name, y->name);
}

static struct arrival *arrival_of(struct spool *spool, const char *name)
{
    struct arrival key = {.name = (char *)(uintptr_t)name};
    struct arrival *const *node = tfind(&key, &spool->by_name, compare_names);

    if (node)
        return *node;
    struct arrival *arrival = NEW(struct arrival);
    arrival->spool = spool;
    arrival->name = mem_dup(name);
    arrival->path = mem_format("%s/%s", spool->conf.path, name);
    arrival->born = spool->look_number;
    arrival->since_ms = now_ms(spool);
    if (!tsearch(arrival, &spool->by_name, compare_names))
        mem_none("a file of a spool");
    spool->arrivals = mem_resize(spool->arrivals, spool->count + 1, sizeof(struct arrival *));
    spool->arrivals[spool->count++] = arrival;
    return arrival;
}

static void arrival_free(struct arrival *arrival)
{
    if (arrival->out)
        spool_out_leave(arrival->out);
    free(arrival->name);
    free(arrival->path);
    free(arrival);
}

/* Those that are no longer there, and nobody works on. */
static void drop_unlisted(struct spool *spool)
{
    size_t kept = 0;

    for (size_t i = 0; i < spool->count; i++) {
        struct arrival *arrival = spool->arrivals[i];
        bool rests = arrival->step == ARRIVAL_SETTLES || arrival->step == ARRIVAL_LEFT;
        if (arrival->listed || !rests || arrival->born >= spool->look_number) {
            spool->arrivals[kept++] = arrival;
            continue;
        }
        tdelete(arrival, &spool->by_name, compare_names);
        arrival_free(arrival);
    }
    spool->count = kept;
}

/* ---- one file, from its last step to its first ---- */

static void pump_later(struct spool *spool, uint64_t ms);
static void look_later(struct spool *spool, uint64_t ms);

/* From the beginning, once more. */
static void settle(struct arrival *arrival, uint64_t wait_ms)
{
    arrival->step = ARRIVAL_SETTLES;
    arrival->spool->under_way--;
    arrival->not_before_ms = now_ms(arrival->spool) + wait_ms;
    look_later(arrival->spool, wait_ms);
}

static void leave(struct arrival *arrival, const char *why)
{
    if (!arrival->told)
        log_line(LOG_LEVEL_NOTICE, 0, "left in spool %s path=%s why=\"%s\"",
                 arrival->spool->conf.name, arrival->path, why);
    arrival->told = true;
    arrival->step = ARRIVAL_LEFT;
    arrival->not_before_ms = now_ms(arrival->spool) + LOOK_MS;
    arrival->spool->under_way--;
    pump_later(arrival->spool, 0);
}

static void on_out(void *arg, const char *to_path, const struct error *err)
{
    struct arrival *arrival = arg;
    struct spool *spool = arrival->spool;

    arrival->out = NULL;
    if (!err)
        log_line(LOG_LEVEL_INFO, 0, "moved out of spool %s path=%s", spool->conf.name, to_path);
    else if (err->code != ERR_DATABASE_AWAY)
        log_error(0, err, "not moved out of spool %s path=%s", spool->conf.name, arrival->path);
    arrival->identity = (struct identity){0};
    arrival->since_ms = now_ms(spool);
    arrival->complete = false;
    settle(arrival, err && err->code != ERR_FILE_CHANGED ? TRY_AGAIN_MS : 0);
}

static json_t *receipt_of(const struct arrival *arrival, const struct tracker *row,
                          const struct error *err)
{
    return json_pack("{s:s, s:s, s:o, s:o}", "spool", arrival->spool->conf.name, "file",
                     arrival->path, "upload",
                     row ? answer_upload(arrival->spool->supervisor, row, NULL) : json_null(),
                     "error", err ? ipc_error_json(err) : json_null());
}

/* `row` NULL: it has no tracker, or none that is its own. */
static void move_out(struct arrival *arrival, const struct tracker *row, const struct error *err)
{
    struct spool *spool = arrival->spool;
    bool done = row && row->status == STATUS_PROCESSED;
    const struct spool_parcel parcel = {
        .folder = spool->conf.path,
        .name = arrival->name,
        .to = done ? spool->conf.done : spool->conf.failed,
        .identity = arrival->identity,
        .tracker = row ? row->id : 0,
        .rejects = row ? row->rejects : 0,
        .receipt = receipt_of(arrival, row, err),
    };

    if (err)
        log_error(row ? row->id : 0, err, "not uploaded from spool %s path=%s", spool->conf.name,
                  arrival->path);
    arrival->step = ARRIVAL_MOVES;
    arrival->out =
        spool_out_new(spool->supervisor->loop, database_reads(spool->supervisor->database), &parcel,
                      on_out, arrival);
}

/* Errors that another try of the same file would meet again; ERR_ALREADY_UPLOADED is none: on_row
 * says whether it may be meant. */
static bool is_of_the_file(enum error_code code)
{
    static const enum error_code codes[] = {
        ERR_FILE_NAME,  ERR_FILE_KIND,        ERR_FILE_EMPTY, ERR_FILE_ENCODING, ERR_FILE_HEADER,
        ERR_FILE_QUOTE, ERR_SETTINGS_CHANGED, ERR_DUPLICATE,  ERR_GROWN,         ERR_FILE_CHANGED,
    };

    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (codes[i] == code)
            return true;
    return false;
}

static void ask(struct arrival *arrival);

/* An end, or a refusal. What an end means is asked of the row: it says of which file it is. */
static void on_uploaded(void *arg, json_t *message, bool last)
{
    struct arrival *arrival = arg;
    const json_t *upload = json_object_get(message, "upload");
    struct error err;

    ipc_error_parse(json_object_get(upload ? upload : message, "error"), &err);
    json_decref(message);
    if (!last)
        return;
    arrival->refusal = err;
    if (is_of_the_file(err.code))
        move_out(arrival, NULL, &err);
    else if (upload || err.code == ERR_ALREADY_UPLOADED)
        ask(arrival);
    else
        settle(arrival, TRY_AGAIN_MS);
}

static void upload(struct arrival *arrival)
{
    json_t *message = ipc_new(IPC_UPLOAD);

    arrival->step = ARRIVAL_UPLOADED;
    log_line(LOG_LEVEL_INFO, 0, "arrived in spool %s path=%s", arrival->spool->conf.name,
             arrival->path);
    json_object_set_new(message, "ref", json_integer(0));
    json_object_set_new(message, "file", json_string(arrival->path));
    json_object_set_new(message, "profile", json_string(arrival->spool->conf.profile));
    json_object_set_new(message, "wait", json_true());
    request_begin(arrival->spool->supervisor, IPC_UPLOAD, message, (int64_t)getuid(), on_uploaded,
                  arrival);
    json_decref(message);
}

/* The tracker's last word counts for the file that it is about: one that was changed, replaced or
 * moved in once more since (which its ctime shows) is uploaded, or refused for what it is. A file
 * that is refused as uploaded already may be the very one: its last chunk came in meanwhile. */
static void on_row(void *arg, const struct tracker *row, const struct db_error *err)
{
    struct arrival *arrival = arg;

    bool same = row && identity_same(&row->identity, &arrival->identity);

    if (err) {
        settle(arrival, TRY_AGAIN_MS);
    } else if (!same && arrival->refusal.code == ERR_ALREADY_UPLOADED) {
        move_out(arrival, NULL, &arrival->refusal);
    } else if (!same) {
        upload(arrival);
    } else if (row->status == STATUS_PROCESSED) {
        move_out(arrival, row, NULL);
    } else if (row->status == STATUS_FAILED) {
        move_out(arrival, row, &row->error);
    } else if (row->status == STATUS_STOPPED && row->wanted == WANTED_NOTHING) {
        leave(arrival, "it was stopped");
    } else if (row->status == STATUS_KILLED && !row->interrupted) {
        leave(arrival, "it was killed");
    } else {
        upload(arrival);
    }
}

/* Unless the connections are closed before it answers: then spools_database_lost does. */
static void ask(struct arrival *arrival)
{
    struct supervisor *supervisor = arrival->spool->supervisor;

    arrival->step = ARRIVAL_ASKED;
    if (!supervisor->open)
        settle(arrival, TRY_AGAIN_MS);
    else
        tracker_by_upload(database_reads(supervisor->database), arrival->path,
                          arrival->spool->conf.profile, on_row, arrival);
}

static void begin(struct arrival *arrival)
{
    struct error err;

    arrival->spool->under_way++;
    error_clear(&arrival->refusal);
    if (text_path_is_normal(arrival->path)) {
        ask(arrival);
        return;
    }
    error_set(&err, ERR_FILE_NAME, "the name of the file is not UTF-8, or has a line break in it");
    move_out(arrival, NULL, &err);
}

/* ---- forward ---- */

/* When it is complete, if nothing more happens to it; UINT64_MAX: not without news. An empty file
 * is most likely one that is about to be written. */
static uint64_t due_ms(const struct arrival *arrival)
{
    uint64_t due =
        arrival->complete ? 0 : arrival->since_ms + (uint64_t)arrival->spool->conf.settle_ms;

    if (!arrival->listed)
        return UINT64_MAX;
    if (arrival->step == ARRIVAL_LEFT) /* its user may have gone on with it */
        return arrival->not_before_ms;
    if (arrival->step != ARRIVAL_SETTLES)
        return UINT64_MAX;
    if (!arrival->complete && (arrival->writing || arrival->identity.size == 0))
        return UINT64_MAX;
    return due > arrival->not_before_ms ? due : arrival->not_before_ms;
}

static void on_pump(uv_timer_t *timer)
{
    struct spool *spool = timer->data;
    uint64_t next = UINT64_MAX;
    uint64_t now = now_ms(spool);

    if (spool->stopped || spool->supervisor->ending || !spool->supervisor->open)
        return;
    for (size_t i = 0; i < spool->count && spool->under_way < AT_ONCE; i++) {
        uint64_t due = due_ms(spool->arrivals[i]);
        if (due <= now)
            begin(spool->arrivals[i]);
        else if (due < next)
            next = due;
    }
    if (next != UINT64_MAX)
        look_later(spool, next - now); /* as it is then */
}

static void pump_later(struct spool *spool, uint64_t ms)
{
    if (!spool->stopped)
        uv_timer_start(spool->pump, on_pump, ms, 0);
}

/* ---- looks at the folder ---- */

static void take_file(struct spool *spool, const struct spool_file *file)
{
    struct arrival *arrival = arrival_of(spool, file->name);

    arrival->listed = true;
    arrival->complete = arrival->complete || file->ok;
    if (identity_same(&arrival->identity, &file->identity))
        return;
    if (arrival->step != ARRIVAL_SETTLES && arrival->step != ARRIVAL_LEFT)
        return; /* its upload finds out */
    arrival->identity = file->identity;
    arrival->since_ms = now_ms(spool);
    arrival->told = false;
    arrival->step = ARRIVAL_SETTLES;
}

/* The same error is said once, until another or success comes between. */
static void log_once(struct spool *spool)
{
    if (spool->rc < 0 && strcmp(spool->said.message, spool->error.message) != 0)
        log_error(0, &spool->error, "spool %s waits", spool->conf.name);
    spool->said = spool->error;
}

static void on_looked(uv_work_t *work, int status)
{
    struct spool *spool = CONTAINER_OF(work, struct spool, work);

    (void)status;
    spool->looks = false;
    if (spool->stopped) {
        spool_listing_fini(&spool->listing);
        return;
    }
    log_once(spool);
    for (size_t i = 0; i < spool->count; i++)
        spool->arrivals[i]->listed = false;
    for (size_t i = 0; i < spool->listing.count; i++)
        take_file(spool, &spool->listing.files[i]);
    if (spool->rc == 0)
        drop_unlisted(spool);
    spool_listing_fini(&spool->listing);
    look_later(spool, spool->look_again ? NEWS_MS : LOOK_MS);
    spool->look_again = false;
    pump_later(spool, 0);
}

static void look(uv_work_t *work)
{
    struct spool *spool = CONTAINER_OF(work, struct spool, work);

    error_clear(&spool->error);
    spool->rc = spool_list(&spool->listing, spool->conf.path, spool->conf.pattern, &spool->error);
}

static void on_news(void *arg, enum spool_news news, const char *name)
{
    struct spool *spool = arg;
    struct arrival *arrival = name ? arrival_of(spool, name) : NULL;

    if (arrival) {
        arrival->writing = news == SPOOL_WRITTEN;
        arrival->complete = news == SPOOL_MOVED_IN;
        arrival->since_ms = now_ms(spool);
    }
    for (size_t i = 0; news == SPOOL_MISSED && i < spool->count; i++)
        spool->arrivals[i]->writing = false;
    look_later(spool, NEWS_MS);
}

static void on_look(uv_timer_t *timer)
{
    struct spool *spool = timer->data;

    if (spool->looks) {
        spool->look_again = true;
        return;
    }
    if (!spool->watch)
        spool->watch = spool_watch_new(timer->loop, spool->conf.path, on_news, spool);
    spool->looks = true;
    spool->look_number++;
    uv_queue_work(timer->loop, &spool->work, look, on_looked);
}

/* An earlier look that is due already stays. */
static void look_later(struct spool *spool, uint64_t ms)
{
    bool due = uv_is_active((uv_handle_t *)spool->look) && uv_timer_get_due_in(spool->look) <= ms;

    if (!spool->stopped && !due)
        uv_timer_start(spool->look, on_look, ms, 0);
}

/* ---- their life ---- */

struct spools *spools_new(struct supervisor *supervisor)
{
    const struct conf *conf = &supervisor->conf;
    struct spools *spools = NEW(struct spools);

    spools->list = mem_new(conf->spool_count, sizeof(struct spool *));
    for (; spools->count < conf->spool_count; spools->count++) {
        struct spool *spool = NEW(struct spool);
        spool->supervisor = supervisor;
        conf_spool_copy(&spool->conf, &conf->spools[spools->count]);
        spool->look = timer_new(supervisor->loop, spool);
        spool->pump = timer_new(supervisor->loop, spool);
        spools->list[spools->count] = spool;
    }
    return spools;
}

void spools_database_open(struct spools *spools)
{
    for (size_t i = 0; spools && i < spools->count; i++)
        look_later(spools->list[i], 0);
}

static void lose(struct arrival *arrival)
{
    if (arrival->step == ARRIVAL_ASKED)
        settle(arrival, 0);
    else if (arrival->out)
        spool_out_database_lost(arrival->out);
}

void spools_database_lost(struct spools *spools)
{
    for (size_t i = 0; spools && i < spools->count; i++)
        for (size_t k = 0; k < spools->list[i]->count; k++)
            lose(spools->list[i]->arrivals[k]);
}

void spools_stop(struct spools *spools)
{
    for (size_t i = 0; spools && i < spools->count; i++) {
        struct spool *spool = spools->list[i];
        if (spool->stopped)
            continue;
        spool->stopped = true;
        spool_watch_close(spool->watch);
        timer_close(spool->look);
        timer_close(spool->pump);
        for (size_t k = 0; k < spool->count; k++)
            if (spool->arrivals[k]->out)
                spool_out_leave(spool->arrivals[k]->out);
        for (size_t k = 0; k < spool->count; k++)
            spool->arrivals[k]->out = NULL;
    }
}

static void no_op(void *node)
{
    (void)node;
}

static void spool_free(struct spool *spool)
{
    tdestroy(spool->by_name, no_op);
    for (size_t i = 0; i < spool->count; i++)
        arrival_free(spool->arrivals[i]);
    free(spool->arrivals);
    conf_spool_fini(&spool->conf);
    free(spool);
}

void spools_free(struct spools *spools)
{
    if (!spools)
        return;
    spools_stop(spools);
    for (size_t i = 0; i < spools->count; i++)
        spool_free(spools->list[i]);
    free(spools->list);
    free(spools);
}
