/* SPDX-License-Identifier: PostgreSQL */
/* The open file with what is needed to read it, shared by all that read it in the thread pool. It
 * is counted, because what reads outlives what asked for it. Count and members belong to the loop's
 * thread; once the file is open, the pool's threads only look. */
#ifndef WORKER_INPUT_H
#define WORKER_INPUT_H

#include "csv/fields.h"
#include "csv/scanner.h"
#include "csv/source.h"
#include "ipc/job.h"

struct input {
    struct source source;
    struct layout layout;
    const struct job *job; /* borrowed, outlives the input */
    int users;
};

/* Not open yet, with one user. */
struct input *input_new(const struct job *job);

/* One more user. */
struct input *input_use(struct input *input);

/* One less; the last closes the file. NULL is allowed. */
void input_leave(struct input *input);

/* Opens the file, and reads its header. Blocking: for the thread pool. 0, or as source_open and
 * layout_read. */
int input_open(struct input *input, struct error *err) MUST_USE;

/* A scanner of a range of the file in the job's dialect; as scanner_new. */
struct scanner *input_scanner(const struct input *input, int64_t start, int64_t end);

#endif
