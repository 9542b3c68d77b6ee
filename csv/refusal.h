/* SPDX-License-Identifier: PostgreSQL */
/* Why a file could not be opened, and what to do about it. It looks at the path again, so what
 * it says is of a moment later; it never opens anything. */
#ifndef CSV_REFUSAL_H
#define CSV_REFUSAL_H

#include "base/error.h"

#include <stddef.h>
#include <sys/stat.h>

/* ERR_FILE_OUTSIDE: none of the allowed folders holds the path. */
int refusal_outside(const char *path, char *const *allow, size_t allow_count, struct error *err);

/* Opening the path below `folder`, or the folder itself, failed with `errnum`: ERR_FILE_MISSING,
 * _ACCESS, _KIND (a symbolic link), or _READ for what is none of these. */
int refusal_open(const char *path, const char *folder, int errnum, struct error *err);

/* ERR_FILE_KIND: it was found, and is no regular file. */
int refusal_kind(const char *path, mode_t mode, struct error *err);

#endif
