/* SPDX-License-Identifier: PostgreSQL */
/* What the service counts of itself, in the text format of Prometheus
 * (prometheus.io/docs/instrumenting/exposition_formats). No file's name is in it. */
#ifndef SUPERVISOR_METRICS_H
#define SUPERVISOR_METRICS_H

#include "db/moves.h"

#include <stdint.h>

struct supervisor;

/* Since the start of this life. */
struct metrics {
    int64_t moves[MOVE_COUNT]; /* that are durable */
    int64_t rows, rejects, bytes;
    int64_t crashes; /* of workers */
    int64_t losses;  /* of the database */
};

/* All of it as text; the caller frees. */
char *metrics_text(const struct supervisor *supervisor);

#endif
