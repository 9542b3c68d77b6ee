/* SPDX-License-Identifier: PostgreSQL */
/* The control socket: clients come, their frames become requests (requests.h), answers go back.
 * Bounds the number of clients, the length of a frame, idle half-sent frames, and the answers that
 * a client does not read. */
#ifndef SUPERVISOR_CONTROL_H
#define SUPERVISOR_CONTROL_H

#include "base/error.h"

#include <stddef.h>

struct control;
struct supervisor;

/* Listens on a bound descriptor, which it takes over (also on an error). */
int control_new(struct supervisor *supervisor, int listen_fd, struct control **control,
                struct error *err) MUST_USE;

/* No further clients; those that are there stay. */
void control_stop_listening(struct control *control);

/* How many clients are connected. */
size_t control_clients(const struct control *control);

/* Ends all clients; what they have not taken yet is dropped. Not while an answer is given. */
void control_close(struct control *control);

/* After the loop has ended. NULL is allowed. */
void control_free(struct control *control);

#endif
