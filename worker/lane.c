/* SPDX-License-Identifier: PostgreSQL */
#include "worker/lane.h"

#include "base/mem.h"
#include "base/pause.h"
#include "worker/outcome.h"
#include "worker/sift.h"
#include "worker/transfer.h"

#include <stdlib.h>
#include <string.h>

/* How long a statement waits for a lock. Beside other lanes it may be theirs, held while they wait
 * for this one, which nobody but this timeout finds out. Alone it is somebody else's: an ALTER
 * TABLE, a LOCK TABLE, which is worth more patience than a new worker. Waiting for the predecessor
 * holds no statement open, so that no timeout counts there. */
#define LOCK_TIMEOUT_MS 5000
#define LOCK_TIMEOUT_ALONE_MS 30000

enum step {
    LANE_CONNECTING,
    LANE_FREE,
    LANE_BEGINNING,
    LANE_COPYING,
    LANE_COPIED,
    LANE_REFUSED,
    LANE_COMMITTING,
    LANE_FAILED
};

struct lane {
    const struct lane_setting *setting;
    struct db_conn *conn;
    enum step step;
    bool ready, alone, closed;
    bool sifts; /* without the records that the server refuses */
    struct chunk chunk;
    int64_t most_rejects;
    struct pass_counts counts; /* of the chunk */

    struct input *input;       /* NULL until the first chunk */
    struct transfer *transfer; /* of the rows, or the rejects; NULL: none is under way */
    struct sift *sift;         /* NULL: the same */
    uv_timer_t timer;          /* of silence */
};

static void on_timer_closed(uv_handle_t *handle)
{
    struct lane *lane = CONTAINER_OF(handle, struct lane, timer);

    input_leave(lane->input);
    free(lane);
}

void lane_close(struct lane *lane)
{
    if (!lane || lane->closed)
        return;
    lane->closed = true;
    db_conn_close(lane->conn);
    lane->conn = NULL;
    transfer_close(lane->transfer);
    sift_close(lane->sift);
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
    struct db_error err = silence_error();

    fail(lane, &err);
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

/* ---- the chunk goes to the server ---- */

static void be_copied(struct lane *lane)
{
    lane->step = LANE_COPIED;
    PAUSE("lane.copied");
    lane->setting->events->on_copied(lane->setting->arg, lane);
}

/* What has answered is done with; it may be asked until then. */
static void drop_transfer(struct lane *lane)
{
    transfer_close(lane->transfer);
    lane->transfer = NULL;
}

/* The second pass must have found the rejects that the first one did. */
static int check_rejects(const struct lane *lane, struct error *err)
{
    if (pass_counts(transfer_pass(lane->transfer))->rejects == lane->counts.rejects)
        return 0;
    return error_set(err, ERR_FILE_UNSTABLE, "\"%s\" changed while it was read",
                     lane->input->source.path);
}

static void on_rejects_sent(void *arg, const struct db_error *err)
{
    struct lane *lane = arg;
    struct error own;

    if (err)
        fail(lane, err);
    else if (check_rejects(lane, &own) < 0)
        fail_by(lane, &own);
    else
        be_copied(lane);
    drop_transfer(lane);
}

static void send_rejects(struct lane *lane, struct refusals refusals)
{
    PAUSE("lane.before_rejects");
    lane->transfer =
        transfer_new(lane->setting->loop, lane->conn, lane->input,
                     pass_rejects(lane->input, &lane->chunk, refusals), on_rejects_sent, lane);
}

/* The rows are in. */
static void take_counts(struct lane *lane, const struct pass_counts *counts,
                        struct refusals refusals)
{
    lane->counts = *counts;
    if (counts->rejects > 0)
        send_rejects(lane, refusals);
    else
        be_copied(lane);
}

static void on_rows_sent(void *arg, const struct db_error *err)
{
    struct lane *lane = arg;
    struct pass_counts counts = *pass_counts(transfer_pass(lane->transfer));
    struct db_error failed = err ? *err : (struct db_error){.meaning = DB_DONE};

    drop_transfer(lane);
    if (!err) {
        take_counts(lane, &counts, (struct refusals){.count = 0});
    } else if (failed.meaning == DB_DATA) {
        lane->step = LANE_REFUSED;
        lane->setting->events->on_refused(lane->setting->arg, lane);
    } else {
        fail(lane, &failed);
    }
}

static void on_sifted_out(void *arg, const struct db_error *err)
{
    struct lane *lane = arg;
    struct db_error failed = err ? *err : (struct db_error){.meaning = DB_DONE};
    struct pass_counts counts = *sift_counts(lane->sift);
    struct refusals refusals = sift_take_refusals(lane->sift);

    sift_close(lane->sift);
    lane->sift = NULL;
    if (!err) {
        take_counts(lane, &counts, refusals);
        return;
    }
    refusals_fini(&refusals);
    fail(lane, &failed);
}

static void send_rows(struct lane *lane)
{
    struct pass *pass = pass_rows(lane->input, &lane->chunk, lane->most_rejects);

    lane->transfer =
        transfer_new(lane->setting->loop, lane->conn, lane->input, pass, on_rows_sent, lane);
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
    else if (lane->sifts)
        lane->sift = sift_new(lane->setting->loop, lane->conn, lane->input, &lane->chunk,
                              lane->most_rejects, on_sifted_out, lane);
    else
        send_rows(lane);
}

static void begin(struct lane *lane)
{
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
    lane->sifts = false;
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

static void begin_again(struct lane *lane)
{
    lane->step = LANE_BEGINNING;
    expect_answer(lane);
    chunk_rollback(lane->conn, on_rolled_back, lane);
}

void lane_carry_again(struct lane *lane)
{
    lane->alone = true;
    begin_again(lane);
}

void lane_sift(struct lane *lane, int64_t most_rejects)
{
    lane->sifts = true;
    lane->most_rejects = most_rejects;
    begin_again(lane);
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

int lane_commit(struct lane *lane, const unsigned char *content, struct error *err)
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
    chunk_commit(lane->conn, &lane->setting->claim, &checkpoint, chunk->final ? content : NULL,
                 on_commit_answered, lane);
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

bool lane_refused(const struct lane *lane)
{
    return lane->step == LANE_REFUSED;
}

bool lane_alone(const struct lane *lane)
{
    return lane->alone;
}

const struct pass_counts *lane_counts(const struct lane *lane)
{
    return &lane->counts;
}
