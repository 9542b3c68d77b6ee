/* SPDX-License-Identifier: PostgreSQL */
/* The collection of uploads. Nothing here takes longer the more uploads there are, but for what
 * says that it looks at all of them. */
#include "supervisor/uploads.h"

#include "base/mem.h"
#include "supervisor/crew.h"
#include "supervisor/queue.h"
#include "supervisor/requests.h"
#include "supervisor/rows.h"
#include "supervisor/supervisor.h"
#include "supervisor/timer.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct uploads {
    struct supervisor *supervisor;
    struct upload **all; /* every upload once, in no order */
    size_t count, capacity;
    void *by_id;    /* search trees of struct upload */
    void *by_place; /* without PROCESSED ones */
    struct queue queue;
    struct upload *to_reap;
    size_t running, unrested;
    uv_timer_t *later; /* scheduling and reaping, outside of what asked for it */
    bool shutdown;
};

static int compare_id(const void *a, const void *b)
{
    const struct upload *x = a;
    const struct upload *y = b;

    return x->row.id < y->row.id ? -1 : x->row.id > y->row.id;
}

static int compare_place(const void *a, const void *b)
{
    const struct upload *x = a;
    const struct upload *y = b;
    int order = strcmp(x->path, y->path);

    return order ? order : strcmp(x->profile, y->profile);
}

struct uploads *uploads_new(struct supervisor *supervisor)
{
    struct uploads *uploads = NEW(struct uploads);

    uploads->supervisor = supervisor;
    uploads->later = timer_new(supervisor->loop, uploads);
    return uploads;
}

static void free_upload(struct upload *upload)
{
    upload_timer_stop(upload);
    crew_drop(upload);
    rows_forget(upload);
    upload_set_trouble(upload, NULL);
    if (upload->row.id)
        tracker_fini(&upload->row);
    free(upload->path);
    free(upload->profile);
    free(upload);
}

void uploads_free(struct uploads *uploads)
{
    if (!uploads)
        return;
    for (size_t i = 0; i < uploads->count; i++) {
        uploads_unindex(uploads->all[i]);
        free_upload(uploads->all[i]);
    }
    free(uploads->all);
    queue_fini(&uploads->queue);
    timer_close(uploads->later);
    uv_run(uploads->supervisor->loop, UV_RUN_NOWAIT); /* the closes are carried out */
    free(uploads);
}

/* ---- finding ---- */

static struct upload *find(void *const *tree, const struct upload *key,
                           int (*compare)(const void *, const void *))
{
    struct upload *const *node = tfind(key, tree, compare);

    return node ? *node : NULL;
}

struct upload *uploads_by_id(struct uploads *uploads, int64_t id)
{
    struct upload key = {.row.id = id};

    return find(&uploads->by_id, &key, compare_id);
}

struct upload *uploads_by_place(struct uploads *uploads, const char *path, const char *profile)
{
    struct upload key = {.path = (char *)(uintptr_t)path, .profile = (char *)(uintptr_t)profile};

    return find(&uploads->by_place, &key, compare_place);
}

struct upload *uploads_by_path(struct uploads *uploads, const char *path)
{
    struct upload *newest = NULL;

    for (size_t i = 0; i < uploads->count; i++) {
        struct upload *upload = uploads->all[i];
        if (upload->row.id && !state_rests(upload->state) && strcmp(upload->path, path) == 0 &&
            (!newest || upload->row.id > newest->row.id))
            newest = upload;
    }
    return newest;
}

/* The first that comes has the key; another upload of the same is only found otherwise. */
static bool insert(void **tree, struct upload *upload, int (*compare)(const void *, const void *))
{
    struct upload *const *node = tsearch(upload, tree, compare);

    return node && *node == upload;
}

void uploads_index(struct upload *upload)
{
    struct uploads *uploads = upload->supervisor->uploads;
    bool placed = !upload->row.id || upload->row.status != STATUS_PROCESSED;

    if (upload->row.id && !upload->by_id)
        upload->by_id = insert(&uploads->by_id, upload, compare_id);
    if (placed && !upload->by_place) {
        upload->by_place = insert(&uploads->by_place, upload, compare_place);
    } else if (!placed && upload->by_place) {
        tdelete(upload, &uploads->by_place, compare_place);
        upload->by_place = false;
    }
}

void uploads_unindex(struct upload *upload)
{
    struct uploads *uploads = upload->supervisor->uploads;

    if (upload->by_id)
        tdelete(upload, &uploads->by_id, compare_id);
    if (upload->by_place)
        tdelete(upload, &uploads->by_place, compare_place);
    upload->by_id = upload->by_place = false;
}

/* ---- coming and going ---- */

struct upload *uploads_add(struct uploads *uploads, const char *path, const char *profile,
                           const struct tracker *row)
{
    struct upload *upload = NEW(struct upload);

    upload->supervisor = uploads->supervisor;
    upload->path = mem_dup(path);
    upload->profile = mem_dup(profile);
    upload->state = ST_ABSENT;
    upload->start_line = -1;
    upload->asked_by = -1;
    upload->shutdown = uploads->shutdown;
    upload->last_request = &upload->requests;
    if (uploads->count == uploads->capacity) {
        uploads->capacity = uploads->capacity * 2 + 16;
        uploads->all = mem_resize(uploads->all, uploads->capacity, sizeof(struct upload *));
    }
    upload->at = uploads->count;
    uploads->all[uploads->count++] = upload;
    if (row)
        upload_take_up(upload, row);
    else
        uploads_index(upload);
    return upload;
}

