/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/follow.h"

#include "base/mem.h"
#include "base/text.h"
#include "ctl/bar.h"
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
    char *phase;
    char *trouble; /* as last said */
    bool known, ended;
    int64_t offset, size, rows, rejects;
    double rate;
    struct pace pace;
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

static bool is_terminal(void)
{
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

struct follow *follow_new(uv_loop_t *loop, size_t count)
{
    struct follow *follow = mem_new(1, sizeof *follow + count * sizeof follow->list[0]);

    follow->loop = loop;
    follow->count = count;
    follow->terminal = is_terminal();
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
        free(follow->list[i].phase);
        free(follow->list[i].trouble);
    }
    free(follow);
}

static bool is(const struct followed *one, const char *phase)
{
    return one->phase && strcmp(one->phase, phase) == 0;
}

static bool runs(const struct followed *one)
{
    return is(one, "running");
}

/* How far the upload is, and what it does when it does not just run. */
static struct bar bar_of(struct followed *one, uint64_t now_ms)
{
    struct bar bar = {
        .name = one->name,
        .phase = runs(one) || is(one, "ended") ? NULL : one->phase,
        .done = one->offset,
        .size = one->size,
        .rows = one->rows,
        .rejects = one->rejects,
        .rate = runs(one) ? one->rate : -1,
        .left_s = pace_left_s(&one->pace, one->size, now_ms),
        .still_s = runs(one) ? pace_still_s(&one->pace, now_ms) : -1,
    };

    if (bar.still_s >= 0)
        bar.rate = -1;
    if (one->size < 0 || (one->pace.rate < 0) == runs(one))
        bar.left_s = -1;
    return bar;
}

/* ---- elsewhere than on a terminal ---- */

static void print_line(struct follow *follow, struct followed *one)
{
    struct bar bar = bar_of(one, uv_now(follow->loop));
    char text[512];

    bar_sentence(text, sizeof text, &bar);
    fprintf(stderr, "%s\n", text);
    one->line_ms = uv_now(follow->loop);
}

static void print_step(struct follow *follow, struct followed *one)
{
    struct bar bar = {.done = one->offset, .size = one->size};
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
        struct followed *one = &follow->list[i];
        ended += one->ended;
        if (!one->known)
            continue;
        all.done += one->offset;
        all.rows += one->rows;
        all.rejects += one->rejects;
        all.size = all.size < 0 || one->size < 0 ? -1 : all.size + one->size;
        if (one->ended)
            continue;
        if (one->rate >= 0 && runs(one))
            all.rate = (all.rate < 0 ? 0 : all.rate) + one->rate;
        if (runs(one))
            all.phase = NULL;
        else if (all.phase)
            all.phase = one->phase;
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
        bar = bar_of(&follow->list[0], uv_now(follow->loop));
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

    if (!message || !(is(one, "retrying") || is(one, "stopping") || is(one, "restarting")))
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
    const json_t *rate = json_object_get(upload, "rate");
    const char *phase = ipc_text(upload, "phase");
    bool first = !one->known;

    if (!is(one, phase ? phase : ""))
        one->pace = (struct pace){0}; /* what it did before says nothing of what it does now */
    replace(&one->name, name);
    replace(&one->phase, phase);
    one->known = true;
    one->offset = ipc_int(upload, "offset", 0);
    one->size = ipc_int(upload, "size", -1);
    one->rows = ipc_int(upload, "rows", 0);
    one->rejects = ipc_int(upload, "rejects", 0);
    one->rate = json_is_number(rate) ? json_number_value(rate) : -1;
    pace_note(&one->pace, one->offset, uv_now(follow->loop));
    say_trouble(follow, one, upload);
    if (first) { /* where it begins is no step */
        struct bar bar = {.done = one->offset, .size = one->size};
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
