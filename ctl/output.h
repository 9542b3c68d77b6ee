/* SPDX-License-Identifier: PostgreSQL */
/* The two ways in which uploadctl speaks: lines for people (results on standard output, errors and
 * notes on standard error), or JSON on standard output and nothing else. */
#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* The object on a line of its own. Borrowed. */
void output_json(const json_t *object);

/* With `json` {"error": {...}} as one line; else the error for people. */
void output_error(const struct error *err, bool json);

/* For people: "label: text" on a line, or nothing for a text that is empty. What a terminal would
 * obey is escaped, for texts come from elsewhere. */
void output_line(FILE *out, const char *label, const char *text);

/* For people: "uploadctl: message", then "detail: " and "hint: " lines, on standard error. */
void output_error_lines(const struct error *err);

/* Hands over what was printed. False, once and for all, when standard output takes no more; then
 * the program should end, and output_end says so. */
bool output_flush(void);

/* At the end: the exit code, or EXIT_FAILED with a line when standard output took not all. */
enum exit_code output_end(enum exit_code code);

#endif
