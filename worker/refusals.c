/* SPDX-License-Identifier: PostgreSQL */
#include "worker/refusals.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void refusals_add(struct refusals *refusals, int64_t line, const struct error *err)
{
    struct refusal refusal = {.line = line, .reason = mem_dup(err->message)};

    memcpy(refusal.sqlstate, err->sqlstate, sizeof refusal.sqlstate);
    if (refusals->count == refusals->room) {
        refusals->room = refusals->room ? 2 * refusals->room : 16;
        refusals->list = mem_resize(refusals->list, refusals->room, sizeof *refusals->list);
    }
    refusals->list[refusals->count++] = refusal;
}

void refusals_fini(struct refusals *refusals)
{
    for (size_t i = 0; i < refusals->count; i++)
        free(refusals->list[i].reason);
    free(refusals->list);
    *refusals = (struct refusals){.count = 0};
}
