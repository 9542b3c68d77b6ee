/* SPDX-License-Identifier: PostgreSQL */
/* Rows of the table that were read to be compared, in whatever order they come; those of records
 * that the file has not come to yet stay for the next part. */
#ifndef WORKER_FOUND_H
#define WORKER_FOUND_H

#include "db/proof.h"

struct found; /* private */

struct found *found_new(void);
void found_free(struct found *found); /* NULL is allowed */

/* Copies a row. */
void found_add(struct found *found, const struct proof_row *row);

size_t found_count(const struct found *found);
size_t found_bytes(const struct found *found); /* of memory that they need */

/* How many are of records up to `line`; puts all in the order of their lines. */
size_t found_until(struct found *found, int64_t line);

/* The first so many in that order; borrowed until one is added or forgotten. */
const struct proof_row *found_rows(struct found *found, size_t count);

/* Forgets the first so many. */
void found_drop(struct found *found, size_t count);

void found_clear(struct found *found);

#endif
