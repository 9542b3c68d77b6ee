/* SPDX-License-Identifier: PostgreSQL */
/* Reads COPY's binary format back, as the server would: what is not as PostgreSQL's documentation
 * has it ends the run. */
#ifndef TESTS_FUZZ_COPY_READER_H
#define TESTS_FUZZ_COPY_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct copy_reader {
    const char *data;
    size_t size, at;
};

/* Past the signature. */
void copy_reader_begin(struct copy_reader *reader, const char *data, size_t size);

/* The next tuple, which has so many fields; false: the trailer, with nothing behind it. */
bool copy_reader_tuple(struct copy_reader *reader, int fields);

int64_t copy_reader_bigint(struct copy_reader *reader);

/* Borrowed from the data; NULL: a null. */
const char *copy_reader_bytes(struct copy_reader *reader, size_t *size);

#endif
