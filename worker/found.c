/* SPDX-License-Identifier: PostgreSQL */
#include "worker/found.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static size_t bytes_of(const struct proof_row *rows, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += rows[i].name_bytes + rows[i].email_bytes;
    return bytes;
}

/* The value copied to `to`, which moves behind it. */
static const char *copy(char **to, const char *value, size_t bytes)
{
    const char *at = *to;

    if (!value)
        return NULL;
    *to = mempcpy(*to, value, bytes);
    return at;
}

static void copy_rows(struct proof_row *out, char **to, const struct proof_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = rows[i];
        out[i].name = copy(to, rows[i].name, rows[i].name_bytes);
        out[i].email = copy(to, rows[i].email, rows[i].email_bytes);
    }
}

void found_add(struct found *found, const struct proof_row *rows, size_t count)
{
    struct found all = {.count = found->count + count};

    all.rows = mem_new(all.count, sizeof *all.rows);
    all.bytes = mem_new(bytes_of(found->rows, found->count) + bytes_of(rows, count) + 1, 1);
    char *to = all.bytes;
    copy_rows(all.rows, &to, found->rows, found->count);
    copy_rows(all.rows + found->count, &to, rows, count);
    found_fini(found);
    *found = all;
}

size_t found_until(const struct found *found, int64_t line)
{
    size_t count = 0;

    while (count < found->count && found->rows[count].line <= line)
        count++;
    return count;
}

void found_drop(struct found *found, size_t count)
{
    found->count -= count;
    if (found->count == 0)
        found_fini(found);
    else
        memmove(found->rows, found->rows + count, found->count * sizeof *found->rows);
}

void found_fini(struct found *found)
{
    free(found->rows);
    free(found->bytes);
    *found = (struct found){.count = 0};
}
