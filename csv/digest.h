/* SPDX-License-Identifier: PostgreSQL */
/* A hash that grows with the bytes it is given: XXH3-128 in canonical (big-endian) form, as
 * `xxhsum -H2` prints it. It tells accidents apart, not forgeries: it is no cryptographic hash. */
#ifndef CSV_DIGEST_H
#define CSV_DIGEST_H

#include <stddef.h>

#define DIGEST_BYTES 16

struct digest;

/* Of no bytes yet. Owned by the caller: digest_free, which allows NULL. */
struct digest *digest_new(void);
void digest_free(struct digest *digest);

/* Makes it what the other one is. */
void digest_copy(struct digest *digest, const struct digest *other);

void digest_add(struct digest *digest, const void *data, size_t size);

/* The hash of the bytes so far; it goes on after that. */
void digest_read(const struct digest *digest, unsigned char hash[DIGEST_BYTES]);

/* Of no bytes again. */
void digest_clear(struct digest *digest);

#endif
