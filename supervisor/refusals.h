/* SPDX-License-Identifier: PostgreSQL */
/* The errors that requests are refused with, each with a detail and a hint that works. All return
 * -err->code. */
#ifndef SUPERVISOR_REFUSALS_H
#define SUPERVISOR_REFUSALS_H

#include "base/error.h"
#include "db/trackers.h"
#include "supervisor/requests.h"
#include "supervisor/states.h"

#include <stddef.h>

int refusal_not_found(const struct request *request, struct error *err);
int refusal_file_name(const char *path, struct error *err);
int refusal_status_name(const char *name, struct error *err);
int refusal_profile(const struct request *request, const char *name, struct error *err);
int refusal_settings(const struct request *request, const char *key, struct error *err);

/* The state machine refused the command. */
int refusal_of(const struct request *request, const struct transition *t, struct error *err);

/* Another command, or a final checkpoint, came first. */
int refusal_superseded(const struct request *request, struct error *err);

/* Only an upload that has ended can be forgotten; or it was changed meanwhile. */
int refusal_in_progress(const struct tracker *row, struct error *err);
int refusal_moved_on(const struct tracker *row, struct error *err);

/* The file that is to be verified is not there: it may have been moved. */
int refusal_not_there(const struct tracker *row, struct error *err);

/* So many uploads are being verified already. */
int refusal_provings(int64_t count, struct error *err);

/* The database is away, and has been for as long as a request waits. */
int refusal_away(const struct request *request, struct error *err);

int refusal_shutting_down(struct error *err);

/* So many uploads wait already. */
int refusal_queue_full(int64_t limit, struct error *err);

/* There are `limit` clients already. */
int refusal_busy(size_t limit, struct error *err);

/* This uid may do nothing here. */
int refusal_stranger(int64_t uid, struct error *err);

/* This uid may not send a request of this kind: who may is said by an option of [access]. */
int refusal_denied(int64_t uid, const char *kind, const char *option, struct error *err);

#endif
