/* SPDX-License-Identifier: PostgreSQL */
/* An upload's row in the database: created, moved, read. Each answer becomes an event of the
 * upload, unless its state has changed since: then the answer is another's business. */
#ifndef SUPERVISOR_ROWS_H
#define SUPERVISOR_ROWS_H

#include "supervisor/upload.h"

/* INSERT of the tracker: SAVED, or MISSED when another holds the place or the reply is lost. */
void rows_create(struct upload *upload, const struct move_args *args);

/* The compare-and-swap: SAVED or what else the row shows, or MISSED. What the server refuses for
 * good is told to those who wait (requests_fail), and is MISSED after some seconds. */
void rows_move(struct upload *upload, enum move move, const struct move_args *args);

/* The row is read: ROW_*. While the database is away nothing is done: uploads_database_open reads
 * again. */
void rows_read(struct upload *upload);

/* What the worker is to be told beside the row: whether the target is fit (WORKER_FAILED) and takes
 * more than one lane, and the PROCESSED tracker before this one. Then starts the worker that loads
 * (crew_start). TROUBLE when the database does not answer. */
void rows_prepare(struct upload *upload);

/* The connections are closed: what is under way is answered as lost. */
void rows_lost(struct upload *upload);

/* No answer will come any more, and nobody wants one. */
void rows_forget(struct upload *upload);

#endif
