/* SPDX-License-Identifier: PostgreSQL */
/* Rows of the table that were read to be compared, in the order of their lines; those of records
 * that the file has not come to yet stay for the next part. */
#ifndef WORKER_FOUND_H
#define WORKER_FOUND_H

#include "db/proof.h"

/* All 0 when there is none. */
struct found {
    struct proof_row *rows;
    size_t count;
    char *bytes; /* what the rows point into */
};

/* Copies rows, behind those that are there. */
void found_add(struct found *found, const struct proof_row *rows, size_t count);

/* How many, from the first, are of records up to `line`. */
size_t found_until(const struct found *found, int64_t line);

/* Forgets so many, from the first. */
void found_drop(struct found *found, size_t count);

/* Forgets all, and frees what it owns. */
void found_fini(struct found *found);

#endif
