/* SPDX-License-Identifier: PostgreSQL */
/* The request to verify an upload that has ended: a worker reads the file and the table side by
 * side, and changes nothing. It is no part of the state machine. */
#ifndef SUPERVISOR_PROVING_H
#define SUPERVISOR_PROVING_H

#include "db/trackers.h"
#include "supervisor/requests.h"

struct proving; /* private */
struct supervisor;

/* Starts a worker for the row that the request named; answers with the upload as often as the
 * worker reports, with line, offset, rows and rejects as far as it has come; and at last, when the
 * table holds what the file says, as it is. Refuses what has not ended, and what would be one more
 * than max_workers. */
void proving_begin(struct request *request, const struct tracker *row);

/* Nobody listens to the request any more: its worker, if there is one, is killed now, for one that
 * counts the whole table would keep its place among max_workers until it had come to an end. */
void proving_leave(const struct request *request);

/* Ends all that are under way. */
void provings_stop(struct supervisor *supervisor);

#endif
