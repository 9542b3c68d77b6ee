/* SPDX-License-Identifier: PostgreSQL */
#include "tests/fuzz/frames.h"

#include <string.h>

/* Behind so many pieces the rest comes at once: many are no different from more. */
#define PIECES_MAX 64

enum frame frames_next(struct frames *f, json_t **message)
{
    const char *begin = f->data + f->at;
    const char *end = f->at < f->size ? memchr(begin, '\n', f->size - f->at) : NULL;
    size_t size = end ? (size_t)(end - begin) : f->size - f->at;

    *message = NULL;
    if (size + 1 > f->max_bytes)
        return FRAME_BROKEN;
    if (!end)
        return FRAME_NONE;
    f->at += size + 1;
    *message = json_loadb(begin, size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(*message))
        return FRAME_MESSAGE;
    json_decref(*message);
    *message = NULL;
    return FRAME_BROKEN;
}

struct pieces pieces_choose(struct input_bytes *in)
{
    struct pieces pieces = {.count = 0};

    for (int i = 0; i < 2; i++) {
        unsigned size = choose(in);
        pieces.sizes[i] = size == 0 ? SIZE_MAX : size;
    }
    return pieces;
}

size_t pieces_next(struct pieces *p, size_t left)
{
    size_t size = p->count < PIECES_MAX ? p->sizes[p->count % 2] : SIZE_MAX;

    p->count++;
    return size < left ? size : left;
}
