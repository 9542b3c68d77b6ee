/* SPDX-License-Identifier: PostgreSQL */
/* What the fuzz targets share: a demand that ends the run when it is not met, and choices that the
 * first bytes of an input make. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert: it is in every build, and says where. libFuzzer keeps the input of an abort. */
#define DEMAND(what)                                                                               \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                     \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* An input: choices first, one byte each, then the bytes under test. */
struct input_bytes {
    const uint8_t *data;
    size_t size;
};

/* The next choice; 0 when the input is at its end. */
static inline unsigned choose(struct input_bytes *in)
{
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

#endif
