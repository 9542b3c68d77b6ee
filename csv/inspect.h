/* SPDX-License-Identifier: PostgreSQL */
/* The look at a file before a tracker is made or resumed: what is refused here makes no
 * tracker. Blocking; the supervisor calls it in libuv's thread pool. */
#ifndef CSV_INSPECT_H
#define CSV_INSPECT_H

#include "base/error.h"
#include "base/identity.h"
#include "base/profile.h"

#include <stddef.h>

/* Opens the file as source_open does; refuses UTF-16 and UTF-32 (by BOM, or by NUL bytes in every
 * other place), a header or one of the first 100 records that is not UTF-8 (ERR_FILE_ENCODING,
 * the hint is the iconv command that converts it), and a header that is not the profile's.
 * Sets *identity. */
int inspect_file(const char *path, char *const *allow, size_t allow_count,
                 const struct profile *profile, int64_t max_record, struct identity *identity,
                 struct error *err) MUST_USE;

#endif
