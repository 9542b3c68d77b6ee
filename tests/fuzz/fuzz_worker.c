/* SPDX-License-Identifier: PostgreSQL */
/* Both directions of the socketpair between supervisor and worker: any bytes, in any pieces,
 * through the real stream. The frames that arrive are those of frames.h; what passes the check
 * becomes a structure and a message again, and the same structure from that; what does not is
 * refused with an error that can be sent.
 *
 * The first four bytes choose direction and longest frame, after how many messages the reader
 * pauses, and the pieces. */
#include "base/mem.h"
#include "base/text.h"
#include "ipc/job.h"
#include "ipc/messages.h"
#include "ipc/stream.h"
#include "tests/fuzz/frames.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct world {
    enum ipc_sender sender;
    unsigned pause_after; /* so many messages, again and again; 0: never */
    struct frames frames; /* what has to arrive */
    struct pieces pieces;
    struct ipc_stream *stream;
    unsigned messages;
    bool paused, ended;
};

/* ---- a structure, a message, and the structure again ---- */

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void demand_text(const char *text)
{
    DEMAND(text_utf8_valid(text, strlen(text)) == strlen(text));
}

static void demand_same_error(const struct error *a, const struct error *b)
{
    DEMAND(a->code == b->code);
    DEMAND(strcmp(a->message, b->message) == 0 && strcmp(a->detail, b->detail) == 0);
    DEMAND(strcmp(a->hint, b->hint) == 0 && strcmp(a->sqlstate, b->sqlstate) == 0);
}

static void demand_same_profile(const struct profile *a, const struct profile *b)
{
    DEMAND(same_text(a->name, b->name));
    for (int i = 0; i < PROFILE_COLUMNS; i++)
        DEMAND(same_text(a->columns[i], b->columns[i]));
    DEMAND(a->header == b->header && a->surplus_ignore == b->surplus_ignore);
    DEMAND(a->delimiter == b->delimiter && a->quote == b->quote);
    DEMAND(a->reject_limit == b->reject_limit);
}

static void demand_same_job(const struct job *a, const struct job *b)
{
    DEMAND(a->mode == b->mode && a->tracker == b->tracker);
    DEMAND(a->epoch == b->epoch && a->token == b->token);
    DEMAND(same_text(a->owner, b->owner) && same_text(a->path, b->path));
    DEMAND(a->allow_count == b->allow_count);
    for (size_t i = 0; i < a->allow_count; i++)
        DEMAND(same_text(a->allow[i], b->allow[i]));
    demand_same_profile(&a->profile, &b->profile);
    DEMAND(a->chunk_bytes == b->chunk_bytes && a->max_record == b->max_record);
    DEMAND(a->lanes == b->lanes && a->earlier == b->earlier);
    DEMAND(a->content == b->content && a->again == b->again);
    DEMAND(same_text(a->schema, b->schema) && same_text(a->conninfo, b->conninfo));
    DEMAND(same_text(a->application_name, b->application_name));
    DEMAND(a->log_level == b->log_level);
}

/* It would be one frame, and is taken by who gets it. */
static void demand_sendable(const json_t *message, enum ipc_sender sender, enum ipc_kind wanted)
{
    char *text = json_dumps(message, JSON_COMPACT);
    enum ipc_kind kind;
    struct error err;

    DEMAND(text && !strchr(text, '\n'));
    DEMAND(ipc_check(message, sender, &kind, &err) == 0 && kind == wanted);
    free(text);
}

static void demand_refusal(int rc, const struct error *err)
{
    json_t *json = ipc_error_json(err);
    char *text = json_dumps(json, JSON_COMPACT);

    DEMAND(rc == -(int)ERR_PROTOCOL && err->code == ERR_PROTOCOL);
    DEMAND(text && err->message[0]);
    free(text);
    json_decref(json);
}

static void check_ending(const json_t *message)
{
    struct ending ending;
    struct ending again;
    struct error err;
    int rc = ending_decode(message, &ending, &err);

    if (rc < 0) {
        demand_refusal(rc, &err);
        return;
    }
    DEMAND(ending.outcome != OUTCOME_CRASHED);
    demand_text(ending.error.message); /* they go into the database */
    demand_text(ending.error.detail);
    demand_text(ending.error.hint);
    demand_text(ending.error.sqlstate);
    json_t *encoded = ending_encode(&ending);
    demand_sendable(encoded, FROM_WORKER, IPC_END);
    DEMAND(ending_decode(encoded, &again, &err) == 0);
    DEMAND(ending.outcome == again.outcome);
    DEMAND(identity_same(&ending.identity, &again.identity));
    demand_same_error(&ending.error, &again.error);
    json_decref(encoded);
}

