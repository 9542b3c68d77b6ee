/* SPDX-License-Identifier: PostgreSQL */
/* One pass over a chunk: reads its range of the file again and encodes its rows, or its rejects,
 * slice by slice, in bounded memory. Blocking and without the loop: for the thread pool. What it
 * found must be what the splitter found, or the file has changed. A pass over a part of a chunk is
 * for finding the records that the server refuses (sift.h). */
#ifndef WORKER_PASS_H
#define WORKER_PASS_H

#include "base/error.h"
#include "csv/digest.h"
#include "csv/splitter.h"
#include "worker/encode.h"
#include "worker/input.h"
#include "worker/refusals.h"

enum pass_kind { PASS_ROWS, PASS_REJECTS };

struct pass; /* private */

/* Room for a reason, with its end: the reader's, or what the server says. */
#define PASS_REASON_BYTES 768

/* Of the first rejects of a chunk it is kept which they are. */
#define PASS_FIRST_REJECTS 8

/* What a pass has counted. */
struct pass_counts {
    int64_t rows, rejects;
    int64_t first_rejects[PASS_FIRST_REJECTS]; /* their lines: as many as there are rejects */
    int64_t reject_line; /* the last reject, when there is one, and its reason */
    char reject_reason[PASS_REASON_BYTES];
};

/* The rows of a chunk; fails when it has more than `most_rejects`. `input` is borrowed. */
struct pass *pass_rows(const struct input *input, const struct chunk *chunk, int64_t most_rejects);

/* The rows of a part of a chunk: some of its records, from a record's beginning (or the chunk's) to
 * a record's end (or the chunk's). Its hash is not looked at: `before` is of what lies before it in
 * the chunk, pass_digest of that and the part, once the pass has come to its end; which it has when
 * it has given its last record. */
struct pass *pass_part(const struct input *input, const struct chunk *part, int64_t most_rejects,
                       const struct digest *before);
const struct digest *pass_digest(const struct pass *pass);

/* The rejects of a chunk: its bad records, and those that the server refused, which the pass takes
 * over. */
struct pass *pass_rejects(const struct input *input, const struct chunk *chunk,
                          struct refusals refusals);

void pass_free(struct pass *pass);

/* The next slice, borrowed until the next call: 1, or 0 when it was the last. It may be empty. A
 * slice is some 64 KiB, or one record. Errors: as scanner_next; ERR_FILE_UNSTABLE when records or
 * bytes are not those of the chunk; ERR_REJECT_LIMIT. */
int pass_next(struct pass *pass, const char **data, size_t *size, struct error *err) MUST_USE;

const struct pass_counts *pass_counts(const struct pass *pass);
enum pass_kind pass_kind(const struct pass *pass);
const struct chunk *pass_chunk(const struct pass *pass);

/* Where to cut its range in two, when the server has refused something of what the pass gave: in
 * the middle, or, if it did not get so far, where it stands. The first part gets a new end; false:
 * there is nothing to cut, for it is one record, or nothing was given yet. */
bool pass_cut(const struct pass *pass, struct chunk *first, struct chunk *second);

/* ERR_FILE_UNSTABLE for a chunk that is not, or whose parts are not, what the splitter saw. */
int pass_refuse_unstable(const struct input *input, const struct chunk *chunk, struct error *err);

/* Counts a reject, whose reason is the caller's to set; what a part has, behind those before it. */
void pass_count_reject(struct pass_counts *counts, int64_t line);
void pass_counts_add(struct pass_counts *counts, const struct pass_counts *part);

/* ERR_REJECT_LIMIT for a chunk with these counts. */
int pass_refuse_rejects(const struct input *input, const struct pass_counts *counts,
                        struct error *err);

#endif
