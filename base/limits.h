/* SPDX-License-Identifier: PostgreSQL */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

/* The most that max_record allows: a record of it that is rejected is one message, in base64. */
#define RECORD_MAX_BYTES (INT64_C(32) * 1024 * 1024)

#endif
