/* SPDX-License-Identifier: PostgreSQL */
/* Values on their way into statements and out of results. */
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "db/chunks.h"
#include "db/query.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest bigint with its sign, a comma behind it. */
#define INT_BYTES 21

static void add(struct params *params, char *value)
{
    if (params->count == QUERY_PARAMS_MAX)
        log_fatal("a statement has more than %d parameters", QUERY_PARAMS_MAX);
    params->values[params->count++] = value;
}

void param_text(struct params *params, const char *value)
{
    add(params, mem_dup(value));
}

void param_int(struct params *params, int64_t value)
{
    add(params, mem_format("%" PRId64, value));
}

void param_int_if(struct params *params, bool given, int64_t value)
{
    if (given)
        param_int(params, value);
    else
        add(params, NULL);
}

void param_claim(struct params *params, const struct claim *claim)
{
    param_int(params, claim->tracker);
    param_int(params, claim->epoch);
    param_int(params, claim->token);
}

void param_bool(struct params *params, bool value)
{
    add(params, mem_dup(value ? "true" : "false"));
}

void param_bytes(struct params *params, const void *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = data;

    if (!data) {
        add(params, NULL);
        return;
    }
    char *out = mem_new(size * 2 + 3, 1);
    char *to = stpcpy(out, "\\x");

    for (size_t i = 0; i < size; i++) {
        *to++ = digits[from[i] >> 4];
        *to++ = digits[from[i] & 15];
    }
    add(params, out);
}

void param_ints(struct params *params, const int64_t *values, size_t count)
{
    char *out = mem_new(count * INT_BYTES + 3, 1);
    char *to = stpcpy(out, "{");

    for (size_t i = 0; i < count; i++)
        to += snprintf(to, INT_BYTES + 1, "%s%" PRId64, i ? "," : "", values[i]);
    stpcpy(to, "}");
    add(params, out);
}

/* As PQfnumber, which makes a copy of the name each time, for its capital letters. */
static int number_of(const PGresult *result, const char *column)
{
    int field = PQnfields(result) - 1;

    while (field >= 0 && strcmp(PQfname(result, field), column) != 0)
        field--;
    return field;
}

/* The value in this column, NULL for NULL. */
static const char *value(const PGresult *result, int row, const char *column)
{
    int field = number_of(result, column);

    if (field < 0 || row < 0 || row >= PQntuples(result))
        log_fatal("a result has no row %d with a column %s", row, column);
    return PQgetisnull(result, row, field) ? NULL : PQgetvalue(result, row, field);
}

int64_t result_int(const PGresult *result, int row, const char *column)
{
    const char *text = value(result, row, column);
    int64_t number = 0;

    if (text && !text_to_int64(text, INT64_MIN, INT64_MAX, &number))
        log_fatal("column %s of a result is not an integer: %s", column, text);
    return number;
}

bool result_bool(const PGresult *result, int row, const char *column)
{
    const char *text = value(result, row, column);

    return text && strcmp(text, "t") == 0;
}

const char *result_text(const PGresult *result, int row, const char *column)
{
    return value(result, row, column);
}
