/* SPDX-License-Identifier: PostgreSQL */
/* Requests that only ask: ping, status, list, history, rejects. They change nothing. */
#ifndef SUPERVISOR_QUESTIONS_H
#define SUPERVISOR_QUESTIONS_H

#include "db/trackers.h"
#include "supervisor/requests.h"

#include <stdbool.h>

/* At most so many objects a page, and so many when the asker does not say. */
#define QUESTION_PAGE_MAX 500
#define QUESTION_PAGE 100

/* Answered from the database alone: list, history and rejects. */
bool question_is(enum ipc_kind kind);

/* Takes the page from the message and asks, or holds the request while the database is away.
 * Errors: ERR_USAGE (no such status, a limit below 1). */
int question_begin(struct request *request, const json_t *message, struct error *err) MUST_USE;

/* Asks the database, which is open, for what is still to be answered. */
void question_ask(struct request *request);

/* Answered at once, whatever the database does. */
void question_ping(struct request *request);
void question_metrics(struct request *request);

/* The answer to status: the row, and what this supervisor has in memory of it. */
void question_status(struct request *request, const struct tracker *row);

#endif
