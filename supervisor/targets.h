/* SPDX-License-Identifier: PostgreSQL */
/* What a request is about: the look at its file, and its upload, in memory or in the database. */
#ifndef SUPERVISOR_TARGETS_H
#define SUPERVISOR_TARGETS_H

#include "supervisor/requests.h"

/* For an upload: looks at the file in the thread pool, then goes on as target_find does. Errors:
 * ERR_USAGE, ERR_NO_PROFILE. */
int target_look(struct request *request, const json_t *message, struct error *err) MUST_USE;

/* Finds the upload and attaches the request to it; or refuses it; or holds it while the database is
 * away. */
void target_find(struct request *request);

/* Does somebody work on this upload, or will soon? */
struct supervisor;
struct tracker;
bool target_in_progress(const struct supervisor *supervisor, const struct tracker *row);

/* A kill that the database leaves without an answer: kills what memory has of it. */
void target_kill(struct request *request);

#endif
