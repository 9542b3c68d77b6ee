/* SPDX-License-Identifier: PostgreSQL */
/* Paths in the configuration. Pure functions: no file is looked at. */
#ifndef CONF_PATHS_H
#define CONF_PATHS_H

#include "base/error.h"

enum path_kind {
    PATH_OF_FILE,  /* or of a pattern */
    PATH_OF_FOLDER /* may be "/", and may end in a slash, which is dropped */
};

/* An absolute, normal path; the caller frees *path, which is NULL after an error. Errors, with
 * a hint: ERR_CONFIG. */
int path_parse(const char *text, enum path_kind kind, char **path, struct error *err) MUST_USE;

#endif
