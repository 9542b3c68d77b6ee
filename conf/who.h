/* SPDX-License-Identifier: PostgreSQL */
/* Users and groups, as section [access] names them. */
#ifndef CONF_WHO_H
#define CONF_WHO_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct who {
    char *name; /* as it is written, without the @ */
    bool group;
    int64_t id; /* uid or gid; WHO_UNKNOWN when the system has none of this name */
};

#define WHO_UNKNOWN (-1)

struct who_list {
    struct who *items;
    size_t count;
};

/* Reads names, numbers, and with an @ in front groups, several on a line with commas between, and
 * looks them up in the system's databases of users, which may take as long as these take. A name
 * that is not known there is kept, and is nobody. The caller ends the list with who_fini. Errors,
 * without a hint: ERR_CONFIG; then *list is empty and *fault the line that is wrong. */
int who_parse(char **lines, size_t count, struct who_list *list, size_t *fault,
              struct error *err) MUST_USE;

void who_fini(struct who_list *list);

#endif
