/* SPDX-License-Identifier: PostgreSQL */
/* The live screen of watch, on the alternate screen of the terminal at standard output: what is
 * wrong, what runs, what waits, what has ended. A line that is as it was is not written again, so
 * that nothing flickers. */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include "ctl/moving.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct screen;

struct screen_row {
    const json_t *upload;
    struct moving *moving;
};

/* Takes the terminal. */
struct screen *screen_new(void);

/* Gives it back as it was. NULL is allowed. */
void screen_free(struct screen *screen);

/* Draws these uploads, the newest first; all is borrowed. `trouble`: why they may be old, or NULL.
 * What was drawn is handed over by output_flush. */
void screen_draw(struct screen *screen, const struct screen_row *rows, size_t count,
                 const char *trouble, uint64_t now_ms);

#endif
