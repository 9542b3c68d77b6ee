/* SPDX-License-Identifier: PostgreSQL */
/* What tells a file from another, and from itself changed, at once. */
#ifndef BASE_IDENTITY_H
#define BASE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct identity {
    int64_t device;
    int64_t inode;
    int64_t size; /* bytes */
    int64_t mtime_ns;
    int64_t ctime_ns;
};

struct identity identity_of(const struct stat *st);

/* All but the ctime are: it may have been renamed or got other rights, but is what it was. */
bool identity_same_but_ctime(const struct identity *a, const struct identity *b);

/* All five are the same. */
bool identity_same(const struct identity *a, const struct identity *b);

#endif
