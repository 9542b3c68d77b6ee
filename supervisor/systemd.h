/* SPDX-License-Identifier: PostgreSQL */
/* What a service manager gives, and what it is told: the control socket by activation; readiness,
 * reload and end; a line on how the service stands; and the watchdog, which a timer of the loop
 * feeds, so that a loop that hangs is noticed. Without a service manager nothing of it happens. */
#ifndef SUPERVISOR_SYSTEMD_H
#define SUPERVISOR_SYSTEMD_H

#include "base/error.h"

#include <stdint.h>

struct supervisor;
struct systemd;

/* The listening socket of this path that systemd passes, CLOEXEC, in *fd; -1: it passes none.
 * ERR_SYSTEM, with its remedy: it passes several, or one that is no such socket. */
int systemd_take_socket(const char *path, int *fd, struct error *err) MUST_USE;

/* Its timers, which do not keep the loop. */
struct systemd *systemd_new(struct supervisor *supervisor);

/* The socket listens. The database is not waited for. */
void systemd_ready(struct systemd *systemd);

/* The configuration is being read again; systemd_ready follows. */
void systemd_reloading(struct systemd *systemd);

/* The end has begun, and takes at most so long, whatever TimeoutStopSec= says. */
void systemd_stopping(struct systemd *systemd, uint64_t within_ms);

/* Before the loop's last run. NULL is allowed. */
void systemd_free(struct systemd *systemd);

#endif
