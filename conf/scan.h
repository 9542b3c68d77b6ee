/* SPDX-License-Identifier: PostgreSQL */
/* A look at a configuration file before inih reads it: inih 55 cuts long lines and names, takes
 * " ;" in a value for a comment, joins what is indented to the key before, and says none of it.
 * What it would cut, join or misread is refused here. Knows no options. */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include "conf/report.h"

#include <stddef.h>

#define SCAN_FILE_MAX_MIB 1
#define SCAN_FILE_MAX_BYTES ((size_t)SCAN_FILE_MAX_MIB << 20)
#define SCAN_LINE_MAX_BYTES 198 /* 200 with a line feed and a NUL behind: all inih has room for */
#define SCAN_NAME_MAX_BYTES 49  /* of a section or key */

enum scan_kind {
    SCAN_NOTHING, /* empty, a comment, or refused together with what belongs to it */
    SCAN_SECTION, /* [name] */
    SCAN_KEY,     /* name = value */
    SCAN_MORE     /* an indented line: value, of the key before */
};

/* Part of a line, not terminated. */
struct scan_piece {
    const char *data;
    size_t size;
};

struct scan_line {
    enum scan_kind kind;
    const char *text;       /* for inih: terminated, no line end; empty if SCAN_NOTHING */
    struct scan_piece name; /* also of a key that is refused */
    struct scan_piece value;
};

/* Line n of the file is lines[n - 1]. */
struct scan {
    char *data;
    struct scan_line *lines;
    size_t count;
};

/* Reads the file and adds every refusal to the report; a file that cannot be read, or is no text,
 * has no lines. The caller ends it with scan_fini. */
void scan_init(struct scan *scan, const char *file, struct report *report);

void scan_fini(struct scan *scan);

#endif
