/* SPDX-License-Identifier: PostgreSQL */
/* A lane: one connection that carries one chunk at a time. BEGIN, COPY of its rows, COPY of its
 * rejects, the server's counts against its own, and then it waits to be told to commit. It knows
 * nothing of other lanes, and never commits by itself. */
#ifndef WORKER_LANE_H
#define WORKER_LANE_H

#include "csv/splitter.h"
#include "db/chunks.h"
#include "worker/input.h"
#include "worker/pass.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct lane;

/* All of them arrive in a turn of the loop of their own, never from within a call below. */
struct lane_events {
    void (*on_ready)(void *arg, struct lane *lane);     /* connected */
    void (*on_copied)(void *arg, struct lane *lane);    /* all is at the server, and counted */
    void (*on_committed)(void *arg, struct lane *lane); /* the lane is free again */
    void (*on_refused)(void *arg, struct lane *lane);   /* the server refuses rows: lane_sift */
    /* Its connection or its chunk failed; meaning DB_DONE: by the file or the counts. The owner
     * closes the lane, or, after a DB_CONFLICT, may let it try again. */
    void (*on_failed)(void *arg, struct lane *lane, const struct db_error *err);
};

/* What all lanes of a worker have in common. Outlives them. */
struct lane_setting {
    uv_loop_t *loop;
    struct db_settings database;
    struct claim claim;
    const struct lane_events *events;
    void *arg;
};

/* Connects. */
struct lane *lane_new(const struct lane_setting *setting);

/* Closes its connection, which rolls back what is open; no event follows. It is freed when what
 * reads for it in the thread pool has ended. NULL is allowed. */
void lane_close(struct lane *lane);

/* The connection, for statements before the first chunk; the lane keeps it. */
struct db_conn *lane_conn(const struct lane *lane);

/* Carries a chunk up to on_copied. Only for a lane that is connected and free. More than
 * `most_rejects` rejects make it fail. `alone`: no other lane has a transaction open, so that a
 * lock can only be somebody else's, and is waited for longer. */
void lane_carry(struct lane *lane, struct input *input, const struct chunk *chunk,
                int64_t most_rejects, bool alone);

/* Once more, alone, after a DB_CONFLICT: ROLLBACK, and the same chunk again. */
void lane_carry_again(struct lane *lane);

/* Once more, after on_refused: ROLLBACK, and the same chunk without the records that the server
 * refuses, which become rejects; up to on_copied. Only when the chunk before is in: what the server
 * refuses depends on what it has. */
void lane_sift(struct lane *lane, int64_t most_rejects);

/* Gate and COMMIT; only behind on_copied, and when the chunk before is in. `content` is the hash of
 * the whole file, for the final chunk. ERR_FILE_UNSTABLE when the file is no longer what was
 * opened: then nothing is sent. */
int lane_commit(struct lane *lane, const unsigned char *content, struct error *err) MUST_USE;

bool lane_ready(const struct lane *lane);   /* was connected, once */
bool lane_free(const struct lane *lane);    /* connected, and carries nothing */
bool lane_copied(const struct lane *lane);  /* waits to be told to commit */
bool lane_refused(const struct lane *lane); /* waits to be told to sift */
bool lane_alone(const struct lane *lane);   /* carries its chunk alone */

/* Of what it carries; complete once it is copied. */
const struct pass_counts *lane_counts(const struct lane *lane);

#endif
