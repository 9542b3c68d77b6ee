/* SPDX-License-Identifier: PostgreSQL */
#include "ipc/stream.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES ((size_t)64 * 1024)

struct ipc_stream {
    uv_pipe_t pipe;
    const struct ipc_events *events;
    void *arg;
    char *in; /* the frame that is arriving */
    size_t in_size, in_capacity, max_bytes;
    size_t scanned;                                  /* of `in`: has no newline up to here */
    bool ended, gone, closing, dispatching, reading; /* ended: reads no more; gone: nobody reads */
};

struct frame {
    uv_write_t write;
    char *text;
};

struct ipc_stream *ipc_stream_new(uv_loop_t *loop, size_t max_bytes,
                                  const struct ipc_events *events, void *arg)
{
    struct ipc_stream *stream = NEW(struct ipc_stream);

    uv_pipe_init(loop, &stream->pipe, 0);
    stream->pipe.data = stream;
    stream->events = events;
    stream->arg = arg;
    stream->max_bytes = max_bytes;
    return stream;
}

uv_pipe_t *ipc_stream_pipe(struct ipc_stream *stream)
{
    return &stream->pipe;
}

static void on_closed(uv_handle_t *handle)
{
    struct ipc_stream *stream = handle->data;

    free(stream->in);
    free(stream);
}

static void end(struct ipc_stream *stream, const struct error *err)
{
    if (stream->ended || stream->closing)
        return;
    stream->ended = true;
    stream->gone = !err || err->code != ERR_PROTOCOL;
    uv_read_stop((uv_stream_t *)&stream->pipe);
    stream->events->on_end(stream->arg, err);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct ipc_stream *stream = handle->data;

    (void)suggested;
    if (stream->in_capacity - stream->in_size < READ_BYTES / 2) {
        size_t wanted = stream->in_capacity * 2 + READ_BYTES;
        if (wanted > stream->max_bytes + READ_BYTES)
            wanted = stream->max_bytes + READ_BYTES;
        stream->in = mem_resize(stream->in, wanted, 1);
        stream->in_capacity = wanted;
    }
    *buf = uv_buf_init(stream->in + stream->in_size,
                       (unsigned)(stream->in_capacity - stream->in_size));
}

/* Hands one frame over; false when the stream ended or was closed by it. */
static bool dispatch(struct ipc_stream *stream, const char *text, size_t size)
{
    struct error err;
    json_error_t why;
    json_t *message = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);

    if (!json_is_object(message)) {
        error_set(&err, ERR_PROTOCOL, "a frame is not a JSON object");
        if (!message)
            error_detail(&err, "%s, at byte %d", why.text, why.position);
        json_decref(message);
        end(stream, &err);
        return false;
    }
    stream->events->on_message(stream->arg, message);
    json_decref(message);
    return !stream->ended && !stream->closing;
}

static void too_long(struct ipc_stream *stream)
{
    struct error err;

    error_set(&err, ERR_PROTOCOL, "a frame is longer than %zu bytes", stream->max_bytes);
    end(stream, &err);
}

static void dispatch_all(struct ipc_stream *stream)
{
    size_t start = 0;
    bool alive = true;
    char *newline;

    while (
        alive && stream->reading &&
        (newline = memchr(stream->in + stream->scanned, '\n', stream->in_size - stream->scanned))) {
        size_t length = (size_t)(newline - (stream->in + start));
        size_t next = start + length + 1;
        stream->scanned = next;
        if (length >= stream->max_bytes) {
            too_long(stream);
            return;
        }
        alive = dispatch(stream, stream->in + start, length);
        start = next;
    }
    if (!alive)
        return;
    stream->in_size -= start;
    if (start > 0)
        memmove(stream->in, stream->in + start, stream->in_size);
    stream->scanned = stream->reading ? stream->in_size : 0;
    if (stream->scanned >= stream->max_bytes)
        too_long(stream);
}

static void read_frames(struct ipc_stream *stream)
{
    stream->dispatching = true;
    dispatch_all(stream);
    stream->dispatching = false;
    if (stream->closing)
        uv_close((uv_handle_t *)&stream->pipe, on_closed);
}

static void on_read(uv_stream_t *pipe, ssize_t count, const uv_buf_t *buf)
{
    struct ipc_stream *stream = pipe->data;
    struct error err;

    (void)buf;
    if (count == UV_EOF || count == UV_ECONNRESET) {
        end(stream, NULL);
    } else if (count < 0) {
        error_set(&err, ERR_SYSTEM, "cannot read from the socket: %s", uv_strerror((int)count));
        end(stream, &err);
    } else if (count > 0) {
        stream->in_size += (size_t)count;
        read_frames(stream);
    }
}

int ipc_stream_start(struct ipc_stream *stream, struct error *err)
{
    int rc = uv_read_start((uv_stream_t *)&stream->pipe, on_alloc, on_read);

    if (rc < 0)
        return error_set(err, ERR_SYSTEM, "cannot read from a socket: %s", uv_strerror(rc));
    stream->reading = true;
    return 0;
}

void ipc_stream_pause(struct ipc_stream *stream)
{
    if (stream->ended || stream->closing)
        return;
    stream->reading = false;
    uv_read_stop((uv_stream_t *)&stream->pipe);
}

void ipc_stream_resume(struct ipc_stream *stream)
{
    if (stream->reading || stream->ended || stream->closing)
        return;
    stream->reading = true;
    uv_read_start((uv_stream_t *)&stream->pipe, on_alloc, on_read);
    if (!stream->dispatching && stream->in_size > 0)
        read_frames(stream);
}

static void on_written(uv_write_t *write, int status)
{
    struct frame *frame = CONTAINER_OF(write, struct frame, write);
    struct ipc_stream *stream = write->handle->data;

    free(frame->text);
    free(frame);
    /* while it reads, the end comes from there, behind what the other side still said */
    if (status < 0 && status != UV_ECANCELED && !stream->reading)
        end(stream, NULL);
}

char *ipc_frame(json_t *message, size_t *size)
{
    char *text = json_dumps(message, JSON_COMPACT);

    json_decref(message);
    if (!text)
        log_fatal("a message could not be encoded");
    *size = strlen(text) + 1;
    text[*size - 1] = '\n'; /* in place of its NUL: the length travels with the buffer */
    return text;
}

void ipc_stream_send(struct ipc_stream *stream, json_t *message)
{
    size_t size;
    char *text = ipc_frame(message, &size);

    if (stream->gone || stream->closing) {
        free(text);
        return;
    }
    struct frame *frame = NEW(struct frame);
    frame->text = text;
    uv_buf_t buf = uv_buf_init(text, (unsigned)size);
    int rc = uv_write(&frame->write, (uv_stream_t *)&stream->pipe, &buf, 1, on_written);
    if (rc < 0) {
        free(text);
        free(frame);
    }
}

size_t ipc_stream_queued_bytes(const struct ipc_stream *stream)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&stream->pipe);
}

size_t ipc_stream_partial_bytes(const struct ipc_stream *stream)
{
    return stream->reading ? stream->in_size : 0;
}

void ipc_stream_close(struct ipc_stream *stream)
{
    if (!stream || stream->closing)
        return;
    stream->closing = true;
    if (!stream->dispatching) /* else read_frames closes it, once the frames are let go */
        uv_close((uv_handle_t *)&stream->pipe, on_closed);
}
