/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/spool.h"

#include "base/log.h"
#include "base/mem.h"
#include "supervisor/spool_arrival.h"
#include "supervisor/spool_list.h"
#include "supervisor/spool_watch.h"
#include "supervisor/supervisor.h"
#include "supervisor/timer.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 64    /* files under way, of one spool */
#define LOOK_MS 10000 /* between two looks at the folder, when nothing is told of it */
#define NEWS_MS 50    /* after news, for more of them */

struct spool {
    struct supervisor *supervisor;
    const struct conf_spool *conf;
    struct arrival_spool shared;
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
    struct arrival *arrival = arrival_new(&spool->shared, name, spool->look_number);
    if (!tsearch(arrival, &spool->by_name, compare_names))
        mem_none("a file of a spool");
    spool->arrivals = mem_resize(spool->arrivals, spool->count + 1, sizeof(struct arrival *));
    spool->arrivals[spool->count++] = arrival;
    return arrival;
}

/* Those that are no longer there, and nobody works on. */
static void drop_unlisted(struct spool *spool)
{
    size_t kept = 0;

    for (size_t i = 0; i < spool->count; i++) {
        struct arrival *arrival = spool->arrivals[i];
        if (arrival->listed || !arrival_rests(arrival) || arrival->born >= spool->look_number) {
            spool->arrivals[kept++] = arrival;
            continue;
        }
        tdelete(arrival, &spool->by_name, compare_names);
        arrival_free(arrival);
    }
    spool->count = kept;
}

/* ---- forward ---- */

static void look_later(struct spool *spool, uint64_t ms);

static void on_pump(uv_timer_t *timer)
{
    struct spool *spool = timer->data;
    uint64_t next = UINT64_MAX;
    uint64_t now = now_ms(spool);

    if (spool->stopped || spool->supervisor->ending || !spool->supervisor->open)
        return;
    for (size_t i = 0; i < spool->count && spool->under_way < AT_ONCE; i++) {
        uint64_t due = arrival_due_ms(spool->arrivals[i]);
        if (due <= now) {
            spool->under_way++;
            arrival_begin(spool->arrivals[i]);
        } else if (due < next) {
            next = due;
        }
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

/* The same error is said once, until another or success comes between. */
static void log_once(struct spool *spool)
{
    if (spool->rc < 0 && strcmp(spool->said.message, spool->error.message) != 0)
        log_error(0, &spool->error, "spool %s waits", spool->conf->name);
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
    for (size_t i = 0; i < spool->listing.count; i++) {
        const struct spool_file *file = &spool->listing.files[i];
        arrival_seen(arrival_of(spool, file->name), file);
    }
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
    spool->rc = spool_list(&spool->listing, spool->conf->path, spool->conf->pattern, &spool->error);
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
        spool->watch = spool_watch_new(timer->loop, on_news, spool);
    if (spool->watch)
        spool_watch_renew(spool->watch, spool->conf->path);
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

static void on_rest(void *arg, struct arrival *arrival, uint64_t ms)
{
    struct spool *spool = arg;

    spool->under_way--;
    if (arrival->step == ARRIVAL_LEFT)
        pump_later(spool, ms);
    else
        look_later(spool, ms);
}

struct spools *spools_new(struct supervisor *supervisor)
{
    const struct conf *conf = &supervisor->conf;
    struct spools *spools = NEW(struct spools);

    spools->list = mem_new(conf->spool_count, sizeof(struct spool *));
    for (; spools->count < conf->spool_count; spools->count++) {
        struct spool *spool = NEW(struct spool);
        spool->supervisor = supervisor;
        spool->conf = &conf->spools[spools->count];
        spool->shared = (struct arrival_spool){supervisor, spool->conf, on_rest, spool};
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

void spools_database_lost(struct spools *spools)
{
    for (size_t i = 0; spools && i < spools->count; i++)
        for (size_t k = 0; k < spools->list[i]->count; k++)
            arrival_database_lost(spools->list[i]->arrivals[k]);
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
            arrival_stop(spool->arrivals[k]);
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
