/* SPDX-License-Identifier: PostgreSQL */
#include "worker/found.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define ROOM 1024 /* to begin with */

/* What is forgotten lies in front of what is not, until it is more than that. */
struct found {
    struct kept {
        int64_t line;
        size_t at, name_bytes, email_bytes; /* offset of the name, then the email */
        bool has_name, has_email;
    } * list;
    size_t first, count, room;
    char *bytes;
    size_t size, capacity;
    size_t live; /* bytes that are not forgotten */
    bool disordered;
    struct proof_row *rows; /* as they are given out */
    size_t rows_room;
};

struct found *found_new(void)
{
    struct found *found = NEW(struct found);

    found->room = found->rows_room = found->capacity = ROOM;
    found->list = mem_new(found->room, sizeof *found->list);
    found->rows = mem_new(found->rows_room, sizeof *found->rows);
    found->bytes = mem_new(found->capacity, 1);
    return found;
}

void found_free(struct found *found)
{
    if (!found)
        return;
    free(found->list);
    free(found->bytes);
    free(found->rows);
    free(found);
}

void found_clear(struct found *found)
{
    found->first = found->count = found->size = found->live = 0;
    found->disordered = false;
}

size_t found_count(const struct found *found)
{
    return found->count;
}

size_t found_bytes(const struct found *found)
{
    return found->live + found->count * sizeof *found->list;
}

/* ---- adding ---- */

static size_t bytes_of(const struct kept *kept)
{
    return kept->name_bytes + kept->email_bytes;
}

static void keep_bytes(struct found *found, const char *data, size_t size)
{
    size_t least = found->size + size;

    if (least > found->capacity) {
        found->capacity = least > 2 * found->capacity ? least : 2 * found->capacity;
        found->bytes = mem_resize(found->bytes, found->capacity, 1);
    }
    if (data)
        memcpy(found->bytes + found->size, data, size);
    found->size += size;
}

static struct kept *next_place(struct found *found)
{
    if (found->first + found->count == found->room) {
        found->room *= 2;
        found->list = mem_resize(found->list, found->room, sizeof *found->list);
    }
    return &found->list[found->first + found->count++];
}

void found_add(struct found *found, const struct proof_row *row)
{
    struct kept *kept = next_place(found);

    *kept = (struct kept){.line = row->line,
                          .at = found->size,
                          .name_bytes = row->name_bytes,
                          .email_bytes = row->email_bytes,
                          .has_name = row->name != NULL,
                          .has_email = row->email != NULL};
    keep_bytes(found, row->name, row->name_bytes);
    keep_bytes(found, row->email, row->email_bytes);
    found->live += bytes_of(kept);
    if (found->count > 1 && kept[-1].line > kept->line)
        found->disordered = true;
}

/* ---- order ---- */

static int by_line(const void *a, const void *b)
{
    int64_t first = ((const struct kept *)a)->line;
    int64_t second = ((const struct kept *)b)->line;

    return (first > second) - (first < second);
}

static struct kept *in_order(struct found *found)
{
    struct kept *list = found->list + found->first;

    if (found->disordered)
        qsort(list, found->count, sizeof *list, by_line);
    found->disordered = false;
    return list;
}

size_t found_until(struct found *found, int64_t line)
{
    const struct kept *list = in_order(found);
    size_t low = 0;
    size_t high = found->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle].line <= line)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct proof_row *found_rows(struct found *found, size_t count)
{
    const struct kept *list = in_order(found);

    if (count > found->rows_room) {
        found->rows_room = count;
        found->rows = mem_resize(found->rows, count, sizeof *found->rows);
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = found->bytes + list[i].at;
        found->rows[i] =
            (struct proof_row){.line = list[i].line,
                               .name = list[i].has_name ? name : NULL,
                               .email = list[i].has_email ? name + list[i].name_bytes : NULL,
                               .name_bytes = list[i].name_bytes,
                               .email_bytes = list[i].email_bytes};
    }
    return found->rows;
}

/* ---- forgetting ---- */

/* The bytes that are still needed, and no others, in a buffer of their own. */
static void pack(struct found *found)
{
    char *bytes = mem_new(found->live + 1, 1);
    char *to = bytes;

    for (size_t i = 0; i < found->count; i++) {
        struct kept *kept = &found->list[found->first + i];
        size_t at = (size_t)(to - bytes);
        to = mempcpy(to, found->bytes + kept->at, bytes_of(kept));
        kept->at = at;
    }
    free(found->bytes);
    found->bytes = bytes;
    found->size = found->live;
    found->capacity = found->live + 1;
    memmove(found->list, found->list + found->first, found->count * sizeof *found->list);
    found->first = 0;
}

void found_drop(struct found *found, size_t count)
{
    for (size_t i = 0; i < count; i++)
        found->live -= bytes_of(&found->list[found->first + i]);
    found->first += count;
    found->count -= count;
    if (found->count == 0)
        found_clear(found);
    else if (found->first > found->count)
        pack(found);
}
