/* SPDX-License-Identifier: PostgreSQL */
#include "ipc/job.h"

#include "base/mem.h"
#include "ipc/messages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const modes[] = {
    [JOB_LOAD] = "load",
    [JOB_ROLLBACK] = "rollback",
    [JOB_VERIFY] = "verify",
};

static int mode_parse(const char *name, enum job_mode *mode, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(modes); i++)
        if (strcmp(modes[i], name) == 0) {
            *mode = (enum job_mode)i;
            return 0;
        }
    return error_set(err, ERR_PROTOCOL, "a worker has no mode \"%s\"", name);
}

static json_t *encode_profile(const struct profile *profile)
{
    json_t *columns = json_array();

    for (int i = 0; i < PROFILE_COLUMNS; i++)
        json_array_append_new(columns, json_string(profile->columns[i]));
    return json_pack("{s:s, s:o, s:b, s:b, s:i, s:i, s:I}", "name", profile->name, "columns",
                     columns, "header", profile->header, "surplus_ignore", profile->surplus_ignore,
                     "delimiter", (int)profile->delimiter, "quote", (int)profile->quote,
                     "reject_limit", (json_int_t)profile->reject_limit);
}

json_t *job_encode(const struct job *job)
{
    json_t *message = ipc_new(IPC_JOB);
    json_t *allow = json_array();

    for (size_t i = 0; i < job->allow_count; i++)
        json_array_append_new(allow, json_string(job->allow[i]));
    json_t *rest = json_pack(
        "{s:s, s:I, s:I, s:I, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:b, s:b, s:s, s:s, s:s, "
        "s:I, s:b, s:I, s:b}",
        "mode", modes[job->mode], "tracker", (json_int_t)job->tracker, "epoch",
        (json_int_t)job->epoch, "token", (json_int_t)job->token, "owner", job->owner, "path",
        job->path, "allow", allow, "profile", encode_profile(&job->profile), "chunk_bytes",
        (json_int_t)job->chunk_bytes, "max_record", (json_int_t)job->max_record, "lanes",
        (json_int_t)job->lanes, "earlier", (json_int_t)job->earlier, "content", job->content,
        "again", job->again, "schema", job->schema, "conninfo", job->conninfo, "application_name",
        job->application_name, "log_level", (json_int_t)job->log_level, "confine", job->confine,
        "chunks", (json_int_t)job->chunks, "first_start", job->first_start);
    json_object_update(message, rest);
    json_decref(rest);
    return message;
}

static int decode_profile(const json_t *json, struct profile *profile, struct error *err)
{
    const json_t *columns = json_object_get(json, "columns");

    profile->name = mem_dup(ipc_text(json, "name"));
    for (size_t i = 0; i < PROFILE_COLUMNS; i++)
        profile->columns[i] = mem_dup(json_string_value(json_array_get(columns, i)));
    profile->header = ipc_bool(json, "header");
    profile->surplus_ignore = ipc_bool(json, "surplus_ignore");
    profile->delimiter = (char)ipc_int(json, "delimiter", ',');
    profile->quote = (char)ipc_int(json, "quote", '"');
    profile->reject_limit = ipc_int(json, "reject_limit", 0);
    for (size_t i = 0; i < PROFILE_COLUMNS; i++)
        if (!profile->columns[i])
            return error_set(err, ERR_PROTOCOL, "the job's profile lacks a column");
    return profile->name ? 0 : error_set(err, ERR_PROTOCOL, "the job's profile has no name");
}

static int decode_allow(const json_t *list, struct job *job, struct error *err)
{
    size_t count = json_array_size(list);

    job->allow = mem_new(count, sizeof *job->allow);
    for (size_t i = 0; i < count; i++) {
        const char *folder = json_string_value(json_array_get(list, i));
        if (!folder)
            return error_set(err, ERR_PROTOCOL, "the job's list of folders is no list of texts");
        job->allow[job->allow_count++] = mem_dup(folder);
    }
    return 0;
}

