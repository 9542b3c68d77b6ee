/* SPDX-License-Identifier: PostgreSQL */
#include "worker/lane.h"

#include "base/mem.h"
#include "base/pause.h"
#include "worker/outcome.h"

#include <stdlib.h>
#include <string.h>

/* How long a statement waits for a lock. Beside other lanes it may be theirs, held while they wait
 * for this one, which nobody but this timeout finds out. Alone it is somebody else's: an ALTER
 * TABLE, a LOCK TABLE, which is worth more patience than a new worker. Waiting for the predecessor
 * holds no statement open, so that no timeout counts there. */
#define LOCK_TIMEOUT_MS 5000
#define LOCK_TIMEOUT_ALONE_MS 30000

/* A server that takes nothing of a COPY for so long is given up. TCP's own timeouts find a dead
 * host, statement_timeout does not count while COPY waits for its client, and a lock is waited for
 * no longer than above; what is left is a server process that hangs. It only counts while there is
 * something to take: a server that has the end of a COPY, or a COMMIT, may take its time over it
 * (constraints, standbys). */
#define SILENCE_MS 120000

enum step {
    LANE_CONNECTING,
    LANE_FREE,
    LANE_BEGINNING,
    LANE_COPYING,
    LANE_COPIED,
    LANE_COMMITTING,
    LANE_FAILED
};

struct lane {
    const struct lane_setting *setting;
    struct db_conn *conn;
    enum step step;
    bool ready, alone, closed;
    struct chunk chunk;
    int64_t most_rejects;
    struct pass_counts counts; /* of the chunk's rows pass */

    struct input *input; /* NULL until the first chunk */
    enum pass_kind kind;
    struct pass *pass; /* NULL unless COPYING */
    uv_timer_t timer;  /* of silence */
    bool timer_closed;

    uv_work_t reading; /* pass_next in the thread pool */
    bool reads;
    int read_rc;
    const char *slice;
    size_t slice_bytes;
    struct error read_error;
};

static void read_slice(struct lane *lane);

/* The last of the timer's close and the thread pool's work frees it. */
static void free_if_done(struct lane *lane)
{
    if (!lane->closed || lane->reads || !lane->timer_closed)
        return;
    pass_free(lane->pass);
    input_leave(lane->input);
    free(lane);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct lane *lane = CONTAINER_OF(handle, struct lane, timer);

    lane->timer_closed = true;
    free_if_done(lane);
}

void lane_close(struct lane *lane)
{
    if (!lane || lane->closed)
        return;
    lane->closed = true;
    db_conn_close(lane->conn);
    lane->conn = NULL;
    uv_close((uv_handle_t *)&lane->timer, on_timer_closed);
}

/* Reports the first failure; the owner decides what becomes of the lane. */
static void fail(struct lane *lane, const struct db_error *err)
{
    uv_timer_stop(&lane->timer);
    if (lane->step == LANE_FAILED || lane->closed)
        return;
    lane->step = LANE_FAILED;
    lane->setting->events->on_failed(lane->setting->arg, lane, err);
}

static void fail_by(struct lane *lane, const struct error *err)
{
    struct db_error own = outcome_own(err);

    fail(lane, &own);
}

static void on_silence(uv_timer_t *timer)
{
    struct lane *lane = CONTAINER_OF(timer, struct lane, timer);
    struct db_error err = {.meaning = DB_LOST};

    error_set(&err.error, ERR_DATABASE_AWAY, "the server has taken nothing for %d seconds",
              SILENCE_MS / 1000);
    fail(lane, &err);
}

/* The same while the end of a COPY is not sent; a server that has it may take its time. */
static void on_end_silence(uv_timer_t *timer)
{
    const struct lane *lane = CONTAINER_OF(timer, struct lane, timer);

    if (copy_unsent(lane->conn))
        on_silence(timer);
}

static void expect_answer(struct lane *lane)
{
    uv_timer_start(&lane->timer, on_silence, SILENCE_MS, 0);
}

static void on_conn_ready(void *arg)
{
    struct lane *lane = arg;

    lane->ready = true;
    lane->step = LANE_FREE;
    lane->setting->events->on_ready(lane->setting->arg, lane);
}

static void on_conn_lost(void *arg, const struct db_error *err)
{
    fail(arg, err);
}

static const struct db_events conn_events = {on_conn_ready, on_conn_lost};

struct lane *lane_new(const struct lane_setting *setting)
{
    struct lane *lane = NEW(struct lane);

