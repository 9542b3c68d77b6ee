/* SPDX-License-Identifier: PostgreSQL */
#include "worker/transfer.h"

#include "base/mem.h"
#include "base/pause.h"
#include "worker/outcome.h"

#include <stdlib.h>

struct transfer {
    uv_loop_t *loop;
    struct db_conn *conn;
    struct input *input;
    struct pass *pass;
    on_transferred answer;
    void *arg;
    bool answered, closed;
    uv_timer_t timer; /* of silence */
    bool timer_closed;

    uv_work_t reading; /* pass_next in the thread pool */
    bool reads;
    int read_rc;
    const char *slice;
    size_t slice_bytes;
    struct error read_error;
};

struct db_error silence_error(void)
{
    struct db_error err = {.meaning = DB_LOST};

    error_set(&err.error, ERR_DATABASE_AWAY, "the server has taken nothing for %d seconds",
              SILENCE_MS / 1000);
    return err;
}

/* The last of the timer's close and the thread pool's work frees it. */
static void free_if_done(struct transfer *t)
{
    if (!t->closed || t->reads || !t->timer_closed)
        return;
    pass_free(t->pass);
    input_leave(t->input);
    free(t);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct transfer *t = CONTAINER_OF(handle, struct transfer, timer);

    t->timer_closed = true;
    free_if_done(t);
}

void transfer_close(struct transfer *t)
{
    if (!t || t->closed)
        return;
    t->closed = true;
    uv_close((uv_handle_t *)&t->timer, on_timer_closed);
}

static void end(struct transfer *t, const struct db_error *err)
{
    struct db_error meant;

    if (t->answered || t->closed)
        return;
    t->answered = true;
    uv_timer_stop(&t->timer);
    if (err && err->meaning == DB_FENCED) { /* no gate is passed here: a trigger said it */
        meant = *err;
        meant.meaning = DB_DATA;
        err = &meant;
    }
    t->answer(t->arg, err);
}

static void end_by(struct transfer *t, const struct error *err)
{
    struct db_error own = outcome_own(err);

    end(t, &own);
}

/* ---- silence ---- */

static void on_silence(uv_timer_t *timer)
{
    struct transfer *t = CONTAINER_OF(timer, struct transfer, timer);
    struct db_error err = silence_error();

    end(t, &err);
}

/* The same while the end of a COPY is not sent; a server that has it may take its time. */
static void on_end_silence(uv_timer_t *timer)
{
    const struct transfer *t = CONTAINER_OF(timer, struct transfer, timer);

    if (copy_unsent(t->conn))
        on_silence(timer);
}

/* ---- the end of the COPY ---- */

static int64_t sent(const struct transfer *t)
{
    const struct pass_counts *counts = pass_counts(t->pass);

    return pass_kind(t->pass) == PASS_ROWS ? counts->rows : counts->rejects;
}

static int refuse_count(const struct transfer *t, int64_t stored, struct error *err)
{
    const struct chunk *chunk = pass_chunk(t->pass);

    error_set(err, ERR_ROWS_LOST, "the server stored %lld of %lld %s of chunk %lld",
              (long long)stored, (long long)sent(t),
              pass_kind(t->pass) == PASS_ROWS ? "rows" : "rejects", (long long)chunk->chunk_no);
    error_detail(err, "They are records %lld to %lld; a trigger may have eaten rows.",
                 (long long)chunk->first_line, (long long)chunk->last_line);
    char *command = outcome_command(t->input->job, NULL);
    error_hint(err, "Look at the triggers and rules of file_data, then go on with: %s", command);
    free(command);
    return -(int)err->code;
}

static void on_copy_ended(void *arg, int64_t stored, const struct db_error *err)
{
    struct transfer *t = arg;
    struct error own;

    if (t->closed)
        return;
    if (!err && stored != sent(t) && refuse_count(t, stored, &own) < 0)
        end_by(t, &own);
    else
        end(t, err);
}

/* ---- COPY ---- */

static void read_slice(struct transfer *t);

static void on_room(void *arg)
{
    struct transfer *t = arg;

    if (t->closed || t->answered)
        return;
    uv_timer_stop(&t->timer);
    read_slice(t);
}

/* Takes a slice from the thread pool to the connection. */
static void send_slice(struct transfer *t)
{
    PAUSE("transfer.slice");
    if (t->slice_bytes > 0)
        copy_put(t->conn, t->slice, t->slice_bytes);
    if (t->read_rc == 0) {
        uv_timer_start(&t->timer, on_end_silence, SILENCE_MS, 0);
        copy_end(t->conn, NULL, on_copy_ended, t);
    } else if (copy_full(t->conn)) {
        uv_timer_start(&t->timer, on_silence, SILENCE_MS, 0);
        copy_when_drained(t->conn, on_room, t);
    } else {
        read_slice(t);
    }
}

static void on_read(uv_work_t *work)
{
    struct transfer *t = CONTAINER_OF(work, struct transfer, reading);

    t->read_rc = pass_next(t->pass, &t->slice, &t->slice_bytes, &t->read_error);
}

static void on_read_done(uv_work_t *work, int status)
{
    struct transfer *t = CONTAINER_OF(work, struct transfer, reading);

    (void)status; /* it is never cancelled */
    t->reads = false;
    if (t->closed)
        free_if_done(t);
    else if (t->answered || !db_conn_ready(t->conn))
        return; /* the connection was lost meanwhile, and its owner knows */
    else if (t->read_rc < 0)
        end_by(t, &t->read_error);
    else
        send_slice(t);
}

/* Parsing, and waiting for a disk, are no business of the loop's thread. */
static void read_slice(struct transfer *t)
{
    if (copy_broken(t->conn)) {
        copy_end(t->conn, "the server has ended it", on_copy_ended, t);
        return;
    }
    t->reads = true;
    uv_queue_work(t->loop, &t->reading, on_read, on_read_done);
}

static void on_copy_open(void *arg, const struct db_error *err)
{
    struct transfer *t = arg;

    if (t->closed)
        return;
    uv_timer_stop(&t->timer);
    if (err)
        end(t, err);
    else
        read_slice(t);
}

struct transfer *transfer_new(uv_loop_t *loop, struct db_conn *conn, struct input *input,
                              struct pass *pass, on_transferred answer, void *arg)
{
    struct transfer *t = NEW(struct transfer);

    t->loop = loop;
    t->conn = conn;
    t->input = input_use(input);
    t->pass = pass;
    t->answer = answer;
    t->arg = arg;
    uv_timer_init(loop, &t->timer);
    uv_timer_start(&t->timer, on_silence, SILENCE_MS, 0);
    copy_begin(conn, pass_kind(pass) == PASS_ROWS ? COPY_ROWS : COPY_REJECTS, on_copy_open, t);
    return t;
}

struct pass *transfer_pass(const struct transfer *t)
{
    return t->pass;
}
