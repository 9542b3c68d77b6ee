/* SPDX-License-Identifier: PostgreSQL */
#include "db/conninfo.h"

#include "base/mem.h"
#include "base/text.h"
#include "db/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_S 10

/* No value of any keyword. */
#define NO_VALUE "none of libpq's"

/* What a connection gets where neither conninfo nor environment nor service file says anything: a
 * server whose machine is gone is noticed within half a minute. */
static const struct {
    const char *keyword, *value;
} additions[] = {
    {"keepalives_idle", "15"},     /* s */
    {"keepalives_interval", "5"},  /* s */
    {"keepalives_count", "3"},     /* */
    {"tcp_user_timeout", "30000"}, /* ms */
};

static const char *option(const PQconninfoOption *options, const char *keyword)
{
    for (; options && options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && options->val[0] ? options->val : NULL;
    return NULL;
}

/* A connection that is given up before it looks for any server, for the value of this keyword; all
 * else is resolved, environment and service file included. NULL: no memory. */
static PGconn *resolve(const char *text, const char *keyword)
{
    const char *const keywords[] = {"dbname", keyword, NULL};
    const char *const values[] = {text, NO_VALUE, NULL};

    return PQconnectStartParams(keywords, values, 1);
}

/* What libpq says that quotes a keyword, or nothing. Other complaints quote what stands where
 * something else should, which may be of a password; and so may a keyword that it does not know,
 * where a password with a blank in it is not quoted. */
static const char *harmless(const char *text, const char *message)
{
    static const char *const beginnings[] = {
        "invalid connection option",
        "invalid URI query parameter",
        "unterminated quoted string",
    };

    for (size_t i = 0; message && i < COUNT_OF(beginnings); i++)
        if (strncmp(message, beginnings[i], strlen(beginnings[i])) == 0)
            return i == 0 && strstr(text, "password") ? "an option that libpq does not know"
                                                      : message;
    if (message && strncmp(message, "missing \"=\"", 11) == 0)
        return "a word without = behind it";
    return NULL;
}

/* As libpq has it, NULL with a reason when it cannot be read. The caller frees. */
static PQconninfoOption *parse(const char *text, struct error *err)
{
    char *why = NULL;
    char reason[256];
    PQconninfoOption *given = PQconninfoParse(text, &why);

    if (!given) {
        failure_one_line(reason, sizeof reason, harmless(text, why) ? harmless(text, why) : "");
        error_set(err, ERR_CONFIG, "the conninfo cannot be read%s%s", reason[0] ? ": " : "",
                  reason);
        error_hint(err, "write keyword=value pairs of libpq (host, port, dbname, user, ...), "
                        "values with blanks in single quotes, or a URI postgresql://");
    }
    PQfreemem(why);
    return given;
}

/* Values that libpq looks at only when it connects. */
static const char *const integers[] = {
    "port",
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_count",
    "keepalives_interval",
    "tcp_user_timeout",
};
static const char *const session_attrs[] = {"any",     "read-write", "read-only",
                                            "primary", "standby",    "prefer-standby"};

static bool is_one_of(const char *value, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(value, words[i]) == 0)
            return true;
    return false;
}

/* A value is not quoted: in a URI whose password has a / or @ as it is, it may be of that. */
static int check_values(const PQconninfoOption *given, struct error *err)
{
    const char *attrs = option(given, "target_session_attrs");
    const char *host = option(given, "host");

    for (size_t i = 0; i < COUNT_OF(integers); i++) {
        const char *value = option(given, integers[i]);
        if (!value || !value[strspn(value, "0123456789,- ")])
            continue;
        error_set(err, ERR_CONFIG, "the conninfo's %s is not a number", integers[i]);
        return error_hint(err, "write a number; in a URI, write / and @ of user and password "
                               "as %%2F and %%40");
    }
    if (host && strchr(host, '@')) {
        error_set(err, ERR_CONFIG, "the conninfo's host has a @ in it");
        return error_hint(err, "in a URI, write a @ of user or password as %%40");
    }
    if (attrs && !is_one_of(attrs, session_attrs, COUNT_OF(session_attrs))) {
        error_set(err, ERR_CONFIG, "the conninfo's target_session_attrs is none of libpq's");
        return error_hint(err, "write read-write, primary, or any");
    }
    return 0;
}

int db_conninfo_check(const char *conninfo, struct error *err)
{
    PQconninfoOption *given = parse(conninfo, err);
    char reason[512];

    if (!given)
        return -(int)err->code;
    int rc = check_values(given, err);
    PQconninfoFree(given);
    if (rc < 0)
        return rc;
    PGconn *pg = resolve(conninfo, "target_session_attrs"); /* which libpq checks last */
    failure_one_line(reason, sizeof reason, PQerrorMessage(pg));
    PQfinish(pg);
    if (strstr(reason, NO_VALUE))
        return 0;
    error_set(err, ERR_CONFIG, "%s", reason[0] ? reason : "libpq refuses the conninfo");
    return error_hint(err, "write what libpq takes; where conninfo says nothing, its environment "
                           "and service file count");
}

/* The n-th item of a comma-separated list, NULL when it is empty; a list of one item is for all. */
static char *item(const char *list, size_t n, bool one_for_all)
{
    if (!list || (one_for_all && !strchr(list, ',')))
        n = 0;
    for (; list && n > 0; n--) {
        list = strchr(list, ',');
        list = list ? list + 1 : NULL;
    }
    size_t bytes = list ? strcspn(list, ",") : 0;
    return bytes ? mem_format("%.*s", (int)bytes, list) : NULL;
}

