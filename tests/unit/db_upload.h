/* SPDX-License-Identifier: PostgreSQL */
/* What the tests of chunks have in common: the bytes of a COPY, an upload in PROCESSING, and each
 * step of a chunk with its answer awaited. */
#ifndef TESTS_UNIT_DB_UPLOAD_H
#define TESTS_UNIT_DB_UPLOAD_H

#include "tests/unit/db_world.h"

#include "db/chunks.h"
#include "db/pop.h"

#include <arpa/inet.h>
#include <endian.h>

#define LOCK_TIMEOUT_MS 5000

/* Bytes of a COPY in binary format. */
struct bytes {
    char *data;
    size_t size, capacity;
};

static inline void put(struct bytes *bytes, const void *data, size_t size)
{
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = (bytes->size + size) * 2;
        bytes->data = mem_resize(bytes->data, bytes->capacity, 1);
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static inline void put_count(struct bytes *bytes, int16_t count)
{
    uint16_t wire = htons((uint16_t)count);

    put(bytes, &wire, sizeof wire);
}

static inline void put_field(struct bytes *bytes, const void *data, size_t size)
{
    uint32_t wire = htonl((uint32_t)size);

    put(bytes, &wire, sizeof wire);
    put(bytes, data, size);
}

static inline void put_int64(struct bytes *bytes, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);

    put_field(bytes, &wire, sizeof wire);
}

static inline void put_text(struct bytes *bytes, const char *text)
{
    put_field(bytes, text, strlen(text));
}

