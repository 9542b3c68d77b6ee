/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/access.h"

#include "base/mem.h"
#include "supervisor/refusals.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const enum right needs[IPC_KIND_COUNT] = {
    [IPC_METRICS] = RIGHT_READ,    [IPC_PING] = RIGHT_READ,        [IPC_STATUS] = RIGHT_READ,
    [IPC_LIST] = RIGHT_READ,       [IPC_HISTORY] = RIGHT_READ,     [IPC_WAIT] = RIGHT_READ,
    [IPC_UPLOAD] = RIGHT_OPERATE,  [IPC_STOP] = RIGHT_OPERATE,     [IPC_KILL] = RIGHT_OPERATE,
    [IPC_REJECTS] = RIGHT_OPERATE, /* they show what the files say */
    [IPC_VERIFY] = RIGHT_OPERATE,  /* it costs as much as an upload */
    [IPC_PAUSE] = RIGHT_OPERATE,   [IPC_CONTINUE] = RIGHT_OPERATE, [IPC_FORGET] = RIGHT_ADMIN,
};

/* ---- who it is ---- */

static void ask_groups(struct peer *peer, int fd)
{
    socklen_t bytes = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) == 0 || errno != ERANGE)
        return;
    peer->groups = mem_new(bytes / sizeof(gid_t) + 1, sizeof(gid_t));
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &bytes) == 0)
        peer->group_count = bytes / sizeof(gid_t);
}

void peer_ask(struct peer *peer, int fd)
{
    struct ucred credentials;
    socklen_t size = sizeof credentials;

    *peer = (struct peer){.uid = -1};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return;
    peer->uid = (int64_t)credentials.uid;
    ask_groups(peer, fd);
    peer->groups = mem_resize(peer->groups, peer->group_count + 1, sizeof(gid_t));
    peer->groups[peer->group_count++] = credentials.gid;
}

void peer_fini(struct peer *peer)
{
    free(peer->groups);
    *peer = (struct peer){.uid = -1};
}

/* ---- what it may ---- */

static bool is_one_of(const struct peer *peer, const struct who *who)
{
    if (who->id == WHO_UNKNOWN)
        return false;
    if (!who->group)
        return who->id == peer->uid;
    for (size_t i = 0; i < peer->group_count; i++)
        if (who->id == (int64_t)peer->groups[i])
            return true;
    return false;
}

enum right access_right(const struct conf *conf, const struct peer *peer)
{
    if (peer->uid == 0 || peer->uid == (int64_t)geteuid())
        return RIGHT_ADMIN;
    for (enum right right = RIGHT_ADMIN; right > RIGHT_NONE; right--)
        for (size_t i = 0; i < conf->access[right].count; i++)
            if (is_one_of(peer, &conf->access[right].items[i]))
                return right;
    return RIGHT_NONE;
}

int access_check(const struct conf *conf, const struct peer *peer, enum ipc_kind kind,
                 struct error *err)
{
    enum right right = access_right(conf, peer);

    if (right >= needs[kind])
        return 0;
    if (right == RIGHT_NONE) /* uploadctl asks for a ping first, whatever it was told to do */
        return refusal_stranger(peer->uid, err);
    return refusal_denied(peer->uid, ipc_kind_name(kind), right_name(needs[kind]), err);
}
