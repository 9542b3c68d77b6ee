/* SPDX-License-Identifier: PostgreSQL */
/* The clients of the control socket: their frames, the requests that come of them, and their
 * answers. No client can hold up the others, nor the supervisor: who asks for much, or does not
 * read, is not read; who leaves too much unread, or half a frame, is closed. */
#ifndef SUPERVISOR_CLIENTS_H
#define SUPERVISOR_CLIENTS_H

#include "base/error.h"
#include "supervisor/access.h"

#include <stdbool.h>
#include <stddef.h>

struct clients; /* private */
struct supervisor;

struct clients *clients_new(struct supervisor *supervisor);

size_t clients_count(const struct clients *clients);

/* Takes who is at the other end of this descriptor, and both over. */
void clients_add(struct clients *clients, int fd, const struct peer *peer);

/* There are too many: one with nothing under way gives its place to who comes, so that nobody shuts
 * others out by being there. False: all of them wait for something. */
bool clients_make_room(struct clients *clients);

/* To be called once a second: closes who is too slow or leaves too much unread, and tells the
 * others again what they missed. */
void clients_sweep(struct clients *clients);

/* Closes all of them; no further one is taken. */
void clients_close(struct clients *clients);

/* After the loop has ended. */
void clients_free(struct clients *clients);

#endif
