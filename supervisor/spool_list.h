/* SPDX-License-Identifier: PostgreSQL */
/* What lies in a spool's folder. Blocking: for the thread pool. */
#ifndef SUPERVISOR_SPOOL_LIST_H
#define SUPERVISOR_SPOOL_LIST_H

#include "base/error.h"
#include "base/identity.h"

#include <stdbool.h>
#include <stddef.h>

/* The companion that says of a file that it is complete. */
#define SPOOL_OK_SUFFIX ".ok"

struct spool_file {
    char *name;
    const char *unfit; /* why it cannot be uploaded, static, or NULL */
    struct identity identity;
    bool ok; /* its companion is there */
};

struct spool_listing {
    struct spool_file *files; /* by name */
    size_t count;
};

/* Lists what matches the pattern (fnmatch(3)); no folders, nothing that begins with a dot, and no
 * companions. Errors: ERR_SYSTEM, with a hint; then the listing is empty. The caller
 * ends it with spool_listing_fini. */
int spool_list(struct spool_listing *listing, const char *folder, const char *pattern,
               struct error *err) MUST_USE;

void spool_listing_fini(struct spool_listing *listing);

#endif
