/* SPDX-License-Identifier: PostgreSQL */
/* A connection that carries messages: frames of one JSON object and a newline, over a
 * Unix-domain stream socket on a libuv loop. Bounded both ways. */
#ifndef IPC_STREAM_H
#define IPC_STREAM_H

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>
#include <uv.h>

struct ipc_stream;

struct ipc_events {
    /* A whole frame that is a JSON object. `message` is borrowed. May close the stream. */
    void (*on_message)(void *arg, const json_t *message);
    /* The other side is gone (`err` NULL), or the stream broke (a frame too long or not JSON:
     * ERR_PROTOCOL, which the other side can still be told; a failed read or write: ERR_SYSTEM).
     * Called once, at most; the owner then closes the stream. A partial frame before the end is
     * normal and is dropped. */
    void (*on_end)(void *arg, const struct error *err);
};

/* A stream that is not connected yet. `max_bytes` bounds a frame. `events` must outlive it. */
struct ipc_stream *ipc_stream_new(uv_loop_t *loop, size_t max_bytes,
                                  const struct ipc_events *events, void *arg);

/* The pipe inside, to connect, accept, open or spawn into. Owned by the stream. */
uv_pipe_t *ipc_stream_pipe(struct ipc_stream *stream);

/* Starts to read; messages arrive from the next turn of the loop. 0 or -ERR_SYSTEM. */
int ipc_stream_start(struct ipc_stream *stream, struct error *err) MUST_USE;

/* Stops and resumes reading: back-pressure on a client whose answers are still under way. */
void ipc_stream_pause(struct ipc_stream *stream);
void ipc_stream_resume(struct ipc_stream *stream);

/* A message as a frame of so many bytes, its newline included, and no NUL behind. Takes the message
 * over; the caller frees the frame. */
char *ipc_frame(json_t *message, size_t *size);

/* Sends one message and takes it over, also when it fails. A write that fails later ends the
 * stream through on_end. */
void ipc_stream_send(struct ipc_stream *stream, json_t *message);

/* Bytes that were sent and are not yet in the kernel's hands. */
size_t ipc_stream_queued_bytes(const struct ipc_stream *stream);

/* Bytes of a frame that has begun to arrive and is not whole; 0 while reading is paused. */
size_t ipc_stream_partial_bytes(const struct ipc_stream *stream);

/* Ends the stream and frees it when libuv lets go. What is queued and not in the kernel's hands is
 * dropped; no event follows. NULL is allowed. */
void ipc_stream_close(struct ipc_stream *stream);

#endif
