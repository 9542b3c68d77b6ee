/* SPDX-License-Identifier: PostgreSQL */
/* What the last answer about an upload means: an exit code, and one line for people that says what
 * was kept and what can be done next. Pure. */
#ifndef CTL_ENDING_H
#define CTL_ENDING_H

#include "base/codes.h"
#include "ctl/named.h"
#include "ipc/messages.h"

#include <stdbool.h>

/* The exit code of a command (IPC_UPLOAD, IPC_STOP, ...) whose last answer is this upload; `waited`
 * when it was to wait for the end. */
enum exit_code ending_code(enum ipc_kind command, bool waited, const json_t *upload);

/* "KILLED: 3,201,000 rows kept (64 % of the file); go on with: uploadctl upload orders.csv", with
 * the supervisor's note (or NULL) in it. The caller frees. */
char *ending_line(enum ipc_kind command, const struct named *named, const json_t *upload,
                  const char *note);

/* "64 %", or "?" when it is not known. `out` holds 8 bytes. */
void ending_percent(char *out, const json_t *upload);

#endif
