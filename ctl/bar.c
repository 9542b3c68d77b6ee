/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/bar.h"

#include "base/mem.h"
#include "base/text.h"
#include "ctl/numbers.h"
#include "ctl/width.h"

#include <stdio.h>
#include <string.h>

#define PIECE_BYTES 160
#define WIDEST_BAR 60

int bar_percent(const struct bar *bar)
{
    if (bar->size <= 0)
        return -1;
    if (bar->done >= bar->size)
        return 100;
    return bar->done < 0 ? 0 : (int)((double)bar->done * 100.0 / (double)bar->size);
}

/* ---- pieces, each empty when there is nothing to say ---- */

typedef void piece(char *out, const struct bar *bar);

static void name_long(char *out, const struct bar *bar)
{
    width_cut_start(out, PIECE_BYTES, bar->name, 30);
}

static void name_short(char *out, const struct bar *bar)
{
    width_cut_start(out, PIECE_BYTES, bar->name, 14);
}

static void percent(char *out, const struct bar *bar)
{
    if (bar_percent(bar) >= 0)
        snprintf(out, PIECE_BYTES, "%3d %%", bar_percent(bar));
}

static void percent_short(char *out, const struct bar *bar)
{
    if (bar_percent(bar) >= 0)
        snprintf(out, PIECE_BYTES, "%d%%", bar_percent(bar));
}

static void bytes_long(char *out, const struct bar *bar)
{
    char done[NUMBER_BYTES];
    char size[NUMBER_BYTES];

    numbers_size(done, bar->done);
    numbers_size(size, bar->size < 0 ? 0 : bar->size);
    if (bar->size < 0)
        snprintf(out, PIECE_BYTES, "%s", done);
    else
        snprintf(out, PIECE_BYTES, "%s of %s", done, size);
}

static void bytes_short(char *out, const struct bar *bar)
{
    char done[NUMBER_BYTES];

    numbers_short(done, bar->done);
    snprintf(out, PIECE_BYTES, "%sB", done);
}

static void rows_long(char *out, const struct bar *bar)
{
    char rows[NUMBER_BYTES];

    text_count(rows, bar->rows);
    snprintf(out, PIECE_BYTES, "%s row%s", rows, bar->rows == 1 ? "" : "s");
}

static void rows_short(char *out, const struct bar *bar)
{
    char rows[NUMBER_BYTES];

    numbers_short(rows, bar->rows);
    snprintf(out, PIECE_BYTES, "%s rows", rows);
}

static void rate_long(char *out, const struct bar *bar)
{
    char rate[NUMBER_BYTES];

    if (bar->rate < 0)
        return;
    numbers_size(rate, (int64_t)bar->rate);
    snprintf(out, PIECE_BYTES, "%s/s", rate);
}

static void rate_short(char *out, const struct bar *bar)
{
    char rate[NUMBER_BYTES];

    if (bar->rate < 0)
        return;
    numbers_short(rate, (int64_t)bar->rate);
    snprintf(out, PIECE_BYTES, "%sB/s", rate);
}

static void left_long(char *out, const struct bar *bar)
{
    char left[NUMBER_BYTES];

    numbers_duration(left, bar->still_s >= 0 ? bar->still_s : bar->left_s);
    if (bar->phase)
        snprintf(out, PIECE_BYTES, "%s", bar->phase);
    else if (bar->still_s >= 0)
        snprintf(out, PIECE_BYTES, "no progress for %s", left);
    else if (bar->left_s >= 0)
        snprintf(out, PIECE_BYTES, "%s left", left);
}

static void left_short(char *out, const struct bar *bar)
{
    char left[NUMBER_BYTES];

    numbers_duration_short(left, bar->still_s >= 0 ? bar->still_s : bar->left_s);
    if (bar->phase)
        snprintf(out, PIECE_BYTES, "%s", bar->phase);
    else if (bar->still_s >= 0)
        snprintf(out, PIECE_BYTES, "idle %s", left);
    else if (bar->left_s >= 0)
        snprintf(out, PIECE_BYTES, "%s", left);
}

