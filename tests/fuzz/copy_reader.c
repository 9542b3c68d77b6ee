/* SPDX-License-Identifier: PostgreSQL */
#include "tests/fuzz/copy_reader.h"

#include "tests/fuzz/fuzz.h"

#include <string.h>

/* The signature, no flags, no extension of the header. */
static const char signature[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";

static uint64_t number(struct copy_reader *r, size_t bytes)
{
    uint64_t value = 0;

    DEMAND(r->size - r->at >= bytes);
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | (unsigned char)r->data[r->at++];
    return value;
}

void copy_reader_begin(struct copy_reader *r, const char *data, size_t size)
{
    *r = (struct copy_reader){data, size, sizeof signature - 1};
    DEMAND(size >= r->at && memcmp(data, signature, r->at) == 0);
}

bool copy_reader_tuple(struct copy_reader *r, int fields)
{
    uint64_t count = number(r, 2);

    if (count == 0xFFFF) {
        DEMAND(r->at == r->size);
        return false;
    }
    DEMAND(count == (uint64_t)fields);
    return true;
}

int64_t copy_reader_bigint(struct copy_reader *r)
{
    DEMAND(number(r, 4) == 8);
    return (int64_t)number(r, 8);
}

const char *copy_reader_bytes(struct copy_reader *r, size_t *size)
{
    const char *bytes;

    *size = number(r, 4);
    if (*size == 0xFFFFFFFF)
        return NULL;
    DEMAND(r->size - r->at >= *size);
    bytes = r->data + r->at;
    r->at += *size;
    return bytes;
}
