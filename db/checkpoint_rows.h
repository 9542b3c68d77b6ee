/* SPDX-License-Identifier: PostgreSQL */
/* Inside db/ only: rows of file_checkpoint, decoded. */
#ifndef DB_CHECKPOINT_ROWS_H
#define DB_CHECKPOINT_ROWS_H

#include "db/chunks.h"

#include <libpq-fe.h>

/* A row that has all of its columns, with the hash in hex. Plain memory. */
void checkpoint_decode(struct checkpoint *to, const PGresult *result, int row);

/* A statement whose result is the last checkpoint of a chain, or no row: on_last_row is its answer,
 * with a last_caller as context. */
struct last_caller {
    on_last_checkpoint answer;
    void *arg;
};
void on_last_row(void *caller, PGresult *result, const struct db_error *err);

#endif
