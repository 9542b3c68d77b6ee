/* SPDX-License-Identifier: PostgreSQL */
/* Inside db/ only: rows of file_checkpoint, decoded. */
#ifndef DB_CHECKPOINT_ROWS_H
#define DB_CHECKPOINT_ROWS_H

#include "db/chunks.h"

#include <libpq-fe.h>

/* A row that has all of its columns, with the hash in hex. Plain memory. */
void checkpoint_decode(struct checkpoint *to, const PGresult *result, int row);

#endif