static inline void put_head(struct bytes *bytes)
{
    put(bytes, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
}

static inline void put_row(struct bytes *bytes, int64_t tracker, int64_t line, const char *name)
{
    put_count(bytes, 4);
    put_int64(bytes, tracker);
    put_int64(bytes, line);
    put_text(bytes, name);
    put_text(bytes, "somebody@example.org");
}

static inline void put_rows(struct bytes *bytes, int64_t tracker, int64_t first, int64_t last)
{
    char name[32];

    for (int64_t line = first; line <= last; line++) {
        snprintf(name, sizeof name, "name %lld", (long long)line);
        put_row(bytes, tracker, line, name);
    }
}

/* ---- answers ---- */

static inline void take_checkpoints(void *arg, const struct checkpoint *checkpoints, size_t count,
                                    const struct db_error *err)
{
    struct reply *reply = arg;

    take_error(reply, err);
    reply->count = (int64_t)count;
    reply->skipped = count > 0 ? checkpoints[count - 1].chunk_no : 0;
}

static inline void take_flag(void *arg, bool yes, const struct db_error *err)
{
    struct reply *reply = arg;

    take_error(reply, err);
    reply->count = yes;
}

static inline void take_last(void *arg, const struct checkpoint *left, const struct db_error *err)
{
    struct reply *reply = arg;

    take_error(reply, err);
    reply->count = left ? left->chunk_no : 0;
    reply->skipped = left ? left->last_line : 0;
}

static inline void take_drained(void *arg)
{
    struct reply *reply = arg;

    reply->here = true;
    reply->times++;
}

/* ---- an upload in PROCESSING ---- */

struct upload {
    struct reply reply;
    struct claim claim;
};

static inline void upload_open(struct world *world, struct upload *upload)
{
    *upload = (struct upload){0};
    create(world, &upload->reply, "/chunks.csv", WORLD_OWNER);
    move(world, &upload->reply, MOVE_START);
    assert_no_error(&upload->reply);
    const struct tracker *tracker = &upload->reply.tracker;
    upload->claim = (struct claim){tracker->id, tracker->epoch, tracker->token, WORLD_OWNER};
}

static inline void upload_fini(struct upload *upload)
{
    reply_fini(&upload->reply);
}

/* Ten records a chunk, 100 bytes. */
static inline struct checkpoint checkpoint_of(int64_t chunk, bool final)
{
    return (struct checkpoint){.chunk_no = chunk,
                               .first_line = chunk * 10 - 9,
                               .last_line = chunk * 10,
                               .start_offset = chunk * 100 - 100,
                               .end_offset = chunk * 100,
                               .row_count = 10,
                               .hash = {1, 2, 3, (unsigned char)chunk, 255},
                               .final = final};
}

static inline struct reply begin(struct world *world, const struct upload *upload,
                                 int64_t timeout_ms)
{
    struct reply reply = {0};

    chunk_begin(world->conn, &upload->claim, false, timeout_ms, take_done, &reply);
    await(world, &reply.here);
    return reply;
}

static inline void copy_open(struct world *world, enum copy_target target)
{
    struct reply reply = {0};

    copy_begin(world->conn, target, take_done, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
}

static inline struct reply copy_close(struct world *world, const char *abort_reason)
{
    struct reply reply = {0};

    copy_end(world->conn, abort_reason, take_count, &reply);
    await(world, &reply.here);
    return reply;
}

static inline struct reply rollback(struct world *world)
{
    struct reply reply = {0};

    chunk_rollback(world->conn, take_done, &reply);
    await(world, &reply.here);
    assert_no_error(&reply);
    return reply;
}

static inline struct reply commit(struct world *world, const struct upload *upload, int64_t chunk)
{
    struct reply reply = {0};
    struct checkpoint checkpoint = checkpoint_of(chunk, false);

    chunk_commit(world->conn, &upload->claim, &checkpoint,
                 checkpoint.final ? checkpoint.hash : NULL, take_done, &reply);
    await(world, &reply.here);
    return reply;
}

/* BEGIN and the COPY of a chunk's ten rows; the answer is the COPY's. */
static inline struct reply send_chunk(struct world *world, const struct upload *upload,
                                      int64_t chunk)
{
    struct bytes bytes = {0};
    struct reply reply = begin(world, upload, LOCK_TIMEOUT_MS);

    assert_no_error(&reply);
    copy_open(world, COPY_ROWS);
    put_head(&bytes);
    put_rows(&bytes, upload->claim.tracker, chunk * 10 - 9, chunk * 10);
    put_count(&bytes, -1);
    copy_put(world->conn, bytes.data, bytes.size);
    free(bytes.data);
    return copy_close(world, NULL);
}

static inline void load_chunk(struct world *world, const struct upload *upload, int64_t chunk)
{
    struct reply reply = send_chunk(world, upload, chunk);

    assert_no_error(&reply);
    assert_int_equal(reply.count, 10);
    reply = commit(world, upload, chunk);
    assert_no_error(&reply);
}

struct planned {
    struct reply reply; /* found: there is a step */
    struct pop_step step;
};

static inline void take_step(void *arg, const struct pop_step *step, const struct db_error *err)
{
    struct planned *planned = arg;

    take_error(&planned->reply, err);
    planned->reply.found = step;
    if (step)
        planned->step = *step;
}

static inline struct planned plan(struct world *world, const struct upload *upload, int64_t below,
                                  int64_t records)
{
    struct planned planned = {0};

    pop_plan(world->conn, upload->claim.tracker, below, records, take_step, &planned);
    await(world, &planned.reply.here);
    assert_no_error(&planned.reply);
    return planned;
}

static inline struct reply take_out(struct world *world, const struct upload *upload,
                                    const struct pop_step *step)
{
    struct reply reply = {0};

    pop_rows(world->conn, upload->claim.tracker, step, 0, take_count, &reply);
    await(world, &reply.here);
    return reply;
}

static inline struct reply pop(struct world *world, const struct upload *upload,
                               const struct pop_step *step, int64_t deleted)
{
    struct reply reply = {0};

    pop_chunks(world->conn, &upload->claim, step, deleted, take_last, &reply);
    await(world, &reply.here);
    return reply;
}

/* A whole step of the newest chunks. */
static inline struct reply step_back(struct world *world, const struct upload *upload,
                                     int64_t records)
{
    struct planned planned = plan(world, upload, 0, records);

    assert_true(planned.reply.found);
    struct reply out = take_out(world, upload, &planned.step);
    assert_no_error(&out);
    return pop(world, upload, &planned.step, out.count);
}

static inline void assert_seen(struct world *world, const char *last)
{
    char value[64];

    side_value(world, value, sizeof value, "DELETE FROM seen RETURNING level || ' ' || timeout");
    assert_string_equal(value, last);
}

static inline void assert_rows(struct world *world, int64_t rows, int64_t checkpoints)
{
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_data"), rows);
    assert_int_equal(side_int(world, "SELECT count(*) FROM file_checkpoint"), checkpoints);
}

#endif
