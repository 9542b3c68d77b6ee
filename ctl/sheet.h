/* SPDX-License-Identifier: PostgreSQL */
/* Tables for people, by libsmartcols. On a terminal the last column is cut to what is left of the
 * width, or goes on in further lines; elsewhere it is as it is. */
#ifndef CTL_SHEET_H
#define CTL_SHEET_H

#include <stdbool.h>
#include <stddef.h>

/* A status is at the left, and has its color. */
enum sheet_align { SHEET_LEFT, SHEET_RIGHT, SHEET_STATUS };

/* What becomes of a last column that is too wide. */
enum sheet_fit { SHEET_CUT_END, SHEET_CUT_START, SHEET_WRAP };

struct sheet_column {
    const char *heading;
    enum sheet_align align;
};

#define SHEET_COLUMNS 12

struct sheet;

/* `columns` must outlive it. */
struct sheet *sheet_new(const struct sheet_column *columns, size_t count, enum sheet_fit fit);
void sheet_free(struct sheet *sheet);

/* A row of as many texts as there are columns; copied. Control characters are escaped. */
void sheet_add(struct sheet *sheet, const char *const *texts);

/* Prints the rows on standard output and forgets them; headings the first time, or every time. */
void sheet_print(struct sheet *sheet, bool headings_again);

#endif
