/* SPDX-License-Identifier: PostgreSQL */
#include "worker/encode.h"

#include "base/mem.h"
#include "db/copy_format.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define ROW_FIELDS (2 + PROFILE_COLUMNS)
#define REJECT_FIELDS 7

#define COUNT_BYTES sizeof(uint16_t)
#define LENGTH_BYTES sizeof(uint32_t)
#define BIGINT_BYTES (LENGTH_BYTES + sizeof(uint64_t))

void encoded_fini(struct encoded *out)
{
    free(out->data);
    *out = (struct encoded){0};
}

/* Room for so many bytes more; where to write them. */
static char *reserve(struct encoded *out, size_t bytes)
{
    if (out->room - out->size < bytes) {
        size_t room = 2 * out->room > out->size + bytes ? 2 * out->room : out->size + bytes;
        out->data = mem_resize(out->data, room, 1);
        out->room = room;
    }
    return out->data + out->size;
}

static void end_at(struct encoded *out, const char *end)
{
    out->size = (size_t)(end - out->data);
}

static char *put_count(char *to, int16_t count)
{
    uint16_t wire = htobe16((uint16_t)count);

    memcpy(to, &wire, sizeof wire);
    return to + sizeof wire;
}

static char *put_length(char *to, int32_t length)
{
    uint32_t wire = htobe32((uint32_t)length);

    memcpy(to, &wire, sizeof wire);
    return to + sizeof wire;
}

static char *put_bigint(char *to, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);

    to = put_length(to, sizeof wire);
    memcpy(to, &wire, sizeof wire);
    return to + sizeof wire;
}

static char *put_bytes(char *to, const char *data, size_t size)
{
    to = put_length(to, (int32_t)size);
    if (size > 0)
        memcpy(to, data, size);
    return to + size;
}

static char *put_null(char *to)
{
    return put_length(to, COPY_NULL);
}

void encode_head(struct encoded *out)
{
    char *to = reserve(out, COPY_HEADER_BYTES);

    memcpy(to, COPY_HEADER, COPY_HEADER_BYTES);
    end_at(out, to + COPY_HEADER_BYTES);
}

void encode_tail(struct encoded *out)
{
    end_at(out, put_count(reserve(out, COUNT_BYTES), COPY_TRAILER));
}

void encode_row(struct encoded *out, int64_t tracker, int64_t line,
                const struct field values[PROFILE_COLUMNS])
{
    size_t bytes = COUNT_BYTES + 2 * BIGINT_BYTES;

    for (int i = 0; i < PROFILE_COLUMNS; i++)
        bytes += LENGTH_BYTES + values[i].size;
    char *to = reserve(out, bytes);
    to = put_count(to, ROW_FIELDS);
    to = put_bigint(to, tracker);
    to = put_bigint(to, line);
    for (int i = 0; i < PROFILE_COLUMNS; i++)
        to = put_bytes(to, values[i].data, values[i].size);
    end_at(out, to);
}

void encode_reject(struct encoded *out, int64_t tracker, int64_t line, const struct record *record,
                   const char *reason, const char *sqlstate)
{
    size_t reason_bytes = strlen(reason);
    size_t sqlstate_bytes = sqlstate ? strlen(sqlstate) : 0;
    char *to = reserve(out, COUNT_BYTES + 4 * BIGINT_BYTES + 3 * LENGTH_BYTES + reason_bytes +
                                sqlstate_bytes + record->size);

    to = put_count(to, REJECT_FIELDS);
    to = put_bigint(to, tracker);
    to = put_bigint(to, line);
    to = put_bigint(to, record->start_offset);
    to = put_bigint(to, record->length);
    to = put_bytes(to, reason, reason_bytes);
    to = sqlstate ? put_bytes(to, sqlstate, sqlstate_bytes) : put_null(to);
    to = put_bytes(to, record->data, record->size);
    end_at(out, to);
}
