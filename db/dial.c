/* SPDX-License-Identifier: PostgreSQL */
/* Host by host, address by address, until one lets us in. Each address is a PGconn of its own, so
 * that its time limit can be ours. What is not promised: a Kerberos library that asks its servers,
 * or an LDAP look-up in a service file, blocks as libpq lets it. */
#include "db/dial.h"

#include "base/log.h"
#include "base/mem.h"
#include "db/conninfo.h"
#include "db/failure.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_BYTES 80 /* IPv6 with a scope */
#define FAILURES_BYTES 2048

/* A look-up in the thread pool cannot always be called back: it outlives a dial that gave it up. */
struct lookup {
    uv_getaddrinfo_t request;
    struct dial *dial; /* NULL: given up */
};

struct dial {
    const struct db_settings *settings;
    uv_loop_t *loop;
    on_dialed done;
    void *arg;
    struct conninfo info;
    size_t next_host; /* in info.hosts */
    struct lookup *lookup;
    struct addrinfo *addresses; /* of the host at hand, as looked up */
    struct addrinfo *next_address;
    PGconn *pg;
    uv_poll_t *poll;
    uv_timer_t timer;
    bool closed;
    char failures[FAILURES_BYTES]; /* what became of the addresses so far */
};

static void next(struct dial *dial);

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Before every call that may close the socket: libpq goes on to another one by itself (without
 * encryption, say), which may have the same number. */
static void unwatch(struct dial *dial)
{
    if (dial->poll)
        uv_close((uv_handle_t *)dial->poll, on_poll_closed);
    dial->poll = NULL;
}

static void hang_up(struct dial *dial)
{
    unwatch(dial);
    PQfinish(dial->pg);
    dial->pg = NULL;
}

static const struct db_host *host_at_hand(const struct dial *dial)
{
    return &dial->info.hosts[dial->next_host - 1];
}

static void note(struct dial *dial, const char *text)
{
    char line[FAILURES_BYTES];
    size_t used = strlen(dial->failures);

    failure_one_line(line, sizeof line, text);
    snprintf(dial->failures + used, sizeof dial->failures - used, "%s%s", used ? "; " : "", line);
}

