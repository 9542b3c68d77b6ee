/* SPDX-License-Identifier: PostgreSQL */
/* Why there is no supervisor at a socket, and what to do about it. */
#ifndef CTL_UNREACHABLE_H
#define CTL_UNREACHABLE_H

#include "base/error.h"

/* The error for a connect that failed with `errnum`: no socket, no one listening and no permission
 * are three different ones. Looks at the socket in the file system. Returns -ERR_NO_SUPERVISOR. */
int unreachable(const char *socket, int errnum, struct error *err);

#endif
