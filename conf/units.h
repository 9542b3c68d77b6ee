/* SPDX-License-Identifier: PostgreSQL */
/* Sizes and times as people write them. Pure functions. */
#ifndef CONF_UNITS_H
#define CONF_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Space for any text of these. */
#define UNITS_TEXT_BYTES 32

/* "65536", "64K", "8M", "1G": bytes, units of 1024. False: it is none, or too large. */
bool units_parse_bytes(const char *text, int64_t *bytes);

/* "500ms", "30s", "2m", "1h"; without a unit, seconds. False: it is none, or too large. */
bool units_parse_ms(const char *text, int64_t *ms);

/* The shortest text that is parsed as this. Returns `out`, of UNITS_TEXT_BYTES. */
char *units_print_bytes(char *out, int64_t bytes);
char *units_print_ms(char *out, int64_t ms);

#endif
