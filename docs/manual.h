/* SPDX-License-Identifier: PostgreSQL */
/* The manual pages in mdoc(7), their lists from the tables of the code. */
#ifndef DOCS_MANUAL_H
#define DOCS_MANUAL_H

#include <stdio.h>

/* Print man/uploadctl.1, man/uploader.conf.5 and man/uploaderd.8. */
void manual_uploadctl(FILE *out);
void manual_conf(FILE *out);
void manual_uploaderd(FILE *out);

#endif
