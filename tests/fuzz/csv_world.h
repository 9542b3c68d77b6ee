/* SPDX-License-Identifier: PostgreSQL */
/* What fuzz_csv knows of its input: the file, how it is to be read, and its records as the model
 * has them. */
#ifndef TESTS_FUZZ_CSV_WORLD_H
#define TESTS_FUZZ_CSV_WORLD_H

#include "csv/splitter.h"
#include "tests/fuzz/csv_model.h"
#include "worker/input.h"

struct choices {
    size_t read_bytes;
    int64_t chunk_bytes;
    unsigned refused; /* every so many'th record; 0: none */
    unsigned again;   /* from which record or chunk on */
};

struct world {
    struct choices choices;
    struct csv_rules rules;
    struct csv_record *records; /* as the model has them, the header among them */
    size_t count;
    bool open;      /* a quote stays open behind them, */
    size_t open_at; /* at this offset */
    struct job job;
    struct input *input;
    char *text; /* room for a field */
};

/* The record of this line, from 1. */
const struct csv_record *world_record(const struct world *w, int64_t line);

/* Where line 1 stands in `records`. */
size_t world_first_index(const struct world *w);

/* The record becomes a row, as far as the reader is asked; false: with this reason it does not. */
bool world_is_good(const struct world *w, const struct csv_record *record,
                   char reason[FIELDS_REASON_BYTES]);

/* The record's field of this index has this value, or the run ends. */
void world_demand_field(const struct world *w, const struct csv_record *record, size_t index,
                        const char *data, size_t size);

/* The passes over a chunk give its rows, whole and in parts, and its rejects, or the run ends. */
void world_demand_rows(const struct world *w, const struct chunk *chunk);
void world_demand_rejects(const struct world *w, const struct chunk *chunk);

#endif
