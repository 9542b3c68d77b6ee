/* SPDX-License-Identifier: PostgreSQL */
/* Rows and rejects as COPY's binary format has them. Pure: bytes in memory. */
#ifndef WORKER_ENCODE_H
#define WORKER_ENCODE_H

#include "csv/fields.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes that grow as they are written; the owner ends them with encoded_fini. All zero is empty. */
struct encoded {
    char *data;
    size_t size;
    size_t room;
};

void encoded_fini(struct encoded *out);

/* What a COPY begins and ends with: signature and trailer. */
void encode_head(struct encoded *out);
void encode_tail(struct encoded *out);

/* (file_tracker_id, line_no, name, email) */
void encode_row(struct encoded *out, int64_t tracker, int64_t line,
                const struct field values[PROFILE_COLUMNS]);

/* (file_tracker_id, line_no, start_offset, length, reason, sqlstate, raw); sqlstate NULL: the
 * reader's verdict, not the server's */
void encode_reject(struct encoded *out, int64_t tracker, int64_t line, const struct record *record,
                   const char *reason, const char *sqlstate);

#endif
