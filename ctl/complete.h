/* SPDX-License-Identifier: PostgreSQL */
/* `uploadctl complete -- WORD...`, which completions of shells call and people do not: what the
 * last of the words behind uploadctl, begun or empty, may become. It is in no list of commands. */
#ifndef CTL_COMPLETE_H
#define CTL_COMPLETE_H

#include "base/codes.h"

#include <stddef.h>

#define COMPLETE_COMMAND "complete"

/* In place of a candidate: names of files here are candidates as well. */
#define COMPLETE_FILES ":files"

/* Prints the candidates, a line each, unquoted. Without a service those that need one are missing.
 * Always EXIT_DONE. */
enum exit_code complete(char **words, size_t count);

#endif
