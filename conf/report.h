/* SPDX-License-Identifier: PostgreSQL */
/* The errors of a configuration, gathered and then written in the order of files and lines. */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include "base/error.h"

#include <stddef.h>
#include <stdio.h>

/* Where in the configuration something stands. Texts are borrowed. */
struct place {
    const char *file;
    size_t line;         /* 0: the file as a whole */
    const char *section; /* as in the file, "profile orders"; NULL: none */
    const char *key;     /* NULL: none */
};

struct report_entry {
    size_t file; /* its rank */
    size_t line;
    size_t order;
    char *text;
};

struct report {
    struct report_entry *entries;
    size_t count;
    size_t errors; /* of them; the others are warnings */
    char **files;
    size_t file_count;
};

/* Gives a file its rank, which is that of the first call or error; others come behind it. */
void report_file(struct report *report, const char *file);

/* Keeps one error: its message says what is wrong, its hint what to write. */
void report_add(struct report *report, const struct place *place, const struct error *err);

/* Keeps one warning, likewise. */
void report_warn(struct report *report, const struct place *place, const struct error *err);

/* Writes a line each: "FILE:LINE: section.key: what is wrong; what to write", without those parts
 * of the place that there are not. Control characters are escaped. */
void report_print(struct report *report, FILE *out);

void report_fini(struct report *report);

#endif
