/* SPDX-License-Identifier: PostgreSQL */
/* One line that shows how far an upload is: for a terminal of some width, or for a log. Pure. */
#ifndef CTL_BAR_H
#define CTL_BAR_H

#include <stddef.h>
#include <stdint.h>

struct bar {
    const char *name;  /* borrowed, without control characters */
    const char *phase; /* what is said when it does not just run; NULL: it does */
    int64_t done;      /* bytes */
    int64_t size;      /* bytes; -1: unknown */
    int64_t rows;
    int64_t rejects;
    double rate;     /* bytes a second; negative: unknown */
    int64_t left_s;  /* -1: unknown */
    int64_t still_s; /* it should run, and has not moved for so long; -1: it moves */
};

/* Whole per cent, 100 only when all is done; -1: unknown. */
int bar_percent(const struct bar *bar);

/* The line, at most `columns` wide (at least 4): bar, bytes, rows, rate and time left,
 * shorter or fewer the narrower it is, and then without the name. */
void bar_line(char *out, size_t size, size_t columns, const struct bar *bar);

/* Only the bar, "[###---]", of so many columns (at least 2): `out` has one byte more. */
void bar_draw(char *out, size_t columns, const struct bar *bar);

/* "orders.csv: 40 % of 1.2 GB, 500,000 rows, 3 rejects, 12 MB/s, 2 min 5 s left" */
void bar_sentence(char *out, size_t size, const struct bar *bar);

#endif
