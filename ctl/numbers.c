/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/numbers.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOCAL_TIME "%Y-%m-%d %H:%M:%S"

static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};

/* The number in its unit: one decimal below ten (or below a hundred, when `fine`). Cut, never
 * rounded up: 100 % of something is only said when it is. Returns the index of the unit. */
static size_t scale(char out[NUMBER_BYTES], int64_t n, bool fine)
{
    int64_t unit = 1;
    size_t i = 0;

    while (n / unit >= 1000 && i + 1 < COUNT_OF(prefixes)) {
        unit *= 1000;
        i++;
    }
    int64_t whole = n / unit;
    if (i > 0 && whole < (fine ? 100 : 10))
        snprintf(out, NUMBER_BYTES, "%" PRId64 ".%d", whole, (int)(n / (unit / 10) % 10));
    else
        snprintf(out, NUMBER_BYTES, "%" PRId64, whole);
    return i;
}

void numbers_short(char out[NUMBER_BYTES], int64_t n)
{
    char number[NUMBER_BYTES];
    size_t unit = scale(number, n, false);

    snprintf(out, NUMBER_BYTES, "%.20s%s", number, prefixes[unit]);
}

void numbers_size(char out[NUMBER_BYTES], int64_t bytes)
{
    char number[NUMBER_BYTES];
    size_t unit = scale(number, bytes, true);

    if (unit == 0)
        snprintf(out, NUMBER_BYTES, "%.20s byte%s", number, bytes == 1 ? "" : "s");
    else
        snprintf(out, NUMBER_BYTES, "%.20s %sB", number, prefixes[unit]);
}

static const struct {
    int64_t seconds;
    const char *name, *letter;
    int64_t step; /* of the smaller unit beside it */
} units[] = {
    {86400, "d", "d", 3600},
    {3600, "h", "h", 60},
    {60, "min", "m", 5},
    {1, "s", "s", 1},
};

static void duration(char out[NUMBER_BYTES], int64_t seconds, bool small)
{
    const char *gap = small ? "" : " ";
    size_t i = 0;

    if (seconds < 0)
        seconds = 0;
    while (units[i].seconds > 1 && seconds < units[i].seconds)
        i++;
    const char *name = small ? units[i].letter : units[i].name;
    int64_t whole = seconds / units[i].seconds;
    if (i + 1 == COUNT_OF(units)) {
        snprintf(out, NUMBER_BYTES, "%" PRId64 "%s%s", whole, gap, name);
        return;
    }
    int64_t rest = seconds % units[i].seconds / units[i].step * units[i].step;
    int64_t part = rest / units[i + 1].seconds;
    const char *next = small ? units[i + 1].letter : units[i + 1].name;
    snprintf(out, NUMBER_BYTES, "%" PRId64 "%s%s %" PRId64 "%s%s", whole, gap, name, part, gap,
             next);
}

void numbers_duration(char out[NUMBER_BYTES], int64_t seconds)
{
    duration(out, seconds, false);
}

void numbers_duration_short(char out[NUMBER_BYTES], int64_t seconds)
{
    duration(out, seconds, true);
}

void numbers_local_time(char out[NUMBER_BYTES], const char *rfc3339)
{
    struct tm utc = {0};
    struct tm local;
    const char *rest = strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &utc);

    if (rest && *rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (rest && (strcmp(rest, "Z") == 0 || strcmp(rest, "+00:00") == 0)) {
        time_t at = timegm(&utc);
        if (localtime_r(&at, &local) && strftime(out, NUMBER_BYTES, LOCAL_TIME, &local))
            return;
    }
    snprintf(out, NUMBER_BYTES, "%s", rfc3339);
}

void numbers_now(char out[NUMBER_BYTES])
{
    time_t now = time(NULL);
    struct tm local;

    if (!localtime_r(&now, &local) || strftime(out, NUMBER_BYTES, LOCAL_TIME, &local) == 0)
        snprintf(out, NUMBER_BYTES, "%lld", (long long)now);
}
