/* SPDX-License-Identifier: PostgreSQL */
#include "db/kept.h"

#include "base/mem.h"
#include "db/conninfo.h"
#include "db/session.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define PATIENCE_MS 2000

struct db_kept {
    char *conninfo;
    PGconn *pg; /* NULL: whoever had it has ended it */
    bool taken;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until the socket can be read or written as libpq wants it; false when that takes too long. */
static bool await(const PGconn *pg, PostgresPollingStatusType wanted, int64_t until_ms)
{
    struct pollfd socket = {.fd = PQsocket(pg),
                            .events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT};
    int64_t left_ms = until_ms - now_ms();

    return left_ms > 0 && poll(&socket, 1, (int)left_ms) > 0;
}

static bool connects(PGconn *pg)
{
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING; /* as libpq wants it at first */
    int64_t until_ms = now_ms() + PATIENCE_MS;

    if (PQstatus(pg) == CONNECTION_BAD)
        return false;
    while (wanted == PGRES_POLLING_READING || wanted == PGRES_POLLING_WRITING) {
        if (!await(pg, wanted, until_ms))
            return false;
        wanted = PQconnectPoll(pg);
    }
    return wanted == PGRES_POLLING_OK && !PQsslInUse(pg) && !PQgssEncInUse(pg);
}

/* To the first host: a worker's conninfo names the one that its supervisor has found. */
static PGconn *connection(const struct db_settings *settings)
{
    struct conninfo info;
    struct error err;

    if (conninfo_read(&info, settings->conninfo, &err) < 0)
        return NULL;
    PGconn *pg = conninfo_start(&info, settings, &info.hosts[0], info.hosts[0].address);
    conninfo_fini(&info);
    if (connects(pg))
        return pg;
    PQfinish(pg);
    return NULL;
}

struct db_kept *db_kept_new(const struct db_settings *settings)
{
    PGconn *pg = connection(settings);

    if (!pg)
        return NULL;
    struct db_kept *kept = NEW(struct db_kept);
    kept->conninfo = mem_dup(settings->conninfo);
    kept->pg = pg;
    return kept;
}

bool db_kept_is_usable(const struct db_kept *kept, const char *conninfo)
{
    struct pollfd socket = {.fd = PQsocket(kept->pg), .events = POLLIN};

    return strcmp(kept->conninfo, conninfo) == 0 && poll(&socket, 1, 0) == 0;
}

bool db_kept_at_rest(const struct db_kept *kept)
{
    return kept->pg && PQtransactionStatus(kept->pg) == PQTRANS_IDLE && !PQisBusy(kept->pg);
}

PGconn *kept_take(struct db_kept *kept)
{
    if (!kept || kept->taken)
        return NULL;
    kept->taken = true;
    return kept->pg;
}

void kept_leave(struct db_kept *kept)
{
    if (db_kept_at_rest(kept))
        return;
    if (PQsocket(kept->pg) >= 0) /* the descriptor of whoever made it is the same socket's */
        shutdown(PQsocket(kept->pg), SHUT_RDWR);
    PQfinish(kept->pg);
    kept->pg = NULL;
}

void db_kept_end(struct db_kept *kept)
{
    if (!kept)
        return;
    PQfinish(kept->pg);
    free(kept->conninfo);
    free(kept);
}
