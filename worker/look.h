/* SPDX-License-Identifier: PostgreSQL */
/* Finds the last checkpoint of the worker's tracker: what is in, before it goes on or takes it out.
 */
#ifndef WORKER_LOOK_H
#define WORKER_LOOK_H

#include "db/chunks.h"

/* `last` is borrowed, NULL when there is no checkpoint. `err` NULL: success. */
typedef void (*on_looked)(void *arg, const struct checkpoint *last, const struct db_error *err);

/* Plain memory of the owner's; lasts until the answer, or until the connection is closed. */
struct look {
    struct db_conn *conn;
    int64_t tracker;
    struct checkpoint last; /* chunk_no 0: none so far */
    on_looked answer;
    void *arg;
};

void look_start(struct look *look, struct db_conn *conn, int64_t tracker, on_looked answer,
                void *arg);

#endif
