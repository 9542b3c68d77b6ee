/* SPDX-License-Identifier: PostgreSQL */
/* Base64 (RFC 4648) back into bytes. Pure. */
#ifndef CTL_BASE64_H
#define CTL_BASE64_H

#include <stddef.h>

/* The bytes of a text, at most so many; what follows the last character of the alphabet is not
 * looked at. There is a NUL behind them. Sets *size; the caller frees. */
unsigned char *base64_decode(const char *text, size_t most, size_t *size);

#endif
