/* SPDX-License-Identifier: PostgreSQL */
/* An upload as the command line names it: by its file, or by its ID. */
#ifndef CTL_NAMED_H
#define CTL_NAMED_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct named {
    const char *given; /* as it was typed; borrowed */
    char *file;        /* absolute and normal, or NULL, then: */
    int64_t id;
};

/* The argument is of digits only: an ID. A file of such a name is given as ./123. */
bool named_is_id(const char *argument);

/* Takes an argument apart; the caller ends it with named_fini also after an error. `argument` must
 * outlive it. Errors: ERR_FILE_NAME, ERR_NOT_FOUND (a number that no ID can be), ERR_SYSTEM. */
int named_init(struct named *named, const char *argument, struct error *err) MUST_USE;

void named_fini(struct named *named);

/* The argument as a path, absolute and normal, which the caller frees; NULL after an error:
 * ERR_FILE_NAME, ERR_SYSTEM. */
int named_path(char **path, const char *argument, struct error *err) MUST_USE;

/* Sets "file" or "id" of a request. */
void named_put(const struct named *named, json_t *request);

/* The text as one word of a shell, a file's name that starts with "-" with "./" before it. The
 * caller frees. */
char *named_word(const char *text);

#endif
