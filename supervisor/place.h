/* SPDX-License-Identifier: PostgreSQL */
/* A supervisor's place on this host: the lock file beside the socket, which one live supervisor
 * holds, and the bound control socket. Blocking calls, before the loop runs. */
#ifndef SUPERVISOR_PLACE_H
#define SUPERVISOR_PLACE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The lives that a lock file remembers; `start` of supervisor.h, and its end. */
#define PLACE_LIVES 32
#define PLACE_START_BYTES 17

struct place {
    char *socket_path;
    char *lock_path; /* SOCKET.lock; flock'ed, CLOEXEC, never unlinked */
    int lock_fd;
    int listen_fd; /* bound, mode 0666, listening; -1 once given away */
    bool given;    /* the socket is systemd's: it stays */
    char lives[PLACE_LIVES][PLACE_START_BYTES]; /* earlier ones, the newest last */
    size_t life_count;
};

/* Takes the lock, notes this life in the lock file, then binds to a temporary name, listens, and
 * renames it over a stale socket: who finds the socket can connect. A socket of this path that
 * listens already (given_fd; -1: none) is taken in its place. Errors, each with its remedy:
 * ERR_ANOTHER_SUPERVISOR (the lock is held), ERR_SYSTEM (no folder, no right, a path too long, or
 * the path of something else than a socket). After an error there is nothing to leave. */
int place_take(struct place *place, const char *socket_path, int given_fd, const char *start,
               struct error *err) MUST_USE;

/* Does the lock file prove that this was an earlier life at this place, which is over? */
bool place_was_ours(const struct place *place, const char *start);

/* Unlinks the socket, unless it was given, and lets the lock go. */
void place_leave(struct place *place);

#endif
