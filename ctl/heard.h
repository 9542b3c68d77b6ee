/* SPDX-License-Identifier: PostgreSQL */
/* What a running service knows that a command line may name: its profiles, its newest uploads. */
#ifndef CTL_HEARD_H
#define CTL_HEARD_H

#include <jansson.h>
#include <stdbool.h>

struct heard {
    json_t *profiles; /* names; an empty list when there is no service */
    json_t *uploads;  /* newest first, at most a page of them; also an empty list when not asked */
};

/* Asks the service at this socket, for at most a second. Whatever fails is left out, and nothing is
 * said of it. The caller ends it with heard_fini. */
void heard_init(struct heard *heard, const char *socket, bool with_uploads);

void heard_fini(struct heard *heard);

#endif
