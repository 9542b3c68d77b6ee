/* SPDX-License-Identifier: PostgreSQL */
#include "worker/look.h"

#include <stddef.h>

#define PAGE 1000

static void read_page(struct look *look);

static void on_page(void *arg, const struct checkpoint *checkpoints, size_t count,
                    const struct db_error *err)
{
    struct look *look = arg;

    if (err) {
        look->answer(look->arg, NULL, err);
        return;
    }
    if (count > 0)
        look->last = checkpoints[count - 1];
    if (count == PAGE)
        read_page(look);
    else
        look->answer(look->arg, look->last.chunk_no > 0 ? &look->last : NULL, NULL);
}

static void read_page(struct look *look)
{
    checkpoints_read(look->conn, look->tracker, look->last.chunk_no, PAGE, on_page, look);
}

void look_start(struct look *look, struct db_conn *conn, int64_t tracker, on_looked answer,
                void *arg)
{
    *look = (struct look){.conn = conn, .tracker = tracker, .answer = answer, .arg = arg};
    read_page(look);
}
