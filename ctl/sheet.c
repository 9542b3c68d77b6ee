/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/sheet.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "ctl/color.h"
#include "ctl/width.h"

#include <langinfo.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The last column is never cut, or made narrower, to less: rather the terminal wraps. */
#define CUT_COLUMNS 8
#define WRAP_COLUMNS 20

struct sheet {
    const struct sheet_column *columns;
    size_t column_count;
    enum sheet_fit fit;
    char **cells; /* rows of column_count */
    size_t row_count, row_capacity;
    bool printed;
};

struct sheet *sheet_new(const struct sheet_column *columns, size_t count, enum sheet_fit fit)
{
    struct sheet *sheet = NEW(struct sheet);

    sheet->columns = columns;
    sheet->column_count = count;
    sheet->fit = fit;
    return sheet;
}

static void forget_rows(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->row_count * sheet->column_count; i++)
        free(sheet->cells[i]);
    sheet->row_count = 0;
}

void sheet_free(struct sheet *sheet)
{
    forget_rows(sheet);
    free(sheet->cells);
    free(sheet);
}

void sheet_add(struct sheet *sheet, const char *const *texts)
{
    if (sheet->row_count == sheet->row_capacity) {
        sheet->row_capacity = sheet->row_capacity * 2 + 32;
        sheet->cells = mem_resize(sheet->cells, sheet->row_capacity * sheet->column_count,
                                  sizeof *sheet->cells);
    }
    char **row = sheet->cells + sheet->row_count++ * sheet->column_count;
    for (size_t i = 0; i < sheet->column_count; i++)
        row[i] = text_escaped(texts[i]);
}

/* Columns that the table needs beside the last one, a blank behind each. */
static size_t width_before_last(const struct sheet *sheet)
{
    size_t all = 0;

    for (size_t c = 0; c + 1 < sheet->column_count; c++) {
        size_t widest = width_of(sheet->columns[c].heading);
        for (size_t r = 0; r < sheet->row_count; r++) {
            size_t width = width_of(sheet->cells[r * sheet->column_count + c]);
            widest = width > widest ? width : widest;
        }
        all += widest + 1;
    }
    return all;
}

static size_t room_for_last(const struct sheet *sheet, size_t least)
{
    size_t before = width_before_last(sheet);
    size_t columns = width_of_terminal(STDOUT_FILENO);

    return columns > before + least ? columns - before : least;
}

/* A row as so many as its last text takes; the others have blanks before it. */
static void add_wrapped(struct sheet *sheet, char **row, size_t room)
{
    const char *texts[SHEET_COLUMNS];
    size_t last = sheet->column_count - 1;
    const char *rest = row[last];

    memcpy(texts, row, sheet->column_count * sizeof *texts);
    do {
        size_t bytes = width_beginning(rest, room);
        char *piece = mem_format("%.*s", (int)bytes, rest);
        texts[last] = piece;
        sheet_add(sheet, texts);
        free(piece);
        rest += bytes + strspn(rest + bytes, " ");
        for (size_t c = 0; c < last; c++)
            texts[c] = "";
    } while (*rest);
}

static void wrap_last(struct sheet *sheet)
{
    struct sheet whole = *sheet;
    size_t room = room_for_last(sheet, WRAP_COLUMNS);

    sheet->cells = NULL;
    sheet->row_count = sheet->row_capacity = 0;
    for (size_t r = 0; r < whole.row_count; r++)
        add_wrapped(sheet, whole.cells + r * whole.column_count, room);
    forget_rows(&whole);
    free(whole.cells);
}

static void cut_last(struct sheet *sheet)
{
    size_t room = room_for_last(sheet, CUT_COLUMNS);

    for (size_t r = 0; r < sheet->row_count; r++) {
        char **cell = &sheet->cells[(r + 1) * sheet->column_count - 1];
        size_t size = strlen(*cell) + 4;
        char *shorter = mem_new(size, 1);
        if (sheet->fit == SHEET_CUT_START)
            width_cut_start(shorter, size, *cell, room);
        else
            width_cut_end(shorter, size, *cell, room);
        free(*cell);
        *cell = shorter;
    }
}

static void must(int rc)
{
    if (rc < 0)
        log_fatal("cannot make a table: %s", strerror(-rc));
}

static void put_cell(const struct sheet *sheet, struct libscols_line *line, size_t column,
                     const char *text)
{
    const char *color = sheet->columns[column].align == SHEET_STATUS ? color_of(text) : NULL;

    must(scols_line_set_data(line, column, text));
    if (color)
        must(scols_cell_set_color(scols_line_get_cell(line, column), color));
}

static struct libscols_table *fill(struct sheet *sheet)
{
    struct libscols_table *table = scols_new_table();

    if (!table)
        mem_none("a table");
    for (size_t c = 0; c < sheet->column_count; c++)
        if (!scols_table_new_column(table, sheet->columns[c].heading, 0,
                                    sheet->columns[c].align == SHEET_RIGHT ? SCOLS_FL_RIGHT : 0))
            mem_none("a table");
    for (size_t r = 0; r < sheet->row_count; r++) {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        if (!line)
            mem_none("a table");
        for (size_t c = 0; c < sheet->column_count; c++)
            put_cell(sheet, line, c, sheet->cells[r * sheet->column_count + c]);
    }
    return table;
}

void sheet_print(struct sheet *sheet, bool headings_again)
{
    bool terminal = isatty(STDOUT_FILENO);

    if (sheet->row_count == 0)
        return;
    if (terminal && sheet->fit == SHEET_WRAP)
        wrap_last(sheet);
    else if (terminal)
        cut_last(sheet);
    struct libscols_table *table = fill(sheet);
    /* what has to be cut is cut by now, and what has to be escaped is escaped; but libsmartcols
     * never ends on bytes that are no characters of the locale, unless it encodes them */
    must(scols_table_enable_colors(table, 1)); /* cells that have one */
    must(scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER));
    if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
        must(scols_table_enable_noencoding(table, 1));
    must(scols_table_enable_noheadings(table, sheet->printed && !headings_again));
    must(scols_print_table(table));
    scols_unref_table(table);
    sheet->printed = true;
    forget_rows(sheet);
}
