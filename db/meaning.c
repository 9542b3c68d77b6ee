/* SPDX-License-Identifier: PostgreSQL */
#include "db/meaning.h"

#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

/* The first row whose prefix an SQLSTATE begins with says what it means: single codes stand before
 * their class. What is in no row is DB_DENIED. */
static const struct {
    const char *prefix;
    enum db_meaning meaning;
} meanings[] = {
    {"UP001", DB_FENCED},    /* raised by gate and pop_chunks: another epoch, or a stop */
    {"UP002", DB_FENCED},    /* raised by the gate: does not continue the chain */
    {"08", DB_LOST},         /* connection exceptions */
    {"57P01", DB_LOST},      /* admin shutdown, or a terminated backend */
    {"57P02", DB_LOST},      /* crash shutdown */
    {"57P03", DB_LOST},      /* cannot connect now */
    {"53300", DB_LOST},      /* too many connections */
    {"25P03", DB_LOST},      /* the session was ended, idle in its transaction */
    {"57014", DB_CANCELLED}, /* a timeout of the operator's, or pg_cancel_backend */
    {"25006", DB_READ_ONLY},
    {"55P03", DB_CONFLICT},       /* lock not available: lock_timeout */
    {"40", DB_CONFLICT},          /* deadlock, serialization failure */
    {"53", DB_EXHAUSTED},         /* disk full, out of memory */
    {"58", DB_EXHAUSTED},         /* I/O error */
    {"22P03", DB_DENIED},         /* columns of other types than ours */
    {"22", DB_DATA},              /* data exceptions */
    {"23", DB_DATA},              /* integrity constraints */
    {"P0", DB_DATA},              /* of a trigger in PL/pgSQL: RAISE, STRICT, ASSERT */
    {"21", DB_DATA},              /* of a trigger: a subquery with more than one row */
    {"38", DB_DATA},              /* of a trigger in another language */
    {"44", DB_DATA},              /* WITH CHECK OPTION of what a trigger writes to */
    {MEANING_TOO_LARGE, DB_DATA}, /* a value longer than an index takes */
};

/* Of these the service is the only writer. file_data is not among them: there the rows are
 * somebody's data, under whatever constraints the operator adds. */
static const char *const own_tables[] = {
    "file_tracker", "file_checkpoint", "file_reject",    "file_event",
    "file_content", "pause",           "schema_version",
};

static bool is_own(const char *schema, const char *table, const char *own_schema)
{
    if (!schema || !table || strcmp(schema, own_schema) != 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(own_tables); i++)
        if (strcmp(table, own_tables[i]) == 0)
            return true;
    return false;
}

enum db_meaning db_meaning_of(const char *sqlstate, const char *schema, const char *table,
                              const char *own_schema)
{
    if (!sqlstate)
        return DB_LOST;
    for (size_t i = 0; i < COUNT_OF(meanings); i++) {
        if (strncmp(sqlstate, meanings[i].prefix, strlen(meanings[i].prefix)) != 0)
            continue;
        if (meanings[i].meaning == DB_DATA && is_own(schema, table, own_schema))
            return DB_FENCED;
        return meanings[i].meaning;
    }
    return DB_DENIED;
}