static size_t items(const char *list)
{
    size_t count = 1;

    for (; list && (list = strchr(list, ',')); list++)
        count++;
    return count;
}

static void read_hosts(struct conninfo *info, const PQconninfoOption *options)
{
    const char *names = option(options, "host");
    const char *addresses = option(options, "hostaddr");
    const char *ports = option(options, "port");

    info->count = items(addresses ? addresses : names);
    info->hosts = mem_new(info->count, sizeof *info->hosts);
    for (size_t i = 0; i < info->count; i++) {
        info->hosts[i].name = item(names, i, false);
        info->hosts[i].address = item(addresses, i, false);
        info->hosts[i].port = item(ports, i, true);
    }
}

/* As libpq has it: 0 and less is no limit, 1 is 2. */
static uint64_t timeout_ms(const char *text)
{
    int64_t seconds = CONNECT_TIMEOUT_S;

    if (text && !text_to_int64(text, INT32_MIN, INT32_MAX, &seconds))
        seconds = CONNECT_TIMEOUT_S; /* libpq refuses it, and says so */
    if (seconds <= 0)
        return 0;
    return (uint64_t)(seconds == 1 ? 2 : seconds) * 1000;
}

static void add(struct conninfo *info, const char *keyword, const char *value)
{
    info->added[info->added_count] = keyword;
    info->values[info->added_count++] = value;
}

static void read_additions(struct conninfo *info, const PQconninfoOption *options,
                           const PQconninfoOption *given)
{
    const char *target = option(options, "target_session_attrs");

    for (size_t i = 0; i < COUNT_OF(additions); i++)
        if (!option(options, additions[i].keyword))
            add(info, additions[i].keyword, additions[i].value);
    /* "any" is also libpq's default: it counts where conninfo itself says it */
    if (!target || (strcmp(target, "any") == 0 && !option(given, "target_session_attrs")))
        add(info, "target_session_attrs", "read-write");
}

int conninfo_read(struct conninfo *info, const char *text, struct error *err)
{
    PQconninfoOption *given = parse(text, err);

    *info = (struct conninfo){0};
    if (!given) {
        err->code = ERR_DATABASE_AWAY;
        return -(int)err->code;
    }
    PGconn *pg = resolve(text, "sslmode");
    PQconninfoOption *options = pg ? PQconninfo(pg) : NULL;
    PQfinish(pg);
    read_hosts(info, options);
    read_additions(info, options, given);
    info->timeout_ms = timeout_ms(option(options, "connect_timeout"));
    PQconninfoFree(options);
    PQconninfoFree(given);
    return 0;
}

void conninfo_fini(struct conninfo *info)
{
    for (size_t i = 0; i < info->count; i++) {
        free(info->hosts[i].name);
        free(info->hosts[i].address);
        free(info->hosts[i].port);
    }
    free(info->hosts);
    *info = (struct conninfo){0};
}

bool conninfo_is_local(const char *host)
{
    return !host || host[0] == '/' || host[0] == '@';
}

static void ignore_notice(void *arg, const PGresult *notice)
{
    (void)arg;
    (void)notice;
}

PGconn *conninfo_start(const struct conninfo *info, const struct db_settings *settings,
                       const struct db_host *host, const char *address)
{
    /* what comes later counts; an empty value counts as not given */
    const struct {
        const char *keyword, *value;
    } pairs[] = {
        {"dbname", settings->conninfo}, {"password", settings->password},
        {"host", host->name},           {"hostaddr", address},
        {"port", host->port},           {"application_name", settings->application_name},
        {"client_encoding", "UTF8"},
    };
    const char *keywords[COUNT_OF(pairs) + CONNINFO_ADDED_MAX + 1] = {NULL};
    const char *values[COUNT_OF(pairs) + CONNINFO_ADDED_MAX + 1] = {NULL};
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(pairs); i++, n++) {
        keywords[n] = pairs[i].keyword;
        values[n] = pairs[i].value;
    }
    for (size_t i = 0; i < info->added_count; i++, n++) {
        keywords[n] = info->added[i];
        values[n] = info->values[i];
    }
    PGconn *pg = PQconnectStartParams(keywords, values, 1);
    if (!pg)
        mem_none("a connection");
    PQsetNoticeReceiver(pg, ignore_notice, NULL);
    return pg;
}

/* What a worker must not get again: it is resolved already, or set by db_conn_new. */
static bool is_settled(const char *keyword)
{
    static const char *const settled[] = {
        "service",          "passfile",        "password",
        "application_name", "client_encoding", "fallback_application_name",
    };

    for (size_t i = 0; i < COUNT_OF(settled); i++)
        if (strcmp(keyword, settled[i]) == 0)
            return true;
    return false;
}

static void print_pair(FILE *out, const char *keyword, const char *value)
{
    fprintf(out, "%s='", keyword);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            fputc('\\', out);
        fputc(*value, out);
    }
    fputs("' ", out);
}

char *conninfo_print(PGconn *pg, const char *password)
{
    PQconninfoOption *options = PQconninfo(pg);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!options || !out)
        mem_none("a conninfo");
    if (!password)
        password = PQpass(pg);
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (o->val && o->val[0] && !is_settled(o->keyword))
            print_pair(out, o->keyword, o->val);
    if (password && password[0])
        print_pair(out, "password", password);
    if (fclose(out) != 0)
        mem_none("a conninfo");
    PQconninfoFree(options);
    return text;
}
