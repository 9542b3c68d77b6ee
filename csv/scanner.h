/* SPDX-License-Identifier: PostgreSQL */
/* Finds records in a range of a source: quote-aware, memchr-fast, bounded in memory. libcsv
 * gives no offsets and disagrees with Python's csv on where a record ends; this decides. */
#ifndef CSV_SCANNER_H
#define CSV_SCANNER_H

#include "csv/source.h"

#include <stdbool.h>

enum record_fault {
    RECORD_WELL_FORMED,
    RECORD_TEXT_AFTER_QUOTE, /* "ab"c : a reject, which ends at its line end */
    RECORD_TOO_LONG          /* longer than max_record, its quotes closed: a reject */
};

/* One record; `data` is borrowed until the next call. */
struct record {
    const char *data; /* without its line end; of one too long, the first max_record bytes */
    size_t size;
    int64_t start_offset; /* of data[0] in the file */
    int64_t length;       /* bytes in the file without the line end: `size` unless too long */
    int64_t end_offset;   /* behind its line end */
    bool quoted;          /* a field of it is quoted */
    bool complete;        /* ends in LF, CRLF or CR before another byte; false: only the end of
                             the file ends it (also a lone CR that is the file's last byte) */
    enum record_fault fault;
};

struct scanner; /* private */

/* Scans from `start` (a record's beginning, or 0, where a BOM is skipped) up to `end` (a record's
 * end), or to the size of the source when `end` is -1. The records are the same wherever a scan
 * starts and however it reads. Owned by the caller: scanner_free. */
struct scanner *scanner_new(const struct source *source, char delimiter, char quote,
                            int64_t max_record, int64_t start, int64_t end);
void scanner_free(struct scanner *scanner);

/* Reads at most so many bytes at once (256 KiB by default); before the first scanner_next. The
 * scanner's memory is bounded by this and max_record. For tests. */
void scanner_read_bytes(struct scanner *scanner, size_t bytes);

/* The next record: 1, or 0 at the end of the range. Empty lines are passed over. A record longer
 * than max_record ends where it would otherwise, quotes heeded. Errors: ERR_FILE_QUOTE (a quoted
 * field that does not close within max_record bytes or before the end of the file; the message
 * has the line of the file, counted from its beginning, and the byte where it opens, the detail
 * the record's start), ERR_FILE_UNSTABLE (no record ends at `end`) and those of source_read. */
int scanner_next(struct scanner *scanner, struct record *record, struct error *err) MUST_USE;

/* Where the scanner stands: behind the last record's line end and the empty lines passed over
 * since (which are passed over only by the call of scanner_next that follows). */
int64_t scanner_offset(const struct scanner *scanner);

/* Does a record that ended at `offset` (above 0), because the file did, go on there now? True when
 * there are bytes before and behind that place and none of the two is a line end. Errors as
 * source_read. */
int scanner_is_inside(const struct source *source, int64_t offset, bool *inside,
                      struct error *err) MUST_USE;

/* From now on the scanner also hashes the bytes that it passes, from its present offset on;
 * scanner_hash ends with the bytes before scanner_offset and starts the next stretch there. */
void scanner_hash_start(struct scanner *scanner);
void scanner_hash(struct scanner *scanner, unsigned char hash[SOURCE_HASH_BYTES]);

/* After scanner_hash_start: what is hashed is added to `whole` too, which is borrowed. */
void scanner_feed(struct scanner *scanner, struct digest *whole);

#endif