static void check_job(const json_t *message)
{
    struct job job;
    struct job again;
    struct error err;
    int rc = job_decode(message, &job, &err);

    if (rc < 0) {
        demand_refusal(rc, &err);
    } else {
        json_t *encoded = job_encode(&job);
        demand_sendable(encoded, TO_WORKER, IPC_JOB);
        DEMAND(job_decode(encoded, &again, &err) == 0);
        demand_same_job(&job, &again);
        job_fini(&again);
        json_decref(encoded);
    }
    job_fini(&job);
}

static void check_message(const json_t *message, enum ipc_sender sender)
{
    enum ipc_kind kind = IPC_KIND_COUNT;
    struct error err;
    int rc = ipc_check(message, sender, &kind, &err);

    if (rc < 0) {
        demand_refusal(rc, &err);
        return;
    }
    DEMAND(strcmp(ipc_kind_name(kind), ipc_text(message, "kind")) == 0);
    for (size_t i = 0; i < ipc_field_count; i++)
        if (ipc_fields[i].kind == kind && ipc_fields[i].required)
            DEMAND(json_object_get(message, ipc_fields[i].name));
    if (kind == IPC_END)
        check_ending(message);
    else if (kind == IPC_JOB)
        check_job(message);
}

/* ---- the stream ---- */

static void on_message(void *arg, const json_t *message)
{
    struct world *w = arg;
    json_t *wanted;

    DEMAND(!w->ended && !w->paused);
    DEMAND(frames_next(&w->frames, &wanted) == FRAME_MESSAGE);
    DEMAND(json_equal(message, wanted));
    json_decref(wanted);
    check_message(message, w->sender);
    w->messages++;
    if (w->pause_after > 0 && w->messages % w->pause_after == 0) {
        w->paused = true;
        ipc_stream_pause(w->stream);
    }
}

static void on_end(void *arg, const struct error *err)
{
    struct world *w = arg;
    json_t *message;

    DEMAND(!w->ended);
    w->ended = true;
    DEMAND(frames_next(&w->frames, &message) == (err ? FRAME_BROKEN : FRAME_NONE));
    if (err)
        demand_refusal(-(int)err->code, err);
    ipc_stream_close(w->stream);
}

static const struct ipc_events events = {on_message, on_end};

static void turn(struct world *w, uv_loop_t *loop, uv_run_mode mode)
{
    uv_run(loop, mode);
    if (!w->paused || w->ended)
        return;
    w->paused = false;
    ipc_stream_resume(w->stream);
}

/* Each piece is read before the next is sent; then nothing more comes. */
static void feed(struct world *w, uv_loop_t *loop, int fd)
{
    const char *data = w->frames.data;
    size_t left = w->frames.size;

    while (left > 0 && !w->ended) {
        size_t size = pieces_next(&w->pieces, left);
        DEMAND(send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size);
        turn(w, loop, UV_RUN_NOWAIT);
        data += size;
        left -= size;
    }
    close(fd);
    while (!w->ended)
        turn(w, loop, UV_RUN_ONCE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uv_loop_t loop;
    struct input_bytes in = {data, size};
    struct world w = {.ended = false};
    unsigned how = choose(&in);
    struct error err;
    int fds[2];

    if (!loop.data) {
        DEMAND(uv_loop_init(&loop) == 0);
        loop.data = &loop;
    }
    w.sender = how & 1 ? TO_WORKER : FROM_WORKER;
    w.pause_after = choose(&in);
    w.pieces = pieces_choose(&in);
    w.frames = (struct frames){
        .data = (const char *)in.data,
        .size = in.size,
        .max_bytes = how & 2 ? 16 + (how >> 2) : IPC_MESSAGE_MAX_BYTES,
    };
    DEMAND(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    w.stream = ipc_stream_new(&loop, w.frames.max_bytes, &events, &w);
    DEMAND(uv_pipe_open(ipc_stream_pipe(w.stream), fds[0]) == 0);
    DEMAND(ipc_stream_start(w.stream, &err) == 0);
    feed(&w, &loop, fds[1]);
    uv_run(&loop, UV_RUN_DEFAULT); /* it is closed */
    return 0;
}
