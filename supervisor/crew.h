/* SPDX-License-Identifier: PostgreSQL */
/* An upload's worker: its job, what it reports, how it ended as an event of the upload. */
#ifndef SUPERVISOR_CREW_H
#define SUPERVISOR_CREW_H

#include "supervisor/process.h"
#include "supervisor/upload.h"

/* What a worker is started for. */
struct task {
    enum job_mode mode;
    int64_t earlier; /* a PROCESSED tracker whose bytes the file must not be; 0: none */
    bool one_lane;   /* whatever is configured */
    char *at; /* borrowed: where the file lies, when it is not where the row says; else NULL */
};

/* Starts a process for a tracker, under the configuration in force; what becomes of it is told as
 * process.h says. ERR_DATABASE_AWAY, ERR_SYSTEM, or ERR_INTERNAL for a row that cannot be read. */
int crew_spawn(struct supervisor *supervisor, const struct tracker *row, const struct task *task,
               const struct worker_events *told, void *arg, struct worker **worker,
               struct error *err) MUST_USE;

/* Starts the upload's worker, to load or to roll back. TROUBLE when it cannot be started. */
void crew_start(struct upload *upload, const struct task *task);

/* Kills the worker, if there is one; nothing is heard of it any more. */
void crew_drop(struct upload *upload);

/* How far into its file the upload is, 0 to 100; 0 while the file's size is not known. */
double crew_percent(const struct tracker *row);

/* Bytes a second; 0: unknown. */
double crew_rate(const struct upload *upload);

#endif
