/* SPDX-License-Identifier: PostgreSQL */
/* The server's processes of this service, known by their application_name: how it is made, and the
 * end of those that block, are left behind, or belong to an earlier life. */
#include "base/mem.h"
#include "db/query.h"
#include "db/recovery.h"
#include "db/trackers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static char *owner_field(const char *owner)
{
    return mem_format("%016" PRIx64, (uint64_t)XXH3_64bits(owner, strlen(owner)));
}

char *backend_name(const char *owner, const char *start, int64_t tracker, int64_t epoch)
{
    char *field = owner_field(owner);
    char *name = mem_format("uploader/%s/%s/%" PRId64 "/%" PRId64, field, start, tracker, epoch);

    free(field);
    return name;
}

struct blockers_caller {
    on_blockers answer;
    void *arg;
};

static void on_blockers_terminated(void *arg, PGresult *result, const struct db_error *err)
{
    const struct blockers_caller *caller = arg;

    if (err)
        caller->answer(caller->arg, 0, 0, err);
    else
        caller->answer(caller->arg, (int)result_int(result, 0, "terminated"),
                       (int)result_int(result, 0, "foreign_pid"), NULL);
}

void blockers_terminate(struct db_conn *conn, int pid, on_blockers answer, void *arg)
{
    const struct blockers_caller caller = {answer, arg};
    struct params params = {0};

    param_int(&params, pid);
    query_send_context(conn, SQL_blockers_terminate, &params, on_blockers_terminated, &caller,
                       sizeof caller);
}

void stragglers_terminate(struct db_conn *conn, int64_t tracker, int64_t epoch)
{
    struct params params = {0};

    param_int(&params, tracker);
    param_int(&params, epoch);
    param_text(&params, db_conn_schema(conn));
    query_send(conn, SQL_stragglers_terminate, &params, NULL, NULL);
}

struct count_caller {
    on_count answer;
    void *arg;
};

static void on_counted(void *arg, PGresult *result, const struct db_error *err)
{
    const struct count_caller *caller = arg;

    caller->answer(caller->arg, err ? 0 : result_int(result, 0, "there"), err);
}

void earlier_life_terminate(struct db_conn *conn, const char *owner, const char *start,
                            on_count answer, void *arg)
{
    const struct count_caller caller = {answer, arg};
    struct params params = {0};
    char *field = owner_field(owner);

    param_text(&params, field);
    param_text(&params, start);
    query_send_context(conn, SQL_earlier_life_terminate, &params, on_counted, &caller,
                       sizeof caller);
    free(field);
}
