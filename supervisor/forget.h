/* SPDX-License-Identifier: PostgreSQL */
/* The request to forget an upload that has ended: its tracker goes, and its rows, unless they are
 * to stay. It may take as long as deleting many rows takes, so it has a connection of its own. */
#ifndef SUPERVISOR_FORGET_H
#define SUPERVISOR_FORGET_H

#include "db/trackers.h"
#include "supervisor/requests.h"

struct forget; /* private */
struct supervisor;

/* Carries it out for the row that the request named, when those before it have ended, and answers
 * with the upload as it was. Refuses what has not ended. */
void forget_begin(struct request *request, const struct tracker *row);

/* Closes the connections of all that are under way; what was sent may still happen. */
void forgets_stop(struct supervisor *supervisor);

#endif
