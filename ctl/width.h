/* SPDX-License-Identifier: PostgreSQL */
/* UTF-8 text measured in columns of a terminal, and cut to them. Works in every locale: what the
 * locale knows no width for counts as one column. */
#ifndef CTL_WIDTH_H
#define CTL_WIDTH_H

#include <stdbool.h>
#include <stddef.h>

/* Columns of a text without control characters. */
size_t width_of(const char *text);

/* The text within `columns`: its beginning and "..." when it is longer. Always terminated; `out`
 * of strlen(text) + 4 bytes is enough. */
void width_cut_end(char *out, size_t size, const char *text, size_t columns);

/* The same, but the end stays: what tells paths from each other is there. */
void width_cut_start(char *out, size_t size, const char *text, size_t columns);

/* Bytes of the longest beginning within `columns`, at least a character; up to a blank, where there
 * is one to break at. */
size_t width_beginning(const char *text, size_t columns);

/* Is there a terminal at this descriptor that can be drawn on (TERM)? */
bool width_is_screen(int fd);

/* Columns of the terminal at this descriptor; 80 when it does not say. */
size_t width_of_terminal(int fd);

/* Its lines; 24 when it does not say. */
size_t width_lines_of_terminal(int fd);

#endif
