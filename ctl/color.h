/* SPDX-License-Identifier: PostgreSQL */
/* Colors on standard output: a status has one, and nothing else has. */
#ifndef CTL_COLOR_H
#define CTL_COLOR_H

#include <stdio.h>

/* X(NAME, word of --color) */
#define COLOR_WHENS(X)                                                                             \
    X(COLOR_AUTO, "auto") /* on a terminal that has colors, unless NO_COLOR says otherwise */      \
    X(COLOR_ALWAYS, "always")                                                                      \
    X(COLOR_NEVER, "never")

enum color_when {
#define X(name, word) name,
    COLOR_WHENS(X)
#undef X
        COLOR_WHEN_COUNT
};

/* The word's; COLOR_WHEN_COUNT when it is none. */
enum color_when color_when_parse(const char *word);

/* Decides, once; until then, there are no colors. */
void color_init(enum color_when when);

/* What makes a terminal show the text behind it in the color of this status; NULL: no color is
 * meant, or it is no status. Static. */
const char *color_of(const char *status);

/* Prints a short text, which may be a status, in its color; control characters are escaped. */
void color_print(FILE *out, const char *text);

#endif
