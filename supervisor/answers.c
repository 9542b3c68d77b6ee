/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/answers.h"

#include "base/advice.h"
#include "base/mem.h"
#include "base/text.h"
#include "ipc/messages.h"
#include "supervisor/crew.h"
#include "supervisor/refusals.h"
#include "supervisor/supervisor.h"
#include "supervisor/uploads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* RFC 4648, section 4. The caller frees. */
static char *base64(const unsigned char *data, size_t size)
{
    char *out = mem_new((size + 2) / 3 * 4 + 1, 1);
    char *to = out;

    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        unsigned group = (unsigned)data[i] << 16 | (left > 1 ? (unsigned)data[i + 1] << 8 : 0) |
                         (left > 2 ? (unsigned)data[i + 2] : 0);
        *to++ = base64_digits[group >> 18];
        *to++ = base64_digits[group >> 12 & 63];
        *to++ = left > 1 ? base64_digits[group >> 6 & 63] : '=';
        *to++ = left > 2 ? base64_digits[group & 63] : '=';
    }
    return out;
}

/* Would a resume be refused, because the profile is not the one that the rows that are in were read
 * by? */
static bool settings_differ(const struct supervisor *supervisor, const struct tracker *row)
{
    const struct profile *profile = conf_profile(&supervisor->conf, row->profile);

    if (!profile || row->chunk_no == 0)
        return false;
    char *now = profile_text(profile);
    bool differ = profile_text_differs(row->profile_text, now) != NULL;
    free(now);
    return differ;
}

/* The option with which an upload that has ended goes on; NULL: none. */
static const char *option_of(const struct supervisor *supervisor, const struct tracker *row)
{
    enum error_code code = row->error.code;

    if (code == ERR_ALREADY_UPLOADED || code == ERR_GROWN)
        return "--again";
    if (code == ERR_FILE_CHANGED || settings_differ(supervisor, row))
        return "--restart";
    return NULL;
}

/* What can be done next with an upload of this status, as a command that works. */
static json_t *next_step(const struct supervisor *supervisor, const struct tracker *row)
{
    char *command = NULL;

    switch (row->status) {
    case STATUS_INITIALIZING:
    case STATUS_PROCESSING:
        command = mem_format("uploadctl wait %lld", (long long)row->id);
        break;
    case STATUS_STOPPED:
    case STATUS_KILLED:
    case STATUS_FAILED:
        command = advice_upload(option_of(supervisor, row), row->profile, row->path);
        break;
    case STATUS_NONE:
    case STATUS_PROCESSED:
        break;
    }
    json_t *json = ipc_text_json(command);
    free(command);
    return json;
}

static const char *phase_of(const struct supervisor *supervisor, const struct tracker *row,
                            const struct upload *live)
{
    if (live)
        return state_phase(live->state);
    if (!status_is_unfinished(row->status))
        return row->interrupted ? "interrupted" : "ended";
    return strcmp(row->owner, supervisor->name) == 0 ? "fencing" : "foreign";
}

static json_t *percent_of(const struct tracker *row)
{
    if (row->status == STATUS_PROCESSED)
        return json_real(100.0);
    return row->identity.size > 0 ? json_real(crew_percent(row)) : json_null();
}

/* Is it between two tries, because of its trouble? */
static bool waits_to_retry(const struct upload *live)
{
    return live && (live->state == ST_RETRYING || live->state == ST_RELAUNCHING ||
                    live->state == ST_RECLEARING || live->refused);
}

/* A try that comes no further than the one before is in the same trouble, and may be for long. */
static json_t *error_of(const struct tracker *row, const struct upload *live)
{
    bool tries = live && (live->state == ST_STARTING || live->state == ST_RUNNING);

    if ((waits_to_retry(live) || tries) && live->trouble)
        return ipc_error_json(live->trouble);
    return ipc_error_json(&row->error);
}

/* When the next try is due. */
static json_t *retry_at_of(const struct upload *live)
{
    char text[TEXT_TIME_BYTES];

    if (!waits_to_retry(live) || !live->timer)
        return json_null();
    return json_string(text_time(text, (int64_t)uv_timer_get_due_in(live->timer)));
}

static void put_waiting(json_t *json, const struct upload *live)
{
    const char *what = live ? uploads_waits_for(live) : NULL;
    size_t in_front = what ? uploads_in_front(live) : 0;
    bool counted = what && in_front < UPLOADS_IN_FRONT_MOST;

    json_object_set_new(json, "waits_for", what ? json_string(what) : json_null());
    json_object_set_new(json, "in_front",
                        counted ? json_integer((json_int_t)in_front) : json_null());
}

json_t *answer_upload(const struct supervisor *supervisor, const struct tracker *row,
                      const struct upload *live)
{
    double rate = live ? crew_rate(live) : 0;
    json_t *json;

    /* an ended status is in a row only together with the recovery point read after its fence */
    json = json_pack("{s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:s, s:o, "
                     "s:o, s:s, s:s, s:o, s:I}",
                     "id", (json_int_t)row->id, "path", row->path, "profile", row->profile,
                     "status", status_name(row->status), "phase", phase_of(supervisor, row, live),
                     "rows", (json_int_t)row->rows, "rejects", (json_int_t)row->rejects, "line",
                     (json_int_t)row->line, "offset", (json_int_t)row->offset, "size",
                     row->identity.size > 0 ? json_integer(row->identity.size) : json_null(),
                     "percent", percent_of(row), "rate", rate > 0 ? json_real(rate) : json_null(),
                     "error", error_of(row, live), "owner", row->owner, "next",
                     next_step(supervisor, row), "retry_at", retry_at_of(live), "created_at",
                     row->created_at, "updated_at", row->updated_at, "content",
                     row->content[0] ? json_string(row->content) : json_null(), "priority",
                     (json_int_t)row->priority);
    put_waiting(json, live);
    return json;
}

json_t *answer_event(const struct tracker_event *event)
{
    return json_pack("{s:I, s:s, s:o, s:s, s:s, s:s, s:o, s:s}", "id", (json_int_t)event->id, "at",
                     event->at, "from", ipc_text_json(event->from_status), "to", event->to_status,
                     "event", event->event, "reason", event->reason, "uid",
                     event->uid >= 0 ? json_integer(event->uid) : json_null(), "host", event->host);
}

json_t *answer_reject(const struct tracker_reject *reject)
{
    char *raw = base64(reject->raw, reject->raw_bytes);
    json_t *json =
        json_pack("{s:I, s:I, s:I, s:s, s:o, s:s}", "line", (json_int_t)reject->line, "offset",
                  (json_int_t)reject->offset, "length", (json_int_t)reject->length, "reason",
                  reject->reason, "sqlstate", ipc_text_json(reject->sqlstate), "raw_base64", raw);
    free(raw);
    return json;
}
