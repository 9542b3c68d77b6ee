/* SPDX-License-Identifier: PostgreSQL */
/* The database's password in a file of its own. libpq reads one, too (passfile), but refuses it
 * when a group may read it, which is how systemd keeps credentials. */
#ifndef CONF_PASSWORD_H
#define CONF_PASSWORD_H

#include "base/error.h"

/* The path of systemd's credential CONF_CREDENTIAL, whether it is there or not; NULL: the process
 * was given no credentials. The caller frees. */
char *password_credential(void);

/* The file's first line; the caller frees, and logs it never. A file that others may read is
 * refused. Errors: ERR_CONFIG, with a hint, and never with a part of the file. */
int password_read(const char *path, char **password, struct error *err) MUST_USE;

#endif
