/* SPDX-License-Identifier: PostgreSQL */
/* One pass over a chunk: reads its range of the file again and encodes its rows, or its rejects,
 * slice by slice, in bounded memory. Blocking and without the loop: for the thread pool. What it
 * found must be what the splitter found, or the file has changed. */
#ifndef WORKER_PASS_H
#define WORKER_PASS_H

#include "base/error.h"
#include "csv/splitter.h"
#include "worker/encode.h"
#include "worker/input.h"

enum pass_kind { PASS_ROWS, PASS_REJECTS };

struct pass; /* private */

/* What a pass has counted. */
struct pass_counts {
    int64_t rows, rejects;
    int64_t reject_line; /* the last reject, when there is one, and its reason */
    char reject_reason[FIELDS_REASON_BYTES];
};

/* A pass of rows fails when there are more than `most_rejects`. `input` is borrowed. */
struct pass *pass_new(const struct input *input, const struct chunk *chunk, enum pass_kind kind,
                      int64_t most_rejects);
void pass_free(struct pass *pass);

/* The next slice, borrowed until the next call: 1, or 0 when it was the last. It may be empty. A
 * slice is some 64 KiB, or one record. Errors: as scanner_next; ERR_FILE_UNSTABLE when records or
 * bytes are not those of the chunk; ERR_REJECT_LIMIT. */
int pass_next(struct pass *pass, const char **data, size_t *size, struct error *err) MUST_USE;

const struct pass_counts *pass_counts(const struct pass *pass);

/* ERR_REJECT_LIMIT for a chunk with these counts. */
int pass_refuse_rejects(const struct input *input, const struct pass_counts *counts,
                        struct error *err);

#endif
