/* SPDX-License-Identifier: PostgreSQL */
/* Look-ups over the table of moves.h. */
#include "db/moves.h"

#include "base/mem.h"

#include <string.h>

const struct move_row move_table[MOVE_COUNT] = {
#define X(name, event, status, wanted, mark, owner, requires, what)                                \
    [name] = {event, status, wanted, mark, owner, requires},
    MOVES(X)
#undef X
};

static const char *const wanted_names[] = {
    [WANTED_NOTHING] = NULL,
    [WANTED_STOP] = "stop",
    [WANTED_RESTART] = "restart",
    [WANTED_KEPT] = "kept",
};

bool move_is_transition(enum move move)
{
    const struct move_row *row = &move_table[move];

    return row->status != STATUS_NONE || row->wanted != WANTED_KEPT || row->mark != MARK_KEPT ||
           row->owner != OWNER_KEPT;
}

const char *wanted_name(enum wanted wanted)
{
    return wanted_names[wanted];
}

enum wanted wanted_parse(const char *name)
{
    for (size_t i = WANTED_STOP; name && i < WANTED_KEPT; i++)
        if (strcmp(wanted_names[i], name) == 0)
            return (enum wanted)i;
    return WANTED_NOTHING;
}
