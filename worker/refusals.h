/* SPDX-License-Identifier: PostgreSQL */
/* The records of a chunk that the server refused, in their order. Pure: memory only. */
#ifndef WORKER_REFUSALS_H
#define WORKER_REFUSALS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct refusal {
    int64_t line;
    char sqlstate[6]; /* the server's */
    char *reason;     /* its message, one line */
};

/* All zero is empty. */
struct refusals {
    struct refusal *list;
    size_t count, room;
};

/* Appends a record; its line is greater than all that are there. */
void refusals_add(struct refusals *refusals, int64_t line, const struct error *err);

/* Empties and frees. */
void refusals_fini(struct refusals *refusals);

#endif
