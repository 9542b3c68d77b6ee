/* SPDX-License-Identifier: PostgreSQL */
#include "worker/strip.h"

#include "base/mem.h"
#include "db/trackers.h"
#include "worker/found.h"
#include "worker/part.h"

#include <stdlib.h>

/* Rows that wait for the file to come to their records. Lanes that extend the table beside each
 * other mix up some 30,000 of them; where there are more, nothing lies in order. While the file is
 * read, a quarter may come. */
#define WAITING_ROWS ((size_t)65536)
#define WAITING_BYTES ((size_t)4 * 1024 * 1024)

struct strip {
    uv_loop_t *loop;
    const struct job *job;
    struct db_conn *conn;
    struct input *input;
    const struct checkpoint *chunk;
    void (*on_change)(void *arg);
    void *arg;

    enum strip_state state;
    struct db_error error;
    struct strip_found so_far;
    int64_t last_line; /* compared so far */
    struct reader *reader;
    struct part *part;
    bool needs_rows; /* for the part; else it is read, or its rejects are */
    bool asks;       /* for them */
    bool chunk_ends; /* with the part */
    struct found *found;
    size_t there; /* of the found, the part's */
    bool all_there;

    uv_work_t work; /* part_read, in the thread pool */
    bool works, closed;
    int work_rc;
    struct error work_error;
};

static void strip_free(struct strip *strip)
{
    reader_free(strip->reader);
    part_free(strip->part);
    found_free(strip->found);
    input_leave(strip->input);
    free(strip);
}

void strip_close(struct strip *strip)
{
    if (!strip || strip->closed)
        return;
    strip->closed = true;
    if (!strip->works)
        strip_free(strip);
}

enum strip_state strip_state(const struct strip *strip)
{
    return strip->state;
}

const struct checkpoint *strip_chunk(const struct strip *strip)
{
    return strip->chunk;
}

struct strip_found strip_found(const struct strip *strip)
{
    return strip->so_far;
}

const struct db_error *strip_error(const struct strip *strip)
{
    return &strip->error;
}

static bool is_more_than(const struct strip *strip, size_t parts)
{
    return found_count(strip->found) > WAITING_ROWS / parts ||
           found_bytes(strip->found) > WAITING_BYTES / parts;
}

bool strip_asks(const struct strip *strip)
{
    return strip->asks;
}

void strip_leave(struct strip *strip)
{
    if (strip->state == STRIP_OPEN)
        strip->state = STRIP_ASTRAY;
}

bool strip_full(const struct strip *strip)
{
    return strip->state == STRIP_OPEN && !strip->needs_rows && is_more_than(strip, 4);
}

bool strip_lags(const struct strip *strip)
{
    int64_t there = strip->so_far.rows + (int64_t)found_count(strip->found);

    return strip->state == STRIP_OPEN && !strip->needs_rows && there >= strip->chunk->row_count;
}

/* ---- a part ---- */

static void read_part(struct strip *strip);

static void end_part(struct strip *strip)
{
    const struct checkpoint *chunk = strip->chunk;

    if (!strip->chunk_ends)
        read_part(strip);
    else if (found_count(strip->found) == 0 && strip->so_far.rows == chunk->row_count &&
             strip->so_far.rejects == chunk->reject_count)
        strip->state = STRIP_EQUAL;
    else
        strip->state = STRIP_ASTRAY;
}

static void compare(struct strip *strip)
{
    struct differences differences = {.count = 0};
    size_t there = found_until(strip->found, part_last(strip->part));

    part_compare(strip->part, found_rows(strip->found, there), there, &differences);
    if (differences.count > 0) {
        strip->state = STRIP_ASTRAY;
        return;
    }
    found_drop(strip->found, there);
    strip->last_line = part_last(strip->part);
    strip->so_far.rows += (int64_t)there;
    strip->so_far.rejects += part_rejects(strip->part);
    strip->so_far.bytes = part_end(strip->part) - strip->chunk->start_offset;
    end_part(strip);
}

/* Goes on with the part when its rows are there. */
static void look(struct strip *strip)
{
    if (!strip->needs_rows)
        return;
    if (strip->there >= part_due(strip->part) || strip->all_there)
        compare(strip);
    else if (is_more_than(strip, 1))
        strip->state = STRIP_ASTRAY;
}

void strip_take(struct strip *strip, const struct proof_row *row)
{
    if (strip->state != STRIP_OPEN)
        return;
    if (row->line <= strip->last_line) {
        strip->state = STRIP_ASTRAY; /* nothing of that part was missing */
        return;
    }
    found_add(strip->found, row);
    if (strip->needs_rows && row->line <= part_last(strip->part))
        strip->there++;
    look(strip);
}

void strip_end(struct strip *strip)
{
    strip->all_there = true;
    if (strip->state == STRIP_OPEN)
        look(strip);
}

static void take_rejects(struct strip *strip, const struct tracker_reject *rejects, size_t count)
{
    part_take_rejects(strip->part, rejects, count);
    strip->there = found_until(strip->found, part_last(strip->part));
    strip->needs_rows = true;
    look(strip);
}

static void on_part_rejects(void *arg, const struct tracker_reject *rejects, size_t count,
                            const struct db_error *err)
{
    struct strip *strip = arg;

    strip->asks = false;
    if (err) {
        strip->state = STRIP_FAILED;
        strip->error = *err;
    } else if (strip->state == STRIP_OPEN) {
        take_rejects(strip, rejects, count);
    }
    strip->on_change(strip->arg);
}

/* Of a chunk without any, none is asked for: where one has come since, there is one too many of
 * all. */
static void read_rejects(struct strip *strip)
{
    if (strip->chunk->reject_count == 0) {
        take_rejects(strip, NULL, 0);
        strip->on_change(strip->arg);
        return;
    }
    strip->asks = true;
    part_ask_rejects(strip->part, strip->conn, strip->job->tracker, on_part_rejects, strip);
}

static void on_part(uv_work_t *work)
{
    struct strip *strip = CONTAINER_OF(work, struct strip, work);

    strip->work_rc = part_read(strip->part, strip->reader, &strip->work_error);
}

static void on_part_done(uv_work_t *work, int status)
{
    struct strip *strip = CONTAINER_OF(work, struct strip, work);

    (void)status; /* it is never cancelled */
    strip->works = false;
    if (strip->closed) {
        strip_free(strip);
        return;
    }
    strip->chunk_ends = strip->work_rc == 0;
    if (strip->state == STRIP_OPEN && strip->work_rc >= 0 && part_count(strip->part) > 0) {
        read_rejects(strip);
        return;
    }
    if (strip->state == STRIP_OPEN && strip->work_rc >= 0)
        end_part(strip);
    else
        strip->state = STRIP_ASTRAY;
    strip->on_change(strip->arg);
}

static void read_part(struct strip *strip)
{
    strip->needs_rows = false;
    strip->works = true;
    uv_queue_work(strip->loop, &strip->work, on_part, on_part_done);
}

struct strip *strip_new(uv_loop_t *loop, const struct job *job, struct db_conn *conn,
                        struct input *input, const struct checkpoint *chunk,
                        void (*on_change)(void *arg), void *arg)
{
    struct strip *strip = NEW(struct strip);

    strip->loop = loop;
    strip->job = job;
    strip->conn = conn;
    strip->input = input_use(input);
    strip->chunk = chunk;
    strip->on_change = on_change;
    strip->arg = arg;
    strip->last_line = chunk->first_line - 1;
    strip->reader = reader_new(input, chunk);
    strip->part = part_new();
    strip->found = found_new();
    read_part(strip);
    return strip;
}
