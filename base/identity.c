/* SPDX-License-Identifier: PostgreSQL */
#include "base/identity.h"

static int64_t ns(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct identity identity_of(const struct stat *st)
{
    return (struct identity){
        .device = (int64_t)st->st_dev,
        .inode = (int64_t)st->st_ino,
        .size = (int64_t)st->st_size,
        .mtime_ns = ns(st->st_mtim),
        .ctime_ns = ns(st->st_ctim),
    };
}

bool identity_same_but_ctime(const struct identity *a, const struct identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->mtime_ns == b->mtime_ns;
}

bool identity_same(const struct identity *a, const struct identity *b)
{
    return identity_same_but_ctime(a, b) && a->ctime_ns == b->ctime_ns;
}
