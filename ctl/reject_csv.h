/* SPDX-License-Identifier: PostgreSQL */
/* Rejects as CSV (RFC 4180, lines ending in LF), to be corrected: number of the record, reason, and
 * the record's bytes as they are, in one quoted field. */
#ifndef CTL_REJECT_CSV_H
#define CTL_REJECT_CSV_H

#include <jansson.h>

/* Print on standard output: the header "line,reason,raw", and one reject. */
void reject_csv_head(void);
void reject_csv_add(const json_t *reject);

#endif
