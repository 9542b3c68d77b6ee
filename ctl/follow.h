/* SPDX-License-Identifier: PostgreSQL */
/* Shows on standard error how uploads go on, drawn from their public objects: on a terminal one
 * line that is drawn again, elsewhere a line for every 10 % and every minute of each upload. */
#ifndef CTL_FOLLOW_H
#define CTL_FOLLOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct follow;

/* Follows `count` uploads. */
struct follow *follow_new(uv_loop_t *loop, size_t count);

/* After the loop's handles were closed. NULL is allowed. */
void follow_free(struct follow *follow);

/* Upload `i` is so now; `name` is what to call it. Both borrowed. NULL is allowed for `follow`. */
void follow_note(struct follow *follow, size_t i, const char *name, const json_t *upload);

/* It has ended: it still counts for the whole, but is not shown any more. */
void follow_ended(struct follow *follow, size_t i);

/* Takes the line off the terminal, so that something else can be printed. It comes back by
 * itself. NULL is allowed. */
void follow_clear(struct follow *follow);

/* Nothing is shown any more. NULL is allowed. */
void follow_stop(struct follow *follow);

#endif
