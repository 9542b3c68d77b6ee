/* SPDX-License-Identifier: PostgreSQL */
/* Pages of what belongs to a tracker: its history and its rejects. */
#include "base/mem.h"
#include "db/query.h"
#include "db/trackers.h"

#include <stdio.h>
#include <stdlib.h>

static void send_page(struct db_conn *conn, enum sql_statement statement, int64_t tracker,
                      int64_t after, int64_t limit, on_result answer, const void *caller,
                      size_t caller_bytes)
{
    struct params params = {0};

    param_int(&params, tracker);
    param_int(&params, after);
    param_int(&params, limit);
    query_send_context(conn, statement, &params, answer, caller, caller_bytes);
}

struct events_caller {
    on_events answer;
    void *arg;
};

static void decode_event(struct tracker_event *event, const PGresult *result, int row)
{
    *event = (struct tracker_event){
        .id = result_int(result, row, "id"),
        .from_status = result_text(result, row, "from_status"),
        .to_status = result_text(result, row, "to_status"),
        .event = result_text(result, row, "event"),
        .reason = result_text(result, row, "reason"),
        .host = result_text(result, row, "host"),
        .uid = result_text(result, row, "uid") ? result_int(result, row, "uid") : -1,
    };
    snprintf(event->at, sizeof event->at, "%s", result_text(result, row, "at"));
}

static void on_event_rows(void *arg, PGresult *result, const struct db_error *err)
{
    const struct events_caller *caller = arg;

    if (err) {
        caller->answer(caller->arg, NULL, 0, err);
        return;
    }
    int count = PQntuples(result);
    struct tracker_event *events = mem_new((size_t)count, sizeof *events);
    for (int i = 0; i < count; i++)
        decode_event(&events[i], result, i);
    caller->answer(caller->arg, events, (size_t)count, NULL);
    free(events);
}

void tracker_events(struct db_conn *conn, int64_t tracker, int64_t after, int64_t limit,
                    on_events answer, void *arg)
{
    const struct events_caller caller = {answer, arg};

    send_page(conn, SQL_tracker_events, tracker, after, limit, on_event_rows, &caller,
              sizeof caller);
}

struct rejects_caller {
    on_rejects answer;
    void *arg;
};

/* The bytes are to be freed with PQfreemem. */
static unsigned char *decode_reject(struct tracker_reject *reject, const PGresult *result, int row)
{
    const char *text = result_text(result, row, "raw");
    size_t size = 0;
    unsigned char *raw = PQunescapeBytea((const unsigned char *)text, &size);

    if (!raw)
        mem_none("a reject");
    *reject = (struct tracker_reject){
        .line = result_int(result, row, "line_no"),
        .offset = result_int(result, row, "start_offset"),
        .length = result_int(result, row, "length"),
        .reason = result_text(result, row, "reason"),
        .sqlstate = result_text(result, row, "sqlstate"),
        .raw = raw,
        .raw_bytes = size,
    };
    return raw;
}

static void on_reject_rows(void *arg, PGresult *result, const struct db_error *err)
{
    const struct rejects_caller *caller = arg;

    if (err) {
        caller->answer(caller->arg, NULL, 0, err);
        return;
    }
    int count = PQntuples(result);
    struct tracker_reject *rejects = mem_new((size_t)count, sizeof *rejects);
    unsigned char **raws = mem_new((size_t)count, sizeof *raws);
    for (int i = 0; i < count; i++)
        raws[i] = decode_reject(&rejects[i], result, i);
    caller->answer(caller->arg, rejects, (size_t)count, NULL);
    for (int i = 0; i < count; i++)
        PQfreemem(raws[i]);
    free(raws);
    free(rejects);
}

void tracker_rejects(struct db_conn *conn, int64_t tracker, int64_t after, int64_t limit,
                     on_rejects answer, void *arg)
{
    const struct rejects_caller caller = {answer, arg};

    send_page(conn, SQL_tracker_rejects, tracker, after, limit, on_reject_rows, &caller,
              sizeof caller);
}
