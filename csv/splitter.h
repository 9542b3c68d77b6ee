/* SPDX-License-Identifier: PostgreSQL */
/* Cuts a source into chunks: consecutive whole records, with their hash. One pass of the
 * scanner ahead of the lanes, which then read their chunk's range again on their own; so a
 * chunk is a value that can be done once more, by any lane. */
#ifndef CSV_SPLITTER_H
#define CSV_SPLITTER_H

#include "csv/source.h"

#include <stdbool.h>

/* A chunk as its checkpoint has it, before its rows and rejects are counted. */
struct chunk {
    int64_t chunk_no;                      /* from 1 */
    int64_t first_line, last_line;         /* records; last = first - 1 when it has none */
    int64_t start_offset, end_offset;      /* bytes, end excluded */
    unsigned char hash[SOURCE_HASH_BYTES]; /* of those bytes */
    bool final;                            /* reaches the end of the file */
};

struct splitter; /* private */

/* Starts behind `last` (the last checkpoint), or at the beginning when its chunk_no is 0. Chunk 1
 * begins at offset 0 and takes in BOM and header. */
struct splitter *splitter_new(const struct source *source, char delimiter, char quote, bool header,
                              int64_t max_record, int64_t chunk_bytes, const struct chunk *last);
void splitter_free(struct splitter *splitter);

/* Before the first chunk: the bytes of the chunks are added to `whole`, which is borrowed: the
 * digest of what is before them becomes that of the file. */
void splitter_feed(struct splitter *splitter, struct digest *whole);

/* Before the first chunk: at most so many lanes will carry the chunks, each as much as the others,
 * and each a part of a chunk behind the one before: so they come to the ends of their chunks one
 * after the other, and while one waits for the server's answers to that, the others use the server
 * and the way to it. With three: chunks of 1, 2, 3, 3, ..., 3, 2, 1 thirds. They commit in this
 * order too, and are done with the last ones at the same time. */
void splitter_share(struct splitter *splitter, size_t most_lanes);

/* The next chunk: 1, or 0 behind the final one. A chunk ends with the record that reaches
 * chunk_bytes, or less (splitter_share). A record that only the end of the
 * file ends, and the empty lines at the end, are in the final chunk; a file that ends behind the
 * last checkpoint gives one final chunk without records. Errors as scanner_next. */
int splitter_next(struct splitter *splitter, struct chunk *chunk, struct error *err) MUST_USE;

#endif
