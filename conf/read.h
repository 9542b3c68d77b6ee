/* SPDX-License-Identifier: PostgreSQL */
/* Reads a configuration file whole, and names those of a folder. */
#ifndef CONF_READ_H
#define CONF_READ_H

#include "base/error.h"

#include <stddef.h>

/* The file's bytes, at most max_bytes; one byte behind them may be written. The caller frees
 * *data. Errors, with a hint: ERR_CONFIG (missing, unreadable, too long, neither a regular file
 * nor a character device); *data is NULL then. Never waits for a FIFO. */
int read_whole(const char *path, size_t max_bytes, char **data, size_t *size,
               struct error *err) MUST_USE;

/* The paths of the folder's *.conf, in the order of their names' bytes, hidden ones left out. A
 * folder that is not there has none. The caller frees each and the list. Errors: ERR_CONFIG. */
int read_folder(const char *folder, char ***paths, size_t *count, struct error *err) MUST_USE;

#endif
