/* SPDX-License-Identifier: PostgreSQL */
/* From what went wrong to how the worker ends, and what its hints name. */
#ifndef WORKER_OUTCOME_H
#define WORKER_OUTCOME_H

#include "db/meaning.h"
#include "ipc/job.h"

/* The ending of a worker that met this error of the database. An error of the worker's own (the
 * file, the counts) has the meaning DB_DONE, and fails. */
struct ending outcome_of(const struct db_error *err);

/* An error of the worker's own as a db_error: meaning DB_DONE. */
struct db_error outcome_own(const struct error *err);

/* As advice_upload for the job's file; with the word FILE in its place when it is too long. The
 * caller frees. */
char *outcome_command(const struct job *job, const char *option);

#endif
