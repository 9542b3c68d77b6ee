/* SPDX-License-Identifier: PostgreSQL */
#include "worker/sweep.h"

#include "base/mem.h"
#include "db/proof.h"
#include "worker/strip.h"

#include <stdlib.h>
#include <string.h>

/* Chunks whose rows may lie side by side: those of so many lanes but one, which may be ahead. */
#define STRIPS 8

struct sweep {
    uv_loop_t *loop;
    const struct job *job;
    struct db_conn *conn, *stream;
    struct input *input;
    const struct checkpoint *chunks;
    size_t count;
    const struct sweep_events *events;
    void *arg;

    struct strip *strips[STRIPS];
    size_t open;
    size_t next;              /* the first chunk that has no strip yet */
    struct strip_found equal; /* all of the strips that are closed */
    bool astray, all_there;
};

void sweep_close(struct sweep *sweep)
{
    if (!sweep)
        return;
    for (size_t i = 0; i < sweep->open; i++)
        strip_close(sweep->strips[i]);
    free(sweep);
}

/* ---- strips ---- */

static void add(struct strip_found *sum, struct strip_found found)
{
    sum->rows += found.rows;
    sum->rejects += found.rejects;
    sum->bytes += found.bytes;
}

/* Closes the one that is equal. */
static void close_strip(struct sweep *sweep, size_t place)
{
    add(&sweep->equal, strip_found(sweep->strips[place]));
    strip_close(sweep->strips[place]);
    sweep->strips[place] = sweep->strips[--sweep->open];
}

static void on_change(void *arg);

static void open_next(struct sweep *sweep)
{
    struct strip *strip = strip_new(sweep->loop, sweep->job, sweep->conn, sweep->input,
                                    &sweep->chunks[sweep->next++], on_change, sweep);

    sweep->strips[sweep->open++] = strip;
    if (sweep->all_there)
        strip_end(strip);
}

static bool is_of(const struct strip *strip, int64_t line)
{
    const struct checkpoint *chunk = strip_chunk(strip);

    return line >= chunk->first_line && line <= chunk->last_line;
}

/* The strip of a record's chunk; NULL: it is closed, or too far ahead, or there is no such chunk.
 */
static struct strip *strip_of(struct sweep *sweep, int64_t line)
{
    for (size_t i = 0; i < sweep->open; i++)
        if (is_of(sweep->strips[i], line))
            return sweep->strips[i];
    while (sweep->next < sweep->count && sweep->open < STRIPS &&
           line >= sweep->chunks[sweep->next].first_line) {
        open_next(sweep);
        if (is_of(sweep->strips[sweep->open - 1], line))
            return sweep->strips[sweep->open - 1];
    }
    return NULL;
}

/* ---- what became of them ---- */

/* In no particular order: the pass is not. */
static void report(const struct sweep *sweep)
{
    struct strip_found sum = sweep->equal;

    for (size_t i = 0; i < sweep->open; i++)
        add(&sum, strip_found(sweep->strips[i]));
    const struct point point = {
        .chunk = {.chunk_no = (int64_t)(sweep->next - sweep->open),
                  .last_line = sum.rows + sum.rejects,
                  .end_offset = sum.bytes},
        .rows = sum.rows,
        .rejects = sum.rejects,
    };

    sweep->events->on_progress(sweep->arg, &point);
}

/* Ends when no strip waits for an answer. */
static void end_astray(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->open; i++)
        strip_leave(sweep->strips[i]);
    for (size_t i = 0; i < sweep->open; i++)
        if (strip_asks(sweep->strips[i]))
            return;
    sweep->events->on_astray(sweep->arg);
}

/* Takes note of strips that have ended. False: so has the sweep, or is about to, and may be gone.
 */
static bool settle(struct sweep *sweep)
{
    for (size_t i = sweep->open; i-- > 0;) {
        enum strip_state state = strip_state(sweep->strips[i]);
        if (state == STRIP_FAILED) {
            sweep->events->on_database(sweep->arg, strip_error(sweep->strips[i]));
            return false;
        }
        if (state == STRIP_EQUAL)
            close_strip(sweep, i);
        sweep->astray |= state == STRIP_ASTRAY;
    }
    if (sweep->astray) {
        end_astray(sweep);
        return false;
    }
    while (sweep->all_there && sweep->next < sweep->count && sweep->open < STRIPS)
        open_next(sweep);
    if (sweep->all_there && sweep->open == 0) {
        sweep->events->on_equal(sweep->arg, sweep->equal.rejects);
        return false;
    }
    return true;
}

/* Rows of small chunks would come sooner than these are read: when there is no room for one more
 * strip, what only waits for the file is waited for. */
static bool takes_rows(const struct sweep *sweep)
{
    bool crowded = sweep->open == STRIPS;

    for (size_t i = 0; i < sweep->open; i++)
        if (strip_full(sweep->strips[i]) || (crowded && strip_lags(sweep->strips[i])))
            return false;
    return true;
}

static void on_change(void *arg)
{
    struct sweep *sweep = arg;

    report(sweep);
    if (settle(sweep) && !sweep->all_there && takes_rows(sweep))
        proof_go_on(sweep->stream);
}

/* ---- the rows ---- */

static bool on_row(void *arg, const struct proof_row *row)
{
    struct sweep *sweep = arg;
    struct strip *strip = strip_of(sweep, row->line);

    if (strip)
        strip_take(strip, row);
    else
        sweep->astray = true;
    if (strip && strip_state(strip) == STRIP_OPEN)
        return takes_rows(sweep);
    return settle(sweep) && takes_rows(sweep);
}

static void on_streamed(void *arg, const struct db_error *err)
{
    struct sweep *sweep = arg;

    if (err) {
        sweep->events->on_database(sweep->arg, err);
        return;
    }
    sweep->all_there = true;
    for (size_t i = 0; i < sweep->open; i++)
        strip_end(sweep->strips[i]);
    settle(sweep);
}

struct sweep *sweep_new(uv_loop_t *loop, const struct job *job, struct db_conn *conn,
                        struct db_conn *stream, struct input *input,
                        const struct checkpoint *chunks, size_t count,
                        const struct sweep_events *events, void *arg)
{
    struct sweep *sweep = NEW(struct sweep);

    sweep->loop = loop;
    sweep->job = job;
    sweep->conn = conn;
    sweep->stream = stream;
    sweep->input = input;
    sweep->chunks = chunks;
    sweep->count = count;
    sweep->events = events;
    sweep->arg = arg;
    proof_stream(stream, job->tracker, on_row, on_streamed, sweep);
    return sweep;
}
