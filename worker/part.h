/* SPDX-License-Identifier: PostgreSQL */
/* A bounded part of a chunk as the file has it: what rows and rejects the table should hold for its
 * records, to be compared with those that it does hold. Blocking and without the loop, but for
 * part_ask_rejects; reading is for the thread pool. */
#ifndef WORKER_PART_H
#define WORKER_PART_H

#include "db/chunks.h"
#include "db/proof.h"
#include "db/trackers.h"
#include "worker/input.h"

struct reader; /* private: reads a chunk, part by part */

/* The chunk of a checkpoint; `input` is borrowed. */
struct reader *reader_new(const struct input *input, const struct checkpoint *chunk);
void reader_free(struct reader *reader); /* NULL is allowed */

struct part; /* private: some records, and their bytes */

struct part *part_new(void);
void part_free(struct part *part);

/* Reads the next records, some 512 KiB of them, into the part, in place of what it had: 1, or 0
 * when they are the chunk's last. ERR_FILE_CHANGED when the chunk's bytes are no longer those that
 * were uploaded; else as scanner_next. */
int part_read(struct part *part, struct reader *reader, struct error *err) MUST_USE;

int64_t part_count(const struct part *part); /* of records */
int64_t part_last(const struct part *part);  /* its last record; only if there is one */
int64_t part_end(const struct part *part);   /* offset in the file */

/* What is wrong, in sentences; a few of them. */
struct differences {
    int64_t count, first; /* first: the record of the first one */
    char text[768];
};

void differences_add(struct differences *differences, int64_t line, const char *what);

/* Asks the table for the rejects of the part's records, over a connection; it must have some. */
void part_ask_rejects(const struct part *part, struct db_conn *conn, int64_t tracker,
                      on_rejects answer, void *arg);

/* Takes what the table has among the rejects of the part's records, and perhaps of some behind
 * them, in the order of their lines; once, before the three below. */
void part_take_rejects(struct part *part, const struct tracker_reject *rejects, size_t count);

/* How many of the part's records are among those, and how many are not: so many rows the table
 * should have. */
int64_t part_rejects(const struct part *part);
size_t part_due(const struct part *part);

/* Compares the part with what the table has of its records, rows in the order of their lines. */
void part_compare(const struct part *part, const struct proof_row *rows, size_t row_count,
                  struct differences *differences);

#endif
