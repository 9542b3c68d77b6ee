/* SPDX-License-Identifier: PostgreSQL */
/* The man pages: man/PAGE.in has the prose, in mdoc(7), and a line "@options" where a list belongs,
 * which is printed from its table. */
#ifndef DOCS_MAN_H
#define DOCS_MAN_H

#include <stdio.h>

/* Prints the page `file` from `file`.in, which is read from the working folder. 0, or -1 with a
 * line on standard error: there is no such template, or a list in it that is not known. */
int man_print(FILE *out, const char *file);

#endif