static void fail(struct dial *dial)
{
    struct db_error err;

    uv_timer_stop(&dial->timer);
    failure_lost(&err, "%s", dial->failures);
    if (strstr(dial->failures, "session is read-only")) /* so libpq says it, in no other language */
        failure_hint(&err, DB_READ_ONLY);
    dial->done(dial->arg, NULL, &err);
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void watch(struct dial *dial, int events)
{
    dial->poll = NEW(uv_poll_t);
    int rc = uv_poll_init(dial->loop, dial->poll, PQsocket(dial->pg));
    if (rc < 0)
        log_fatal("cannot watch a connection to the database: %s", uv_strerror(rc));
    dial->poll->data = dial;
    uv_poll_start(dial->poll, events, on_socket);
}

static void succeed(struct dial *dial)
{
    PGconn *pg = dial->pg;

    uv_timer_stop(&dial->timer);
    dial->pg = NULL;
    dial->done(dial->arg, pg, NULL);
}

static void go_on(struct dial *dial, PostgresPollingStatusType state)
{
    switch (state) {
    case PGRES_POLLING_OK:
        succeed(dial);
        return;
    case PGRES_POLLING_READING:
        watch(dial, UV_READABLE);
        return;
    case PGRES_POLLING_WRITING:
        watch(dial, UV_WRITABLE);
        return;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
        break;
    }
    note(dial, PQerrorMessage(dial->pg));
    hang_up(dial);
    next(dial);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct dial *dial = poll->data;

    (void)status; /* libpq finds out what is wrong */
    (void)events;
    unwatch(dial);
    go_on(dial, PQconnectPoll(dial->pg));
}

static void give_up_lookup(struct dial *dial)
{
    if (!dial->lookup)
        return;
    dial->lookup->dial = NULL;
    uv_cancel((uv_req_t *)&dial->lookup->request);
    dial->lookup = NULL;
}

static void on_timeout(uv_timer_t *timer)
{
    struct dial *dial = timer->data;
    const char *name = host_at_hand(dial)->name;
    char text[FAILURES_BYTES];

    if (dial->lookup)
        snprintf(text, sizeof text, "looking up host name \"%s\" took too long", name);
    else
        snprintf(text, sizeof text,
                 "connection to server at \"%s\", port %s failed: timeout expired",
                 name ? name : PQhost(dial->pg), PQport(dial->pg));
    note(dial, text);
    give_up_lookup(dial);
    hang_up(dial);
    next(dial);
}

static void limit_time(struct dial *dial)
{
    uv_timer_stop(&dial->timer);
    if (dial->info.timeout_ms > 0)
        uv_timer_start(&dial->timer, on_timeout, dial->info.timeout_ms, 0);
}

static void call(struct dial *dial, const char *address)
{
    limit_time(dial);
    dial->pg = conninfo_start(&dial->info, dial->settings, host_at_hand(dial), address);
    if (PQstatus(dial->pg) == CONNECTION_BAD)
        go_on(dial, PGRES_POLLING_FAILED);
    else
        go_on(dial, PGRES_POLLING_WRITING); /* as libpq wants it for the first time */
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct lookup *lookup = CONTAINER_OF(request, struct lookup, request);
    struct dial *dial = lookup->dial;
    char text[FAILURES_BYTES];

    free(lookup);
    if (!dial) {
        uv_freeaddrinfo(found);
        return;
    }
    dial->lookup = NULL;
    dial->addresses = dial->next_address = found;
    if (status < 0) {
        snprintf(text, sizeof text, "could not translate host name \"%s\" to address: %s",
                 host_at_hand(dial)->name, uv_strerror(status));
        note(dial, text);
    }
    next(dial);
}

static void look_up(struct dial *dial)
{
    static const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct lookup *lookup = NEW(struct lookup);

    limit_time(dial);
    int rc = uv_getaddrinfo(dial->loop, &lookup->request, on_looked_up, host_at_hand(dial)->name,
                            NULL, &wanted);
    if (rc == 0) {
        lookup->dial = dial;
        dial->lookup = lookup;
        return;
    }
    free(lookup);
    note(dial, uv_strerror(rc));
    next(dial);
}

static void forget_addresses(struct dial *dial)
{
    uv_freeaddrinfo(dial->addresses);
    dial->addresses = dial->next_address = NULL;
}

/* The next address of the host at hand, else the next host. */
static void next(struct dial *dial)
{
    struct addrinfo *at = dial->next_address;
    char address[ADDRESS_BYTES];

    if (at) {
        dial->next_address = at->ai_next;
        if (getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof address, NULL, 0,
                        NI_NUMERICHOST) == 0)
            call(dial, address);
        else
            next(dial);
        return;
    }
    forget_addresses(dial);
    if (dial->next_host == dial->info.count) {
        fail(dial);
        return;
    }
    const struct db_host *host = &dial->info.hosts[dial->next_host++];
    if (host->address || conninfo_is_local(host->name))
        call(dial, host->address);
    else
        look_up(dial);
}

static void on_start(uv_timer_t *timer)
{
    struct dial *dial = timer->data;
    struct db_error err = {.meaning = DB_LOST};

    if (conninfo_read(&dial->info, dial->settings->conninfo, &err.error) < 0)
        dial->done(dial->arg, NULL, &err);
    else
        next(dial);
}

struct dial *dial_new(uv_loop_t *loop, const struct db_settings *settings, on_dialed done,
                      void *arg)
{
    struct dial *dial = NEW(struct dial);

    dial->settings = settings;
    dial->loop = loop;
    dial->done = done;
    dial->arg = arg;
    uv_timer_init(loop, &dial->timer);
    dial->timer.data = dial;
    uv_timer_start(&dial->timer, on_start, 0, 0);
    return dial;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct dial *dial = handle->data;

    conninfo_fini(&dial->info);
    free(dial);
}

void dial_close(struct dial *dial)
{
    if (!dial || dial->closed)
        return;
    dial->closed = true;
    hang_up(dial);
    give_up_lookup(dial);
    forget_addresses(dial);
    uv_close((uv_handle_t *)&dial->timer, on_timer_closed);
}
