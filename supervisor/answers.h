/* SPDX-License-Identifier: PostgreSQL */
/* The public objects, as JSON. */
#ifndef SUPERVISOR_ANSWERS_H
#define SUPERVISOR_ANSWERS_H

#include "db/trackers.h"
#include "supervisor/upload.h"

#include <jansson.h>

/* An upload as its row says; `live` (or NULL) is what this supervisor has in memory of it. */
json_t *answer_upload(const struct supervisor *supervisor, const struct tracker *row,
                      const struct upload *live);

json_t *answer_event(const struct tracker_event *event);
json_t *answer_reject(const struct tracker_reject *reject);

#endif
