/* SPDX-License-Identifier: PostgreSQL */
#include "csv/digest.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct digest {
    XXH3_state_t *state; /* apart, for it wants an alignment of its own */
};

struct digest *digest_new(void)
{
    struct digest *digest = NEW(struct digest);

    if (!(digest->state = XXH3_createState()))
        abort();
    digest_clear(digest);
    return digest;
}

void digest_free(struct digest *digest)
{
    if (!digest)
        return;
    XXH3_freeState(digest->state);
    free(digest);
}

void digest_copy(struct digest *digest, const struct digest *other)
{
    XXH3_copyState(digest->state, other->state);
}

void digest_add(struct digest *digest, const void *data, size_t size)
{
    XXH3_128bits_update(digest->state, data, size);
}

void digest_read(const struct digest *digest, unsigned char hash[DIGEST_BYTES])
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(digest->state));
    memcpy(hash, canonical.digest, DIGEST_BYTES);
}

void digest_clear(struct digest *digest)
{
    XXH3_128bits_reset(digest->state);
}
