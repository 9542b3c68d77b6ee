/* SPDX-License-Identifier: PostgreSQL */
/* Numbers, sizes and times as people read them, and back. Pure, but for the local time zone. */
#ifndef CTL_NUMBERS_H
#define CTL_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* Holds whatever a function here writes. */
#define NUMBER_BYTES 64

/* At most four columns: "999", "1.2k", "12M", "123G" */
void numbers_short(char out[NUMBER_BYTES], int64_t n);

/* "999 bytes", "1.2 kB", "12.3 GB"; units of a thousand */
void numbers_size(char out[NUMBER_BYTES], int64_t bytes);

/* Two units: "5 s", "2 min 5 s", "1 h 12 min", "3 d 4 h"; long ones rounded, so that they are calm
 * to look at */
void numbers_duration(char out[NUMBER_BYTES], int64_t seconds);

/* The same, at most seven columns: "2m 5s", "1h 12m", "99d 4h" */
void numbers_duration_short(char out[NUMBER_BYTES], int64_t seconds);

/* A time in RFC 3339 as the local clock shows it, "2025-01-31 17:05:09"; as it is when it is none.
 */
void numbers_local_time(char out[NUMBER_BYTES], const char *rfc3339);

/* The time now, likewise. */
void numbers_now(char out[NUMBER_BYTES]);

#endif
