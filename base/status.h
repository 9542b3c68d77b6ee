/* SPDX-License-Identifier: PostgreSQL */
/* The durable statuses of a tracker: file_tracker.status, and the same words everywhere. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdbool.h>

/* X(NAME, text, what it says) */
#define STATUSES(X)                                                                                \
    X(STATUS_NONE, "NONE", "there is no tracker")                                                  \
    X(STATUS_INITIALIZING, "INITIALIZING", "accepted, waits for a worker")                         \
    X(STATUS_PROCESSING, "PROCESSING", "a worker uploads it, or rolls it back")                    \
    X(STATUS_STOPPED, "STOPPED", "rolled back: no row of the file remains")                        \
    X(STATUS_KILLED, "KILLED", "killed or interrupted: rows up to the recovery point remain")      \
    X(STATUS_FAILED, "FAILED", "ended on an error: rows up to the recovery point remain")          \
    X(STATUS_PROCESSED, "PROCESSED", "all records are in, as rows or as rejects")

enum status {
#define X(name, text, what) name,
    STATUSES(X)
#undef X
};

/* "PROCESSING"; static text. */
const char *status_name(enum status status);

/* INITIALIZING or PROCESSING. */
bool status_is_unfinished(enum status status);

/* The status of this name; STATUS_NONE when there is none. */
enum status status_parse(const char *name);

#endif
