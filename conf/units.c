/* SPDX-License-Identifier: PostgreSQL */
#include "conf/units.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* from the smallest up; the one without a name is what a number alone means */
static const struct unit sizes[] = {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};
static const struct unit times[] = {
    {"ms", 1}, {"s", 1000}, {"", 1000}, {"m", INT64_C(60000)}, {"h", INT64_C(3600000)}};

static bool parse(const struct unit *units, size_t count, const char *text, int64_t *value)
{
    size_t digits = strspn(text, "0123456789");
    char number[UNITS_TEXT_BYTES];

    if (digits == 0 || digits >= sizeof number)
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    for (size_t i = 0; i < count; i++)
        if (strcmp(text + digits, units[i].name) == 0 &&
            text_to_int64(number, 0, INT64_MAX / units[i].factor, value)) {
            *value *= units[i].factor;
            return true;
        }
    return false;
}

static char *print(const struct unit *units, size_t count, char *out, int64_t value)
{
    const struct unit *best = &units[0];

    for (size_t i = 1; i < count; i++)
        if (value != 0 && units[i].name[0] && value % units[i].factor == 0)
            best = &units[i];
    snprintf(out, UNITS_TEXT_BYTES, "%lld%s", (long long)(value / best->factor), best->name);
    return out;
}

bool units_parse_bytes(const char *text, int64_t *bytes)
{
    return parse(sizes, COUNT_OF(sizes), text, bytes);
}

bool units_parse_ms(const char *text, int64_t *ms)
{
    return parse(times, COUNT_OF(times), text, ms);
}

char *units_print_bytes(char *out, int64_t bytes)
{
    return print(sizes, COUNT_OF(sizes), out, bytes);
}

char *units_print_ms(char *out, int64_t ms)
{
    return print(times, COUNT_OF(times), out, ms);
}
