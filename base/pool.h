/* SPDX-License-Identifier: PostgreSQL */
/* libuv's thread pool, begun where its failure can be told. libuv begins it with the first work
 * that it is given, and aborts the program when a thread cannot be made. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/error.h"

#include <uv.h>

/* Begins it. ERR_SYSTEM: it cannot be; nothing has been begun, and work must not be given. */
int pool_start(uv_loop_t *loop, struct error *err) MUST_USE;

#endif
