/* SPDX-License-Identifier: PostgreSQL */
/* The fields of one record: libcsv parses what the scanner found well formed. */
#ifndef CSV_FIELDS_H
#define CSV_FIELDS_H

#include "base/error.h"
#include "base/profile.h"
#include "csv/scanner.h"

/* Which fields of a record are taken. */
struct layout {
    int index[PROFILE_COLUMNS]; /* of the target's column in a record, from 0 */
    int count;                  /* fields that a record has; at least so many if `more` */
    bool more;                  /* further ones are ignored (only without a header) */
};

/* A field's value, unquoted; borrowed until the next record. */
struct field {
    const char *data;
    size_t size;
};

struct fields; /* private: the parser and its buffers, bounded by the longest record */

struct fields *fields_new(char delimiter, char quote);
void fields_free(struct fields *fields);

/* All fields of a well-formed record: their number, and *values (owned by `fields`). Blanks are
 * kept; an empty field is the empty string. */
size_t fields_split(struct fields *fields, const struct record *record,
                    const struct field **values);

/* Room for the reason of a reject, with its end. */
#define FIELDS_REASON_BYTES 128

/* The fields that the layout takes: true, or false with the reason of the reject, a short English
 * text ("3 fields instead of 2", "not UTF-8 at byte 17 of the record" (from 1), "a NUL byte at
 * byte 3 of the record", "text after a closing quote", "longer than max_record (1048576 bytes)").
 * Knows the record's fault. */
bool fields_take(struct fields *fields, const struct record *record, const struct layout *layout,
                 struct field taken[PROFILE_COLUMNS], char reason[FIELDS_REASON_BYTES]);

/* Is `reason` that of a record longer than its max_record, of which that many bytes, `kept`, were
 * kept? */
bool fields_were_too_long(const char *reason, size_t kept);

/* The layout of a file: read from its header when the profile has one (a missing, doubled or
 * surplus column is ERR_FILE_HEADER with both lists; order is free), else from the profile alone.
 * A header that is not UTF-8 is ERR_FILE_ENCODING; further errors as scanner_next. */
int layout_read(struct layout *layout, const struct source *source, const struct profile *profile,
                int64_t max_record, struct error *err) MUST_USE;

#endif