/* ---- the line ---- */

#define PIECES 6

/* From wide to narrow; the first that fits is taken. The bar itself stands behind the name. */
static const struct {
    size_t bar; /* its least columns, brackets included */
    piece *pieces[PIECES];
} layouts[] = {
    {22, {name_long, percent, bytes_long, rows_long, rate_long, left_long}},
    {12, {name_long, percent, bytes_long, rows_long, rate_long, left_long}},
    {10, {name_short, percent, bytes_short, rows_long, rate_short, left_long}},
    {8, {name_short, percent, bytes_short, rows_short, rate_short, left_short}},
    {8, {NULL, percent, bytes_short, rows_short, rate_short, left_short}},
    {5, {NULL, percent_short, bytes_short, rows_short, rate_short, left_short}},
    {6, {NULL, NULL, bytes_short, rows_short, rate_short, left_short}},
    {4, {NULL, NULL, bytes_short, rows_short, rate_short, left_short}},
    {4, {NULL, NULL, bytes_short, rows_short, NULL, left_short}},
    {4, {NULL, percent_short, NULL, NULL, NULL, left_short}},
    {4, {NULL, percent_short, NULL, NULL, NULL, NULL}},
    {4, {NULL}},
};

void bar_draw(char *out, size_t columns, const struct bar *bar)
{
    size_t inside = columns - 2;
    int done = bar_percent(bar);
    size_t full = done < 0 ? 0 : inside * (size_t)done / 100;

    out[0] = '[';
    memset(out + 1, '#', full);
    memset(out + 1 + full, done < 0 ? ' ' : '-', inside - full);
    out[columns - 1] = ']';
    out[columns] = '\0';
}

void bar_line(char *out, size_t size, size_t columns, const struct bar *bar)
{
    char drawn[WIDEST_BAR + 1];

    columns = columns < 4 ? 4 : columns;
    for (size_t i = 0; i < COUNT_OF(layouts); i++) {
        char pieces[PIECES][PIECE_BYTES] = {0};
        size_t used = 0;
        for (size_t p = 0; p < PIECES; p++) {
            if (layouts[i].pieces[p])
                layouts[i].pieces[p](pieces[p], bar);
            used += width_of(pieces[p]) + (pieces[p][0] != '\0');
        }
        if (used + layouts[i].bar > columns && i + 1 < COUNT_OF(layouts))
            continue;
        size_t room = columns - used; /* the last layout has no pieces */
        bar_draw(drawn, room > WIDEST_BAR ? WIDEST_BAR : room, bar);
        size_t at =
            (size_t)snprintf(out, size, "%s%s%s", pieces[0], pieces[0][0] ? " " : "", drawn);
        for (size_t p = 1; p < PIECES; p++)
            if (pieces[p][0] && at < size)
                at += (size_t)snprintf(out + at, size - at, " %s", pieces[p]);
        return;
    }
}

void bar_sentence(char *out, size_t size, const struct bar *bar)
{
    char pieces[PIECES][PIECE_BYTES] = {0};
    char number[NUMBER_BYTES];
    int done = bar_percent(bar);

    numbers_size(number, done < 0 ? bar->done : bar->size);
    if (done < 0)
        snprintf(pieces[0], PIECE_BYTES, "%s", number);
    else
        snprintf(pieces[0], PIECE_BYTES, "%d %% of %s", done, number);
    rows_long(pieces[1], bar);
    if (bar->rejects > 0) {
        text_count(number, bar->rejects);
        snprintf(pieces[2], PIECE_BYTES, "%s reject%s", number, bar->rejects == 1 ? "" : "s");
    }
    rate_long(pieces[3], bar);
    left_long(pieces[4], bar);
    size_t at = (size_t)snprintf(out, size, "%s: %s", bar->name, pieces[0]);
    for (size_t p = 1; p < PIECES; p++)
        if (pieces[p][0] && at < size)
            at += (size_t)snprintf(out + at, size - at, ", %s", pieces[p]);
}
