/* SPDX-License-Identifier: PostgreSQL */
/* Inside db/ only: the servers that a conninfo names, with libpq's environment and service file
 * taken into account, and the parameters that this service adds. */
#ifndef DB_CONNINFO_H
#define DB_CONNINFO_H

#include "base/error.h"
#include "db/conn.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One of the hosts; each text may be NULL: libpq's default. */
struct db_host {
    char *name; /* a host name, an address, or the folder of a Unix socket */
    char *address;
    char *port;
};

#define CONNINFO_ADDED_MAX 16

struct conninfo {
    struct db_host *hosts; /* in the order to be tried; at least one */
    size_t count;
    uint64_t timeout_ms;                    /* connect_timeout, for one address; 0: none */
    const char *added[CONNINFO_ADDED_MAX];  /* keywords that conninfo leaves open ... */
    const char *values[CONNINFO_ADDED_MAX]; /* ... and their values; static texts */
    size_t added_count;
};

/* Reads it; no network. 0, or -ERR_DATABASE_AWAY for a text that is no conninfo: never with a part
 * of that text, which may be of a password. */
int conninfo_read(struct conninfo *info, const char *text, struct error *err) MUST_USE;
void conninfo_fini(struct conninfo *info);

/* Is it the folder of a Unix socket, or the name of an abstract one? NULL is. */
bool conninfo_is_local(const char *host);

/* Starts to connect to one host (NULL in it: as conninfo says) at `address` (NULL: a local socket,
 * or as the host says). Never NULL; notices are ignored. */
PGconn *conninfo_start(const struct conninfo *info, const struct db_settings *settings,
                       const struct db_host *host, const char *address);

/* The parameters of a connection that is made, resolved, the password in it (NULL: that which it
 * has). The caller frees. */
char *conninfo_print(PGconn *pg, const char *password);

#endif
