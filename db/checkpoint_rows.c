/* SPDX-License-Identifier: PostgreSQL */
#include "db/checkpoint_rows.h"

#include "base/log.h"
#include "db/query.h"

#include <string.h>

static unsigned char nibble(char digit)
{
    return (unsigned char)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static void read_hash(unsigned char *hash, const char *hex)
{
    if (!hex || strlen(hex) != (size_t)CHECKPOINT_HASH_BYTES * 2)
        log_fatal("a checkpoint's hash has not %d bytes", CHECKPOINT_HASH_BYTES);
    for (size_t i = 0; i < CHECKPOINT_HASH_BYTES; i++)
        hash[i] = (unsigned char)(nibble(hex[i * 2]) << 4 | nibble(hex[i * 2 + 1]));
}

void checkpoint_decode(struct checkpoint *to, const PGresult *result, int row)
{
    to->chunk_no = result_int(result, row, "chunk_no");
    to->first_line = result_int(result, row, "first_line");
    to->last_line = result_int(result, row, "last_line");
    to->start_offset = result_int(result, row, "start_offset");
    to->end_offset = result_int(result, row, "end_offset");
    to->row_count = result_int(result, row, "row_count");
    to->reject_count = result_int(result, row, "reject_count");
    to->rows_total = result_int(result, row, "rows_total");
    to->rejects_total = result_int(result, row, "rejects_total");
    to->final = result_bool(result, row, "final");
    read_hash(to->hash, result_text(result, row, "hash"));
}

void on_last_row(void *arg, PGresult *result, const struct db_error *err)
{
    const struct last_caller *caller = arg;
    struct checkpoint last;

    if (err || PQntuples(result) == 0) {
        caller->answer(caller->arg, NULL, err);
        return;
    }
    checkpoint_decode(&last, result, 0);
    caller->answer(caller->arg, &last, NULL);
}
