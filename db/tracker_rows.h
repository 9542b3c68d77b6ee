/* SPDX-License-Identifier: PostgreSQL */
/* Inside db/ only: rows of tracker_with_point as struct tracker, and the way back as parameters. */
#ifndef DB_TRACKER_ROWS_H
#define DB_TRACKER_ROWS_H

#include "db/query.h"
#include "db/trackers.h"

/* Row `row` of a result with the view's columns; ended with tracker_fini. */
void tracker_decode(struct tracker *tracker, const PGresult *result, int row);

/* All rows of a result; NULL for none. Ended with trackers_free. */
struct tracker *trackers_decode(const PGresult *result);
void trackers_free(struct tracker *trackers, size_t count);

/* device, inode, size, mtime_ns, ctime_ns; five times NULL for NULL. */
void param_identity(struct params *params, const struct identity *identity);

/* code, message, detail, hint, SQLSTATE; five times NULL for NULL or ERR_NONE. */
void param_error(struct params *params, const struct error *error);

/* 64 random bits. The new token of a change comes from here, so that the read behind it finds only
 * what this very call has written. */
int64_t new_token(void);

/* reason, uid (NULL: the supervisor itself), this host. */
void param_asker(struct params *params, const struct asker *asker);

#endif
