/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/moving.h"

#include "base/mem.h"
#include "base/text.h"
#include "ipc/messages.h"

#include <stdlib.h>
#include <string.h>

bool moving_is(const struct moving *moving, const char *phase)
{
    return moving->phase && strcmp(moving->phase, phase) == 0;
}

bool moving_runs(const struct moving *moving)
{
    return moving_is(moving, "running");
}

void moving_note(struct moving *moving, const json_t *upload, uint64_t now_ms)
{
    const json_t *rate = json_object_get(upload, "rate");
    const char *phase = ipc_text(upload, "phase");
    char escaped[64];

    text_escape(escaped, sizeof escaped, phase ? phase : "");
    if (!moving_is(moving, escaped)) {
        moving->pace = (struct pace){0}; /* what it did before says nothing of what it does now */
        free(moving->phase);
        moving->phase = mem_dup(escaped);
    }
    moving->offset = ipc_int(upload, "offset", 0);
    moving->size = ipc_int(upload, "size", -1);
    moving->rows = ipc_int(upload, "rows", 0);
    moving->rejects = ipc_int(upload, "rejects", 0);
    moving->rate = json_is_number(rate) ? json_number_value(rate) : -1;
    pace_note(&moving->pace, moving->offset, now_ms);
}

struct bar moving_bar(struct moving *moving, const char *name, uint64_t now_ms)
{
    bool runs = moving_runs(moving);
    struct bar bar = {
        .name = name,
        .phase = runs || moving_is(moving, "ended") ? NULL : moving->phase,
        .done = moving->offset,
        .size = moving->size,
        .rows = moving->rows,
        .rejects = moving->rejects,
        .rate = runs ? moving->rate : -1,
        .left_s = pace_left_s(&moving->pace, moving->size, now_ms),
        .still_s = runs ? pace_still_s(&moving->pace, now_ms) : -1,
    };

    if (bar.still_s >= 0)
        bar.rate = -1;
    if (moving->size < 0 || (moving->pace.rate < 0) == runs)
        bar.left_s = -1;
    return bar;
}

void moving_fini(struct moving *moving)
{
    free(moving->phase);
    *moving = (struct moving){0};
}
