/* SPDX-License-Identifier: PostgreSQL */
/* Files that hold a CSV file, or what could be one, in another form: told by their first bytes. */
#ifndef CSV_PACKED_H
#define CSV_PACKED_H

#include "base/error.h"

#include <stddef.h>

/* 0; or ERR_FILE_ENCODING for a file that begins with these bytes, which say that it is packed, or
 * of a program. The hint says what to do with it. */
int packed_check(const char *path, const char *data, size_t size, struct error *err) MUST_USE;

#endif
