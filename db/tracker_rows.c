/* SPDX-License-Identifier: PostgreSQL */
#include "db/tracker_rows.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_BYTES 256

void tracker_copy(struct tracker *to, const struct tracker *from)
{
    *to = *from;
    to->path = mem_dup(from->path);
    to->profile = mem_dup(from->profile);
    to->profile_text = mem_dup(from->profile_text);
    to->owner = mem_dup(from->owner);
}

void tracker_fini(struct tracker *tracker)
{
    free(tracker->path);
    free(tracker->profile);
    free(tracker->profile_text);
    free(tracker->owner);
}

/* A code that only a newer program knows is still an error. */
static enum error_code code_of(const char *name)
{
    enum error_code code = error_code_parse(name);

    return name && code == ERR_NONE ? ERR_INTERNAL : code;
}

static void decode_error(struct error *error, const PGresult *result, int row)
{
    const char *code = result_text(result, row, "error_code");
    const char *message = result_text(result, row, "error_message");
    const char *detail = result_text(result, row, "error_detail");
    const char *hint = result_text(result, row, "error_hint");

    error_clear(error);
    if (!code)
        return;
    error_set(error, code_of(code), "%s", message ? message : "");
    if (detail)
        error_detail(error, "%s", detail);
    if (hint)
        error_hint(error, "%s", hint);
    error_sqlstate(error, result_text(result, row, "error_sqlstate"));
}

static void decode_point(struct tracker *tracker, const PGresult *result, int row)
{
    tracker->chunk_no = result_int(result, row, "chunk_no");
    tracker->line = result_int(result, row, "line");
    tracker->offset = result_int(result, row, "offset");
    tracker->rows = result_int(result, row, "rows");
    tracker->rejects = result_int(result, row, "rejects");
    tracker->final = result_bool(result, row, "final");
}

void tracker_decode(struct tracker *tracker, const PGresult *result, int row)
{
    *tracker = (struct tracker){
        .id = result_int(result, row, "id"),
        .path = mem_dup(result_text(result, row, "path")),
        .profile = mem_dup(result_text(result, row, "profile")),
        .profile_text = mem_dup(result_text(result, row, "profile_text")),
        .status = status_parse(result_text(result, row, "status")),
        .owner = mem_dup(result_text(result, row, "owner")),
        .epoch = result_int(result, row, "epoch"),
        .token = result_int(result, row, "token"),
        .wanted = wanted_parse(result_text(result, row, "wanted")),
        .interrupted = result_bool(result, row, "interrupted"),
        .again = result_bool(result, row, "again"),
        .priority = result_int(result, row, "priority"),
        .tries = result_int(result, row, "tries"),
        .tries_line = result_int(result, row, "tries_line"),
        .identity =
            {
                .device = result_int(result, row, "device"),
                .inode = result_int(result, row, "inode"),
                .size = result_int(result, row, "size"),
                .mtime_ns = result_int(result, row, "mtime_ns"),
                .ctime_ns = result_int(result, row, "ctime_ns"),
            },
    };
    decode_error(&tracker->error, result, row);
    snprintf(tracker->created_at, sizeof tracker->created_at, "%s",
             result_text(result, row, "created_at"));
    snprintf(tracker->updated_at, sizeof tracker->updated_at, "%s",
             result_text(result, row, "updated_at"));
    decode_point(tracker, result, row);
    const char *content = result_text(result, row, "content");
    snprintf(tracker->content, sizeof tracker->content, "%s", content ? content : "");
}

struct tracker *trackers_decode(const PGresult *result)
{
    int count = PQntuples(result);

    if (count == 0)
        return NULL;
    struct tracker *trackers = mem_new((size_t)count, sizeof *trackers);
    for (int i = 0; i < count; i++)
        tracker_decode(&trackers[i], result, i);
    return trackers;
}

void trackers_free(struct tracker *trackers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tracker_fini(&trackers[i]);
    free(trackers);
}

void param_identity(struct params *params, const struct identity *identity)
{
    if (!identity) {
        for (int i = 0; i < 5; i++)
            param_text(params, NULL);
        return;
    }
    param_int(params, identity->device);
    param_int(params, identity->inode);
    param_int(params, identity->size);
    param_int(params, identity->mtime_ns);
    param_int(params, identity->ctime_ns);
}

/* What failed may have put anything into its text; the server takes UTF-8 only, and an error that
 * cannot be recorded would be tried for ever. */
static void param_message(struct params *params, const char *text)
{
    char escaped[sizeof(struct error)] = "";
    size_t size = strlen(text);

    if (text_utf8_valid(text, size) != size) {
        text_escape(escaped, sizeof escaped, text);
        text = escaped;
    }
    param_text(params, *text ? text : NULL);
}

void param_error(struct params *params, const struct error *error)
{
    if (!error || error->code == ERR_NONE) {
        for (int i = 0; i < 5; i++)
            param_text(params, NULL);
        return;
    }
    param_text(params, error_code_name(error->code));
    param_message(params, error->message);
    param_message(params, error->detail);
    param_message(params, error->hint);
    param_message(params, error->sqlstate);
}

void param_asker(struct params *params, const struct asker *asker)
{
    char host[HOST_BYTES] = "";

    gethostname(host, sizeof host - 1);
    param_text(params, asker->reason);
    param_int_if(params, asker->uid >= 0, asker->uid);
    param_text(params, host);
}
