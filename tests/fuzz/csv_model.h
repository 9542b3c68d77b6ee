/* SPDX-License-Identifier: PostgreSQL */
/* The rules of docs/design.md for a file's records and fields, written down as plainly as can be:
 * byte by byte, over the whole file in memory. fuzz_csv compares the reader with it, and
 * oracle.py compares the reader with Python's csv. It shares no code with the reader. */
#ifndef TESTS_FUZZ_CSV_MODEL_H
#define TESTS_FUZZ_CSV_MODEL_H

#include <stdbool.h>
#include <stddef.h>

struct csv_rules {
    const char *data; /* the file */
    size_t size;
    char delimiter, quote;
    size_t max_record;
};

struct csv_record {
    size_t start, length, end; /* offsets; length without the line end, end behind it */
    bool text_after_quote;
    bool complete; /* a line end, and not a CR that the file ends with */
};

/* The record that begins at or behind `at`: 1; 0 when there is none; -1 when a quote stays open,
 * at the offset that is then in record->start. */
int csv_model_next(const struct csv_rules *rules, size_t at, struct csv_record *record);

/* A well-formed record's field number `index`, from 0, into `out` (with room for the record):
 * its size, or -1 when there are not so many. */
long csv_model_field(const struct csv_rules *rules, const struct csv_record *record, size_t index,
                     char *out);

/* Why such a record is a reject when it is to have `count` fields (or `more`); false: it is good.
 * `reason` has room for 128 bytes. */
bool csv_model_refuses(const struct csv_rules *rules, const struct csv_record *record, size_t count,
                       bool more, char *reason);

#endif
