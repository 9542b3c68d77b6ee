/* SPDX-License-Identifier: PostgreSQL */
/* Text as input of mdoc(7): escaped, each sentence on a line of its own, and no line too long. */
#ifndef DOCS_MDOC_H
#define DOCS_MDOC_H

#include <stdio.h>

/* Prints sentences, or nothing when there is none. What stands between `backquotes` is bold. */
void mdoc_text(FILE *out, const char *text);

/* Prints one argument of a macro, blanks and all, without a line break. */
void mdoc_argument(FILE *out, const char *text);

/* Prints the first letter as a capital, and a full stop behind: a table's line as a sentence. */
void mdoc_sentence(FILE *out, const char *text);

#endif
