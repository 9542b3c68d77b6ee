/* SPDX-License-Identifier: PostgreSQL */
/* pause and continue: whether queued uploads get workers. It is kept in the database, so that it
 * outlives the supervisor: who has paused it is not surprised by a restart. */
#ifndef SUPERVISOR_PAUSING_H
#define SUPERVISOR_PAUSING_H

#include "supervisor/requests.h"

/* Carries out a request of kind IPC_PAUSE or IPC_CONTINUE, or holds it until the database is there.
 * Answered, as ping is, when it is durable. */
void pausing_ask(struct request *request);

#endif