int job_decode(const json_t *message, struct job *job, struct error *err)
{
    *job = (struct job){
        .tracker = ipc_int(message, "tracker", 0),
        .epoch = ipc_int(message, "epoch", 0),
        .token = ipc_int(message, "token", 0),
        .owner = mem_dup(ipc_text(message, "owner")),
        .path = mem_dup(ipc_text(message, "path")),
        .chunk_bytes = ipc_int(message, "chunk_bytes", 0),
        .max_record = ipc_int(message, "max_record", 0),
        .lanes = ipc_int(message, "lanes", 1),
        .earlier = ipc_int(message, "earlier", 0),
        .content = ipc_bool(message, "content"),
        .again = ipc_bool(message, "again"),
        .schema = mem_dup(ipc_text(message, "schema")),
        .conninfo = mem_dup(ipc_text(message, "conninfo")),
        .application_name = mem_dup(ipc_text(message, "application_name")),
        .log_level = ipc_int(message, "log_level", 0),
        .confine = ipc_bool(message, "confine"),
        .chunks = ipc_int(message, "chunks", 0),
        .first_start = ipc_bool(message, "first_start"),
    };
    int rc = mode_parse(ipc_text(message, "mode"), &job->mode, err);
    if (rc == 0)
        rc = decode_allow(json_object_get(message, "allow"), job, err);
    if (rc == 0)
        rc = decode_profile(json_object_get(message, "profile"), &job->profile, err);
    return rc;
}

void job_fini(struct job *job)
{
    for (size_t i = 0; i < job->allow_count; i++)
        free(job->allow[i]);
    free(job->allow);
    free(job->owner);
    free(job->path);
    free(job->schema);
    free(job->conninfo);
    free(job->application_name);
    profile_fini(&job->profile);
    *job = (struct job){0};
}

static const char *const outcomes[] = {
#define X(name, text, what) [name] = text,
    OUTCOMES(X)
#undef X
};

int job_refused(int errnum, struct error *err)
{
    error_system(err, ERR_SYSTEM, errnum, "cannot start a worker");
    if (errnum == EAGAIN)
        error_hint(err, HINT_PROCESSES);
    return -(int)err->code;
}

const char *outcome_name(enum outcome outcome)
{
    return outcomes[outcome];
}

json_t *ending_encode(const struct ending *ending)
{
    const struct identity *id = &ending->identity;
    json_t *message = ipc_new(IPC_END);

    json_object_set_new(message, "outcome", json_string(outcomes[ending->outcome]));
    json_object_set_new(message, "error", ipc_error_json(&ending->error));
    json_object_set_new(message, "identity",
                        json_pack("[I, I, I, I, I]", (json_int_t)id->device, (json_int_t)id->inode,
                                  (json_int_t)id->size, (json_int_t)id->mtime_ns,
                                  (json_int_t)id->ctime_ns));
    return message;
}

int ending_decode(const json_t *message, struct ending *ending, struct error *err)
{
    const json_t *list = json_object_get(message, "identity");
    const char *name = ipc_text(message, "outcome");

    *ending = (struct ending){0};
    for (size_t i = 0; name && i < COUNT_OF(outcomes); i++)
        if (strcmp(outcomes[i], name) == 0)
            ending->outcome = (enum outcome)i;
    if (ending->outcome == OUTCOME_CRASHED)
        return error_set(err, ERR_PROTOCOL, "a worker cannot end as \"%.32s\"", name ? name : "");
    ipc_error_parse(json_object_get(message, "error"), &ending->error);
    ending->identity = (struct identity){
        .device = json_integer_value(json_array_get(list, 0)),
        .inode = json_integer_value(json_array_get(list, 1)),
        .size = json_integer_value(json_array_get(list, 2)),
        .mtime_ns = json_integer_value(json_array_get(list, 3)),
        .ctime_ns = json_integer_value(json_array_get(list, 4)),
    };
    return 0;
}
