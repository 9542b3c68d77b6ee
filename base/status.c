/* SPDX-License-Identifier: PostgreSQL */
#include "base/status.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
#define X(name, text, what) [name] = text,
    STATUSES(X)
#undef X
};

const char *status_name(enum status status)
{
    return names[status];
}

enum status status_parse(const char *name)
{
    for (size_t i = 1; name && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return (enum status)i;
    return STATUS_NONE;
}

bool status_is_unfinished(enum status status)
{
    return status == STATUS_INITIALIZING || status == STATUS_PROCESSING;
}
