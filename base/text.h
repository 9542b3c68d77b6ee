/* SPDX-License-Identifier: PostgreSQL */
/* Text: UTF-8, escaping for people, numbers, paths. Pure functions. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the longest prefix of data that is valid UTF-8 (RFC 3629: no surrogates, no
 * overlong forms, at most U+10FFFF); `size` when all of it is. */
size_t text_utf8_valid(const char *data, size_t size);

/* Writes `in` with control characters and invalid UTF-8 as \n, \t, \x1B and the like; cut
 * at `size` - 1 bytes, always terminated. */
void text_escape(char *out, size_t size, const char *in);

/* The same, whole, in memory that the caller frees. */
char *text_escaped(const char *in);

/* Whole decimal number within [min, max], nothing before or behind it. */
bool text_to_int64(const char *text, int64_t min, int64_t max, int64_t *value);

/* "3,201,000" */
#define TEXT_COUNT_BYTES 32
void text_count(char out[TEXT_COUNT_BYTES], int64_t n);

/* "1 row", "3,201,000 rows"; the noun, of at most 20 bytes, takes an s. Returns `out`. */
#define TEXT_COUNTED_BYTES 56
char *text_counted(char out[TEXT_COUNTED_BYTES], int64_t n, const char *noun);

/* "2026-11-28T03:00:00.000Z": now and so many milliseconds, in UTC (RFC 3339). Returns `out`. */
#define TEXT_TIME_BYTES 48
char *text_time(char out[TEXT_TIME_BYTES], int64_t from_now_ms);

/* The path made absolute (from `cwd`, itself absolute) and lexically normal: no empty, "."
 * or ".." component, no slash at the end. ".." at the root stays there. The caller frees. */
char *text_path_normal(const char *path, const char *cwd);

/* A path as a tracker may have it: absolute, normal, UTF-8, no line break, not "/". */
bool text_path_is_normal(const char *path);

/* `path` is `folder` itself or lies below it; both normal. */
bool text_path_below(const char *path, const char *folder);

#endif
