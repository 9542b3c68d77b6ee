/* SPDX-License-Identifier: PostgreSQL */
/* What a stream of bytes holds by the rules of ipc/stream.h, found in memory; and the pieces in
 * which it is fed to a socket. It shares no code with the stream. */
#ifndef TESTS_FUZZ_FRAMES_H
#define TESTS_FUZZ_FRAMES_H

#include "tests/fuzz/fuzz.h"

#include <jansson.h>

enum frame {
    FRAME_MESSAGE,
    FRAME_BROKEN, /* too long, or no JSON object: nothing is read behind it */
    FRAME_NONE    /* the bytes are at their end, perhaps within a frame */
};

struct frames {
    const char *data;
    size_t size, at;
    size_t max_bytes;
};

/* The next frame; *message, of a message, is the caller's. */
enum frame frames_next(struct frames *frames, json_t **message);

/* The sizes of pieces: two that take turns, chosen by two bytes. */
struct pieces {
    size_t sizes[2];
    unsigned count;
};

struct pieces pieces_choose(struct input_bytes *in);

/* The next piece of what is left, of which there is something. */
size_t pieces_next(struct pieces *pieces, size_t left);

#endif
