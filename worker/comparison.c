/* SPDX-License-Identifier: PostgreSQL */
#include "worker/comparison.h"

#include "base/mem.h"
#include "worker/found.h"

#include <stdlib.h>

/* Rows that wait for the file to come to their records. Lanes that extend the table beside each
 * other mix up some 30,000 of them; where there are more, nothing lies in order. While the file is
 * read, half as many may come. */
#define WAITING_ROWS ((size_t)65536)
#define WAITING_BYTES ((size_t)4 * 1024 * 1024)

#define BEYOND 100 /* rows beyond one a record: no more are fetched */

/* The stages of a chunk follow one another in this file's order, read from its end: its rows are
 * asked for, (a part is read, its rejects, its rows, compared), ended. */
struct comparison {
    uv_loop_t *loop;
    const struct job *job;
    struct db_conn *conn, *stream;
    struct input *input;
    const struct comparison_events *events;
    void *arg;

    struct compared so_far;
    struct reader *reader;
    struct part *part;
    bool chunk_ends;                                /* with the part */
    enum { READING, NEEDING_ROWS, COMPARED } stage; /* of the part */

    struct found *found; /* rows that are not compared yet */
    size_t there;        /* of them, the part's; as they lie only */
    bool sorted;         /* they come in order, fetched; else as they lie, streamed */
    size_t asked;        /* fetched: for so many at once */
    bool all_there;      /* no more come */
    bool astray;         /* no more are looked at: in order now, when they have come to their end */

    uv_work_t work; /* part_read, in the thread pool */
    bool works, closed;
    int work_rc;
    struct error work_error;
};

static void comparison_free(struct comparison *c)
{
    reader_free(c->reader);
    part_free(c->part);
    found_free(c->found);
    input_leave(c->input);
    free(c);
}

void comparison_close(struct comparison *c)
{
    if (!c || c->closed)
        return;
    c->closed = true;
    if (!c->works)
        comparison_free(c);
}

const struct compared *comparison_found(const struct comparison *c)
{
    return &c->so_far;
}

/* ---- a part ---- */

static void start(struct comparison *c, bool sorted);
static void read_part(struct comparison *c);
static void fetch(struct comparison *c, size_t count);

/* What has gone astray begins anew, in order, when nothing is under way any more: neither the file
 * nor the rows. */
static void turn_back(struct comparison *c)
{
    if (c->all_there && c->stage != READING)
        start(c, true);
}

/* As they lie, the rows do not come out equal. */
static void go_astray(struct comparison *c)
{
    c->astray = true;
    proof_go_on(c->stream);
    turn_back(c);
}

/* What was read is equal so far. No row may be left when the chunk's last record is compared. */
static void end_part(struct comparison *c)
{
    c->stage = COMPARED;
    if (!c->chunk_ends)
        read_part(c);
    else if (found_count(c->found) > 0)
        go_astray(c);
    else if (c->all_there)
        c->events->on_equal(c->arg);
    else if (c->sorted)
        fetch(c, BEYOND);
}

static void compare(struct comparison *c)
{
    struct differences differences = {.count = 0};
    size_t there = found_until(c->found, part_last(c->part));

    part_compare(c->part, found_rows(c->found, there), there, &differences);
    if (differences.count > 0 && c->sorted) {
        c->events->on_differs(c->arg, &differences);
        return;
    }
    if (differences.count > 0) {
        go_astray(c);
        return;
    }
    found_drop(c->found, there);
    c->so_far.last_line = part_last(c->part);
    c->so_far.end_offset = part_end(c->part);
    c->so_far.rows += (int64_t)there;
    c->so_far.rejects += part_count(c->part) - (int64_t)part_due(c->part);
    c->events->on_part(c->arg);
    end_part(c);
}

/* ---- its rows, as they lie ---- */

static bool is_more_than(const struct comparison *c, size_t parts)
{
    return found_count(c->found) > WAITING_ROWS / parts ||
           found_bytes(c->found) > WAITING_BYTES / parts;
}

/* Goes on with the part as far as its rows are there. */
static void look(struct comparison *c)
{
    if (c->stage != NEEDING_ROWS)
        return;
    if (c->there >= part_due(c->part) || c->all_there)
        compare(c);
    else if (is_more_than(c, 1))
        go_astray(c);
}

static bool on_row(void *arg, const struct proof_row *row)
{
    struct comparison *c = arg;

    if (c->astray)
        return true;
    found_add(c->found, row);
    if (row->line <= c->so_far.last_line || (c->stage == COMPARED && c->chunk_ends)) {
        go_astray(c); /* nothing of it was missing */
        return true;
    }
    if (c->stage == NEEDING_ROWS && row->line <= part_last(c->part))
        c->there++;
    look(c);
    return c->astray || c->stage == NEEDING_ROWS || !is_more_than(c, 2);
}

