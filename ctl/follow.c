/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/follow.h"

#include "base/mem.h"
#include "base/text.h"
#include "ctl/bar.h"
#include "ctl/moving.h"
#include "ctl/pace.h"
#include "ctl/width.h"
#include "ipc/messages.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* At most four redraws a second. */
#define DRAW_MS 250
#define LINE_MS 60000

struct followed {
    char *name;
    char *trouble; /* as last said */
    bool known, ended;
    struct moving moving;
    int tenth; /* of the last line, in tens of per cent */
    uint64_t line_ms;
};

struct follow {
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_signal_t resized;
    bool terminal, drawn, stopped;
    struct pace pace; /* of all */
    size_t count;
    struct followed list[];
};

static void on_timer(uv_timer_t *timer);

static void on_resized(uv_signal_t *handle, int number)
{
    (void)number;
    on_timer(&((struct follow *)handle->data)->timer);
}

struct follow *follow_new(uv_loop_t *loop, size_t count)
{
    struct follow *follow = mem_new(1, sizeof *follow + count * sizeof follow->list[0]);

    follow->loop = loop;
    follow->count = count;
    follow->terminal = width_is_screen(STDERR_FILENO);
    uv_timer_init(loop, &follow->timer);
    uv_signal_init(loop, &follow->resized);
    follow->timer.data = follow->resized.data = follow;
    uv_timer_start(&follow->timer, on_timer, DRAW_MS, DRAW_MS);
    if (follow->terminal)
        uv_signal_start(&follow->resized, on_resized, SIGWINCH);
    return follow;
}

void follow_free(struct follow *follow)
{
    for (size_t i = 0; follow && i < follow->count; i++) {
        free(follow->list[i].name);
        moving_fini(&follow->list[i].moving);
        free(follow->list[i].trouble);
    }
    free(follow);
}

/* ---- elsewhere than on a terminal ---- */

static void print_line(struct follow *follow, struct followed *one)
{
    struct bar bar = moving_bar(&one->moving, one->name, uv_now(follow->loop));
    char text[512];

    bar_sentence(text, sizeof text, &bar);
    fprintf(stderr, "%s\n", text);
    one->line_ms = uv_now(follow->loop);
}

static void print_step(struct follow *follow, struct followed *one)
{
    struct bar bar = {.done = one->moving.offset, .size = one->moving.size};
    int tenth = bar_percent(&bar) / 10;

    if (bar.size > 0 && tenth != one->tenth) {
        one->tenth = tenth;
        print_line(follow, one);
    }
}

static void print_minute(struct follow *follow)
{
    for (size_t i = 0; i < follow->count; i++) {
        struct followed *one = &follow->list[i];
        if (one->known && !one->ended && uv_now(follow->loop) - one->line_ms >= LINE_MS)
            print_line(follow, one);
    }
}

/* ---- on a terminal ---- */

/* All of them as one: "3 files, 1 at its end". */
static struct bar bar_of_all(struct follow *follow, char *name, size_t size)
{
    struct bar all = {.name = name, .rate = -1, .left_s = -1, .still_s = -1, .phase = "queued"};
    size_t ended = 0;

    for (size_t i = 0; i < follow->count; i++) {
        const struct followed *one = &follow->list[i];
        const struct moving *moving = &one->moving;
        ended += one->ended;
        if (!one->known)
            continue;
        all.done += moving->offset;
        all.rows += moving->rows;
        all.rejects += moving->rejects;
        all.size = all.size < 0 || moving->size < 0 ? -1 : all.size + moving->size;
        if (one->ended)
            continue;
        if (moving->rate >= 0 && moving_runs(moving))
            all.rate = (all.rate < 0 ? 0 : all.rate) + moving->rate;
        if (moving_runs(moving))
            all.phase = NULL;
        else if (all.phase)
            all.phase = moving->phase;
    }
    pace_note(&follow->pace, all.done, uv_now(follow->loop));
    if (all.size >= 0 && follow->pace.rate > 0)
        all.left_s = pace_left_s(&follow->pace, all.size, uv_now(follow->loop));
    snprintf(name, size, "%zu files, %zu ended", follow->count, ended);
    return all;
}

static void draw(struct follow *follow)
{
    char name[64];
    char text[1024];
    struct bar bar;

    if (follow->count == 1) {
        if (!follow->list[0].known || follow->list[0].ended)
            return;
        bar = moving_bar(&follow->list[0].moving, follow->list[0].name, uv_now(follow->loop));
    } else {
        bar = bar_of_all(follow, name, sizeof name);
    }
    /* the last column stays free: a terminal may begin a new line behind it */
    size_t columns = width_of_terminal(STDERR_FILENO) - 1;
    bar_line(text, sizeof text, columns, &bar);
    fprintf(stderr, "\r%s\033[K", text);
    fflush(stderr);
    follow->drawn = true;
}

static void on_timer(uv_timer_t *timer)
{
    struct follow *follow = timer->data;

    if (follow->stopped)
        return;
    if (follow->terminal)
        draw(follow);
    else
        print_minute(follow);
}

/* ---- what is heard ---- */

static void replace(char **text, const char *with)
{
    char escaped[800];

    text_escape(escaped, sizeof escaped, with ? with : "");
    free(*text);
    *text = mem_dup(escaped);
}

/* An upload that is retried, or a rollback: what the service tries it again because of is said
 * once. */
static void say_trouble(struct follow *follow, struct followed *one, const json_t *upload)
{
    const char *message = ipc_text(json_object_get(upload, "error"), "message");
    char *before = one->trouble;

    if (!message || !(moving_is(&one->moving, "retrying") || moving_is(&one->moving, "stopping") ||
                      moving_is(&one->moving, "restarting")))
        return;
    one->trouble = NULL;
    replace(&one->trouble, message);
    if (!before || strcmp(before, one->trouble) != 0) {
        follow_clear(follow);
        fprintf(stderr, "%s: trying again: %s\n", one->name, one->trouble);
    }
    free(before);
}

void follow_note(struct follow *follow, size_t i, const char *name, const json_t *upload)
{
    if (!follow)
        return;
    struct followed *one = &follow->list[i];
    bool first = !one->known;

    replace(&one->name, name);
    one->known = true;
    moving_note(&one->moving, upload, uv_now(follow->loop));
    say_trouble(follow, one, upload);
    if (first) { /* where it begins is no step */
        struct bar bar = {.done = one->moving.offset, .size = one->moving.size};
        one->tenth = bar_percent(&bar) / 10;
        one->line_ms = uv_now(follow->loop);
        if (follow->terminal && !follow->drawn) {
            draw(follow);
            uv_timer_again(&follow->timer);
        }
    } else if (!follow->terminal) {
        print_step(follow, one);
    }
}

void follow_ended(struct follow *follow, size_t i)
{
    if (follow)
        follow->list[i].ended = true;
}

void follow_clear(struct follow *follow)
{
    if (!follow || !follow->drawn)
        return;
    fprintf(stderr, "\r\033[K");
    fflush(stderr);
    follow->drawn = false;
}

void follow_stop(struct follow *follow)
{
    if (!follow)
        return;
    follow_clear(follow);
    follow->stopped = true;
}