    lane->setting = setting;
    uv_timer_init(setting->loop, &lane->timer);
    lane->conn = db_conn_new(setting->loop, &setting->database, &conn_events, lane);
    return lane;
}

/* ---- the chunk is at the server ---- */

static void be_copied(struct lane *lane)
{
    lane->step = LANE_COPIED;
    PAUSE("lane.copied");
    lane->setting->events->on_copied(lane->setting->arg, lane);
}

static int refuse_count(const struct lane *lane, int64_t sent, int64_t stored, struct error *err)
{
    const struct chunk *chunk = &lane->chunk;

    error_set(err, ERR_ROWS_LOST, "the server stored %lld of %lld %s of chunk %lld",
              (long long)stored, (long long)sent, lane->kind == PASS_ROWS ? "rows" : "rejects",
              (long long)chunk->chunk_no);
    error_detail(err, "They are records %lld to %lld; a trigger may have eaten rows.",
                 (long long)chunk->first_line, (long long)chunk->last_line);
    char *command = outcome_command(lane->input->job, NULL);
    error_hint(err, "Look at the triggers and rules of file_data, then go on with: %s", command);
    free(command);
    return -(int)err->code;
}

/* The second pass must have found the rejects that the first one did. */
static int check_counts(const struct lane *lane, int64_t stored, struct error *err)
{
    const struct pass_counts *counts = pass_counts(lane->pass);
    int64_t sent = lane->kind == PASS_ROWS ? counts->rows : counts->rejects;

    if (stored != sent)
        return refuse_count(lane, sent, stored, err);
    if (lane->kind == PASS_REJECTS && sent != lane->counts.rejects)
        return error_set(err, ERR_FILE_UNSTABLE, "\"%s\" changed while it was read",
                         lane->input->source.path);
    return 0;
}

static void begin_copy(struct lane *lane, enum pass_kind kind);

static void on_copy_ended(void *arg, int64_t stored, const struct db_error *err)
{
    struct lane *lane = arg;
    struct error own;

    uv_timer_stop(&lane->timer);
    if (err) {
        fail(lane, err);
        return;
    }
    if (check_counts(lane, stored, &own) < 0) {
        fail_by(lane, &own);
        return;
    }
    if (lane->kind == PASS_ROWS)
        lane->counts = *pass_counts(lane->pass);
    pass_free(lane->pass);
    lane->pass = NULL;
    if (lane->kind == PASS_ROWS && lane->counts.rejects > 0)
        begin_copy(lane, PASS_REJECTS);
    else
        be_copied(lane);
}

/* ---- COPY ---- */

static void on_room(void *arg)
{
    struct lane *lane = arg;

    uv_timer_stop(&lane->timer);
    read_slice(lane);
}

/* Takes a slice from the thread pool to the connection. */
static void send_slice(struct lane *lane)
{
    if (lane->slice_bytes > 0)
        copy_put(lane->conn, lane->slice, lane->slice_bytes);
    if (lane->read_rc == 0) {
        uv_timer_start(&lane->timer, on_end_silence, SILENCE_MS, 0);
        copy_end(lane->conn, NULL, on_copy_ended, lane);
    } else if (copy_full(lane->conn)) {
        expect_answer(lane);
        copy_when_drained(lane->conn, on_room, lane);
    } else {
        read_slice(lane);
    }
}

static void on_read(uv_work_t *work)
{
    struct lane *lane = CONTAINER_OF(work, struct lane, reading);

    lane->read_rc = pass_next(lane->pass, &lane->slice, &lane->slice_bytes, &lane->read_error);
}

static void on_read_done(uv_work_t *work, int status)
{
    struct lane *lane = CONTAINER_OF(work, struct lane, reading);

    (void)status; /* it is never cancelled */
    lane->reads = false;
    if (lane->closed)
        free_if_done(lane);
    else if (lane->step == LANE_FAILED)
        return; /* the connection was lost meanwhile, and the owner knows */
    else if (lane->read_rc < 0)
        fail_by(lane, &lane->read_error);
    else
        send_slice(lane);
}

/* Parsing, and waiting for a disk, are no business of the loop's thread. */
static void read_slice(struct lane *lane)
{
    if (copy_broken(lane->conn)) {
        copy_end(lane->conn, "the server has ended it", on_copy_ended, lane);
        return;
    }
    lane->reads = true;
    uv_queue_work(lane->setting->loop, &lane->reading, on_read, on_read_done);
}