static void on_streamed(void *arg, const struct db_error *err)
{
    struct comparison *c = arg;

    if (err) {
        c->events->on_database(c->arg, err);
        return;
    }
    c->all_there = true;
    if (c->astray)
        turn_back(c);
    else if (c->stage == COMPARED && c->chunk_ends)
        end_part(c);
    else
        look(c);
}

/* ---- its rows, in order ---- */

/* As many as there should be, and one of the next, which shows that no more come. Many more than
 * there should be differ, however many. */
static void fetch_rows(struct comparison *c)
{
    size_t due = part_due(c->part);
    size_t there = found_until(c->found, part_last(c->part));

    if (c->all_there || there < found_count(c->found) || there > due + BEYOND)
        compare(c);
    else
        fetch(c, there < due ? due - there + 1 : BEYOND);
}

static void on_fetched(void *arg, const struct proof_row *rows, size_t count,
                       const struct db_error *err)
{
    struct comparison *c = arg;

    if (err) {
        c->events->on_database(c->arg, err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        found_add(c->found, &rows[i]);
    c->all_there = count < c->asked;
    if (c->stage == COMPARED)
        end_part(c);
    else
        fetch_rows(c);
}

static void fetch(struct comparison *c, size_t count)
{
    c->asked = count;
    proof_fetch(c->conn, count, on_fetched, c);
}

/* ---- its rejects ---- */

static void on_part_rejects(void *arg, const struct tracker_reject *rejects, size_t count,
                            const struct db_error *err)
{
    struct comparison *c = arg;
    size_t mine = 0;

    if (err) {
        c->events->on_database(c->arg, err);
        return;
    }
    while (mine < count && rejects[mine].line <= part_last(c->part))
        mine++;
    part_take_rejects(c->part, rejects, mine);
    c->stage = NEEDING_ROWS;
    if (c->astray) {
        turn_back(c);
        return;
    }
    if (c->sorted) {
        fetch_rows(c);
        return;
    }
    c->there = found_until(c->found, part_last(c->part));
    proof_go_on(c->stream);
    look(c);
}

/* ---- its records ---- */

static void on_part(uv_work_t *work)
{
    struct comparison *c = CONTAINER_OF(work, struct comparison, work);

    c->work_rc = part_read(c->part, c->reader, &c->work_error);
}

static void on_part_done(uv_work_t *work, int status)
{
    struct comparison *c = CONTAINER_OF(work, struct comparison, work);

    (void)status; /* it is never cancelled */
    c->works = false;
    if (c->closed) {
        comparison_free(c);
        return;
    }
    if (c->work_rc < 0) {
        c->events->on_failed(c->arg, &c->work_error);
        return;
    }
    c->chunk_ends = c->work_rc == 0;
    if (part_count(c->part) == 0 && c->astray) {
        c->stage = COMPARED;
        turn_back(c);
    } else if (part_count(c->part) == 0) {
        end_part(c);
    } else {
        tracker_rejects(c->conn, c->job->tracker, part_first(c->part) - 1, part_count(c->part) + 1,
                        on_part_rejects, c);
    }
}

static void read_part(struct comparison *c)
{
    c->stage = READING;
    c->works = true;
    uv_queue_work(c->loop, &c->work, on_part, on_part_done);
}

/* ---- a chunk ---- */

static void on_opened(void *arg, const struct db_error *err)
{
    struct comparison *c = arg;

    if (err)
        c->events->on_database(c->arg, err);
    else
        read_part(c);
}

static void start(struct comparison *c, bool sorted)
{
    const struct checkpoint chunk = c->so_far.chunk;

    c->so_far = (struct compared){
        .chunk = chunk, .last_line = chunk.first_line - 1, .end_offset = chunk.start_offset};
    reader_free(c->reader);
    c->reader = reader_new(c->input, &chunk);
    found_clear(c->found);
    c->sorted = sorted;
    c->all_there = c->astray = false;
    if (sorted) {
        proof_open(c->conn, c->job->tracker, chunk.first_line, chunk.last_line, on_opened, c);
        return;
    }
    proof_stream(c->stream, c->job->tracker, chunk.first_line, chunk.last_line, on_row, on_streamed,
                 c);
    read_part(c);
}

void comparison_begin(struct comparison *c, const struct checkpoint *chunk)
{
    c->so_far.chunk = *chunk;
    start(c, c->stream == NULL);
}

struct comparison *comparison_new(uv_loop_t *loop, const struct job *job, struct db_conn *conn,
                                  struct db_conn *stream, struct input *input,
                                  const struct comparison_events *events, void *arg)
{
    struct comparison *c = NEW(struct comparison);

    c->loop = loop;
    c->job = job;
    c->conn = conn;
    c->stream = stream;
    c->input = input_use(input);
    c->part = part_new();
    c->found = found_new();
    c->events = events;
    c->arg = arg;
    return c;
}
