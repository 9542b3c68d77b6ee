/* SPDX-License-Identifier: PostgreSQL */
/* Look-ups over the tables of codes.h. */
#include "base/codes.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    enum exit_code exit;
} codes[] = {[ERR_NONE] = {"none", EXIT_DONE},
#define X(name, wire, exit, when) [name] = {wire, exit},
             ERROR_CODES(X)
#undef X
};

const char *error_code_name(enum error_code code)
{
    return codes[code].name;
}

enum error_code error_code_parse(const char *name)
{
    for (size_t i = 1; name && i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i].name, name) == 0)
            return (enum error_code)i;
    return ERR_NONE;
}

enum exit_code error_code_exit(enum error_code code)
{
    return codes[code].exit;
}