static void on_copy_open(void *arg, const struct db_error *err)
{
    struct lane *lane = arg;

    uv_timer_stop(&lane->timer);
    if (err)
        fail(lane, err);
    else
        read_slice(lane);
}

static void begin_copy(struct lane *lane, enum pass_kind kind)
{
    lane->kind = kind;
    lane->pass = pass_new(lane->input, &lane->chunk, kind, lane->most_rejects);
    expect_answer(lane);
    copy_begin(lane->conn, kind == PASS_ROWS ? COPY_ROWS : COPY_REJECTS, on_copy_open, lane);
}

/* ---- begin and commit ---- */

static void on_begun(void *arg, const struct db_error *err)
{
    struct lane *lane = arg;

    uv_timer_stop(&lane->timer);
    if (err) {
        fail(lane, err);
        return;
    }
    PAUSE("lane.begun");
    lane->step = LANE_COPYING;
    if (lane->chunk.last_line < lane->chunk.first_line)
        be_copied(lane); /* no records: the checkpoint alone */
    else
        begin_copy(lane, PASS_ROWS);
}

static void begin(struct lane *lane)
{
    pass_free(lane->pass);
    lane->pass = NULL;
    lane->counts = (struct pass_counts){0};
    lane->step = LANE_BEGINNING;
    expect_answer(lane);
    chunk_begin(lane->conn, &lane->setting->claim, lane->chunk.final,
                lane->alone ? LOCK_TIMEOUT_ALONE_MS : LOCK_TIMEOUT_MS, on_begun, lane);
}

void lane_carry(struct lane *lane, struct input *input, const struct chunk *chunk,
                int64_t most_rejects, bool alone)
{
    if (!lane->input)
        lane->input = input_use(input);
    lane->chunk = *chunk;
    lane->most_rejects = most_rejects;
    lane->alone = alone;
    begin(lane);
}

static void on_rolled_back(void *arg, const struct db_error *err)
{
    struct lane *lane = arg;

    uv_timer_stop(&lane->timer);
    if (err)
        fail(lane, err);
    else
        begin(lane);
}

void lane_carry_again(struct lane *lane)
{
    lane->alone = true;
    lane->step = LANE_BEGINNING;
    expect_answer(lane);
    chunk_rollback(lane->conn, on_rolled_back, lane);
}

/* The connection has its turn right before this timer's: now it is on its way. */
static void on_commit_sent(uv_timer_t *timer)
{
    (void)timer;
    PAUSE("lane.commit_sent");
}

static void on_commit_answered(void *arg, const struct db_error *err)
{
    struct lane *lane = arg;

    uv_timer_stop(&lane->timer);
    if (err) {
        fail(lane, err);
        return;
    }
    lane->step = LANE_FREE;
    PAUSE("lane.committed");
    lane->setting->events->on_committed(lane->setting->arg, lane);
}

int lane_commit(struct lane *lane, struct error *err)
{
    const struct chunk *chunk = &lane->chunk;
    struct checkpoint checkpoint = {
        .chunk_no = chunk->chunk_no,
        .first_line = chunk->first_line,
        .last_line = chunk->last_line,
        .start_offset = chunk->start_offset,
        .end_offset = chunk->end_offset,
        .row_count = lane->counts.rows,
        .reject_count = lane->counts.rejects,
        .final = chunk->final,
    };

    PAUSE("lane.before_commit");
    int rc = source_check(&lane->input->source, err);
    if (rc < 0)
        return rc;
    _Static_assert(sizeof checkpoint.hash == sizeof chunk->hash, "one hash, two names");
    memcpy(checkpoint.hash, chunk->hash, sizeof checkpoint.hash);
    lane->step = LANE_COMMITTING;
    chunk_commit(lane->conn, &lane->setting->claim, &checkpoint, on_commit_answered, lane);
    uv_timer_start(&lane->timer, on_commit_sent, 0, 0);
    return 0;
}

/* ---- questions ---- */

struct db_conn *lane_conn(const struct lane *lane)
{
    return lane->conn;
}

bool lane_ready(const struct lane *lane)
{
    return lane->ready;
}

bool lane_free(const struct lane *lane)
{
    return lane->step == LANE_FREE;
}

bool lane_copied(const struct lane *lane)
{
    return lane->step == LANE_COPIED;
}

bool lane_alone(const struct lane *lane)
{
    return lane->alone;
}

const struct pass_counts *lane_counts(const struct lane *lane)
{
    return &lane->counts;
}
