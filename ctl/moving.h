/* SPDX-License-Identifier: PostgreSQL */
/* How one upload moves, from its public objects as they come. Pure: the caller has the clock. */
#ifndef CTL_MOVING_H
#define CTL_MOVING_H

#include "ctl/bar.h"
#include "ctl/pace.h"

#include <jansson.h>
#include <stdbool.h>

/* Zeros are an upload of which nothing was heard. */
struct moving {
    char *phase;
    int64_t offset, size, rows, rejects;
    double rate; /* bytes a second; negative: unknown */
    struct pace pace;
};

/* The upload, borrowed, is so now. */
void moving_note(struct moving *moving, const json_t *upload, uint64_t now_ms);

/* Is it in this phase? */
bool moving_is(const struct moving *moving, const char *phase);
bool moving_runs(const struct moving *moving);

/* How far it is, and what it does when it does not just run. The bar borrows `name` and the phase.
 */
struct bar moving_bar(struct moving *moving, const char *name, uint64_t now_ms);

void moving_fini(struct moving *moving);

#endif
