/* SPDX-License-Identifier: PostgreSQL */
/* The lists of the man pages, from the tables of the code. */
#ifndef DOCS_LISTS_H
#define DOCS_LISTS_H

#include <stdio.h>

struct list {
    const char *name; /* in a template, behind the @ */
    void (*print)(FILE *out);
};

/* The list of this name; NULL when there is none. Static. */
const struct list *lists_find(const char *name);

#endif