static void remove_upload(struct uploads *uploads, struct upload *upload)
{
    struct upload *last = uploads->all[--uploads->count];

    uploads->all[upload->at] = last;
    last->at = upload->at;
    uploads_unindex(upload);
    free_upload(upload);
}

static void reap(struct uploads *uploads)
{
    struct upload *next = uploads->to_reap;

    uploads->to_reap = NULL;
    while (next) {
        struct upload *upload = next;
        next = upload->next_reaped;
        upload->reap = false;
        if (state_rests(upload->state) && !upload->pendings && !upload->requests && !upload->worker)
            remove_upload(uploads, upload);
    }
}

/* Who may have a worker now; NULL: nobody. */
static struct upload *next_to_start(struct uploads *uploads)
{
    const struct supervisor *supervisor = uploads->supervisor;

    if (!supervisor->open || supervisor->ending || supervisor->paused ||
        uploads->running >= (size_t)supervisor->conf.max_workers)
        return NULL;
    return queue_next(&uploads->queue, &supervisor->conf);
}

static void schedule(struct uploads *uploads)
{
    struct upload *upload;

    while ((upload = next_to_start(uploads))) {
        upload->in_slot = true;
        uploads->running++;
        upload->line->running++;
        upload_event(upload, EV_SLOT, NULL);
    }
}

static void on_later(uv_timer_t *timer)
{
    struct uploads *uploads = timer->data;

    schedule(uploads);
    reap(uploads);
}

void uploads_schedule(struct uploads *uploads)
{
    uv_timer_start(uploads->later, on_later, 0, 0);
}

void uploads_reap_later(struct upload *upload)
{
    struct uploads *uploads = upload->supervisor->uploads;

    if (!upload->reap) {
        upload->reap = true;
        upload->next_reaped = uploads->to_reap;
        uploads->to_reap = upload;
    }
    uploads_schedule(uploads);
}

/* ---- the queue, and the slots of workers ---- */

void uploads_enqueue(struct upload *upload)
{
    struct uploads *uploads = upload->supervisor->uploads;

    upload->queued = true;
    queue_add(&uploads->queue, upload);
    uploads_schedule(uploads);
}

static bool uses_slot(enum state state)
{
    return state == ST_STARTING || state == ST_RUNNING || state == ST_RETRYING ||
           state == ST_ENDING;
}

void uploads_moved(struct upload *upload, enum state before)
{
    struct uploads *uploads = upload->supervisor->uploads;

    uploads->unrested += !state_rests(upload->state);
    uploads->unrested -= !state_rests(before);
    if (upload->queued) {
        upload->queued = false;
        queue_remove(&uploads->queue, upload);
    }
    if (upload->in_slot && !uses_slot(upload->state)) {
        upload->in_slot = false;
        uploads->running--;
        upload->line->running--;
        uploads_schedule(uploads);
    }
}

/* ---- all of them ---- */

void uploads_each(struct uploads *uploads, void (*each)(struct upload *, void *), void *arg)
{
    for (size_t i = uploads->count; i > 0; i--)
        each(uploads->all[i - 1], arg);
}

static void read_again(struct upload *upload, void *arg)
{
    (void)arg;
    if (upload->state == ST_READING && !upload->pendings)
        upload_event(upload, EV_MISSED, NULL);
}

void uploads_database_open(struct uploads *uploads)
{
    uploads_each(uploads, read_again, NULL);
    uploads_schedule(uploads);
}

static void lose(struct upload *upload, void *arg)
{
    (void)arg;
    rows_lost(upload);
}

void uploads_database_lost(struct uploads *uploads)
{
    uploads_each(uploads, lose, NULL);
}

static void shut_down(struct upload *upload, void *arg)
{
    const bool *but_queued = arg;

    if (*but_queued && upload->queued)
        return;
    upload->shutdown = true;
    requests_settle(upload);
}

void uploads_shutdown(struct uploads *uploads, bool but_queued)
{
    uploads->shutdown = true;
    uploads_each(uploads, shut_down, &but_queued);
}

static void leave(struct upload *upload, void *arg)
{
    (void)arg;
    upload_timer_stop(upload);
    crew_drop(upload);
}

void uploads_close(struct uploads *uploads)
{
    uploads_each(uploads, leave, NULL);
}

size_t uploads_running(const struct uploads *uploads)
{
    return uploads->running;
}

size_t uploads_queued(const struct uploads *uploads)
{
    return uploads->queue.count;
}

size_t uploads_unrested(const struct uploads *uploads)
{
    return uploads->unrested;
}

size_t uploads_working(const struct uploads *uploads)
{
    size_t count = 0;

    for (size_t i = 0; i < uploads->count; i++)
        count += uploads->all[i]->worker != NULL;
    return count;
}

const char *uploads_waits_for(const struct upload *upload)
{
    const struct supervisor *supervisor = upload->supervisor;

    if (!upload->queued)
        return NULL;
    if (!supervisor->open)
        return "the database";
    if (supervisor->paused)
        return "continue";
    return queue_is_full(upload, &supervisor->conf) ? "a worker of its profile" : "a worker";
}

size_t uploads_in_front(const struct upload *upload)
{
    return queue_in_front(&upload->supervisor->uploads->queue, upload, UPLOADS_IN_FRONT_MOST);
}
