/* SPDX-License-Identifier: PostgreSQL */
/* Who may do what: the right that each command needs, as one table, and the right that who is at
 * the other end of a connection has by section [access]. */
#ifndef SUPERVISOR_ACCESS_H
#define SUPERVISOR_ACCESS_H

#include "base/error.h"
#include "conf/conf.h"
#include "ipc/messages.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Who is at the other end, as the kernel says: as it was when it connected. */
struct peer {
    int64_t uid;   /* -1: the kernel does not say */
    gid_t *groups; /* all that it has */
    size_t group_count;
};

/* Asks the kernel about the socket (SO_PEERCRED and SO_PEERGROUPS, unix(7)). The caller ends it
 * with peer_fini. */
void peer_ask(struct peer *peer, int fd);

void peer_fini(struct peer *peer);

/* The right that it has: every one includes those before it. Root, and the user that this process
 * runs as, have all. */
enum right access_right(const struct conf *conf, const struct peer *peer);

/* May it send this request? 0, or ERR_DENIED with a hint that names the option. */
int access_check(const struct conf *conf, const struct peer *peer, enum ipc_kind kind,
                 struct error *err) MUST_USE;

#endif
