/* SPDX-License-Identifier: PostgreSQL */
/* The columns of a profile: names in the file's header, or positions. Pure functions. */
#ifndef CONF_COLUMNS_H
#define CONF_COLUMNS_H

#include "base/error.h"
#include "base/profile.h"

#include <stddef.h>

#define COLUMNS_POSITION_MAX 16384

/* Exactly PROFILE_COLUMNS different names out of these lines: a comma or the end of the line ends
 * one; "in double quotes" it may hold commas, blanks at its ends and doubled quotes. The caller
 * frees each. Errors: ERR_CONFIG, *fault is the line that is wrong, no name is there. */
int columns_parse(char *const *lines, size_t count, char *columns[PROFILE_COLUMNS], size_t *fault,
                  struct error *err) MUST_USE;

/* Names that have to be different positions from 1 on: writes them without leading zeros.
 * Errors, with a hint: ERR_CONFIG. */
int columns_to_positions(char *columns[PROFILE_COLUMNS], struct error *err) MUST_USE;

#endif
