/* SPDX-License-Identifier: PostgreSQL */
/* Rejects as CSV (RFC 4180, lines ending in LF), to be corrected: number of the record, reason, and
 * the record's bytes as they are, in one quoted field. Errors are the stream's (ferror). */
#ifndef BASE_REJECT_CSV_H
#define BASE_REJECT_CSV_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Print the header "line,reason,raw", and one reject. */
void reject_csv_head(FILE *out);
void reject_csv_add(FILE *out, int64_t line, const char *reason, const void *raw, size_t raw_bytes);

#endif
