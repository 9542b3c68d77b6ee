/* SPDX-License-Identifier: PostgreSQL */
#include "ipc/messages.h"

#include "base/mem.h"
#include "base/priority.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define FILE_OR_ID(kind)                                                                           \
    {kind, "file", IPC_TEXT, false, "absolute, normal path; the newest tracker of it"},            \
    {                                                                                              \
        kind, "id", IPC_INTEGER, false, "or the tracker's id"                                      \
    }
#define REF(kind)                                                                                  \
    {                                                                                              \
        kind, "ref", IPC_INTEGER, true, "repeated in every answer"                                 \
    }

const struct ipc_field ipc_fields[] = {
    REF(IPC_PING),

    REF(IPC_UPLOAD),
    {IPC_UPLOAD, "file", IPC_TEXT, true, "absolute, normal path on the supervisor's machine"},
    {IPC_UPLOAD, "profile", IPC_TEXT, false, "how to read it; contacts when absent"},
    {IPC_UPLOAD, "restart", IPC_BOOLEAN, false, "roll back what is in and begin anew"},
    {IPC_UPLOAD, "again", IPC_BOOLEAN, false,
     "also when this file is in already; absent: as the option duplicates says"},
    {IPC_UPLOAD, "priority", IPC_INTEGER, false,
     PRIORITY_RANGE
     ": those of higher priority get a worker first; when absent, that of what waits "
     "already, else 0"},
    {IPC_UPLOAD, "wait", IPC_BOOLEAN, false, "go on answering until the upload ends"},

    REF(IPC_STOP),
    FILE_OR_ID(IPC_STOP),
    {IPC_STOP, "wait", IPC_BOOLEAN, false,
     "true: answer when STOPPED is durable; else when the intent is"},

    REF(IPC_KILL),
    FILE_OR_ID(IPC_KILL),

    REF(IPC_WAIT),
    FILE_OR_ID(IPC_WAIT),

    REF(IPC_STATUS),
    FILE_OR_ID(IPC_STATUS),

    REF(IPC_LIST),
    {IPC_LIST, "status", IPC_TEXT, false, "only uploads of this status"},
    {IPC_LIST, "limit", IPC_INTEGER, false, "at most so many; 100 when absent, 500 at most"},
    {IPC_LIST, "before", IPC_INTEGER, false, "only ids below this one: the next page"},

    REF(IPC_HISTORY),
    FILE_OR_ID(IPC_HISTORY),
    {IPC_HISTORY, "limit", IPC_INTEGER, false, "at most so many; 100 when absent, 500 at most"},
    {IPC_HISTORY, "after", IPC_INTEGER, false, "only events above this id: the next page"},

    REF(IPC_REJECTS),
    FILE_OR_ID(IPC_REJECTS),
    {IPC_REJECTS, "limit", IPC_INTEGER, false, "at most so many; 100 when absent, 500 at most"},
    {IPC_REJECTS, "after", IPC_INTEGER, false, "only lines above this one: the next page"},

    REF(IPC_METRICS),

    REF(IPC_PAUSE),

    REF(IPC_CONTINUE),

    REF(IPC_FORGET),
    FILE_OR_ID(IPC_FORGET),
    {IPC_FORGET, "rows", IPC_BOOLEAN, false, "true: its rows go, too; else they stay"},

    REF(IPC_VERIFY),
    FILE_OR_ID(IPC_VERIFY),
    {IPC_VERIFY, "at", IPC_TEXT, false,
     "where the file lies now, absolute and normal; when absent, where it was uploaded from"},

    REF(IPC_PONG),
    {IPC_PONG, "database", IPC_TEXT, true, "ready or away"},
    {IPC_PONG, "version", IPC_TEXT, true, "the supervisor's"},
    {IPC_PONG, "name", IPC_TEXT, true, "the supervisor's, the owner of its uploads"},
    {IPC_PONG, "pid", IPC_INTEGER, true, "its process"},
    {IPC_PONG, "running", IPC_INTEGER, true, "workers"},
    {IPC_PONG, "queued", IPC_INTEGER, true, "uploads that wait for one"},
    {IPC_PONG, "paused", IPC_BOOLEAN, false, "no upload is begun until continue"},
    {IPC_PONG, "profiles", IPC_LIST_OF, false, "names of the configuration's profiles"},
    {IPC_PONG, "error", IPC_OBJECT_OF, false, "why the database is away, when that is known"},

    REF(IPC_OBJECT),
    {IPC_OBJECT, "upload", IPC_OBJECT_OF, false, "an upload"},
    {IPC_OBJECT, "event", IPC_OBJECT_OF, false, "an event"},
    {IPC_OBJECT, "reject", IPC_OBJECT_OF, false, "a reject"},
    {IPC_OBJECT, "metrics", IPC_TEXT, false, "metrics in the text format of Prometheus"},
    {IPC_OBJECT, "note", IPC_TEXT, false, "what a person should know of the answer"},
    {IPC_OBJECT, "last", IPC_BOOLEAN, false, "true: nothing follows for this ref"},

    REF(IPC_DONE),
    {IPC_DONE, "more", IPC_BOOLEAN, true, "there is a next page"},

    {IPC_ERROR, "ref", IPC_INTEGER, false, "absent when the request had none that could be read"},
    {IPC_ERROR, "error", IPC_OBJECT_OF, true, "code, message, detail, hint, sqlstate"},

    {IPC_JOB, "mode", IPC_TEXT, true, "load, rollback or verify"},
    {IPC_JOB, "tracker", IPC_INTEGER, true, "file_tracker.id"},
    {IPC_JOB, "epoch", IPC_INTEGER, true, "of the fence before this start"},
    {IPC_JOB, "token", IPC_INTEGER, true, "its random twin"},
    {IPC_JOB, "owner", IPC_TEXT, true, "the supervisor's name"},
    {IPC_JOB, "path", IPC_TEXT, true, "the file"},
    {IPC_JOB, "allow", IPC_LIST_OF, true, "folders under which files may be read"},
    {IPC_JOB, "profile", IPC_OBJECT_OF, true, "how to read it"},
    {IPC_JOB, "chunk_bytes", IPC_INTEGER, true, "input of one chunk"},
    {IPC_JOB, "max_record", IPC_INTEGER, true,
     "bytes of the longest record (verify: the most that there can be)"},
    {IPC_JOB, "lanes", IPC_INTEGER, true, "connections that carry chunks"},
    {IPC_JOB, "earlier", IPC_INTEGER, true,
     "a PROCESSED tracker whose bytes these must not be; 0: none"},
    {IPC_JOB, "content", IPC_BOOLEAN, true, "nor those of any other upload of the profile"},
    {IPC_JOB, "again", IPC_BOOLEAN, true, "whoever else has them (--again)"},
    {IPC_JOB, "schema", IPC_TEXT, true, "of the service's tables"},
    {IPC_JOB, "conninfo", IPC_TEXT, true, "as the supervisor connected; holds the password"},
    {IPC_JOB, "application_name", IPC_TEXT, true, "of the lanes"},
    {IPC_JOB, "log_level", IPC_INTEGER, true, "of the worker's own log lines"},
    {IPC_JOB, "confine", IPC_BOOLEAN, true, "it gives up what it does not need any more"},
    {IPC_JOB, "chunks", IPC_INTEGER, true, "that are in, as this start has read it"},
    {IPC_JOB, "first_start", IPC_BOOLEAN, true, "none before it has taken the file's bytes"},

    {IPC_ROLLBACK, "epoch", IPC_INTEGER, true, "of the stop"},
    {IPC_ROLLBACK, "token", IPC_INTEGER, true, "its random twin"},

    {IPC_FINISH, "reason", IPC_TEXT, false, "for the log"},

    {IPC_READY, "size", IPC_INTEGER, true, "of the file, in bytes"},

    {IPC_PROGRESS, "line", IPC_INTEGER, true, "the last record that is in (or is verified)"},
    {IPC_PROGRESS, "offset", IPC_INTEGER, true, "its end in bytes"},
    {IPC_PROGRESS, "rows", IPC_INTEGER, true, "in, of the whole file"},
    {IPC_PROGRESS, "rejects", IPC_INTEGER, true, "in, of the whole file"},

    {IPC_ROLLING, "line", IPC_INTEGER, true, "the last record that is still in"},
    {IPC_ROLLING, "offset", IPC_INTEGER, true, "its end in bytes"},
    {IPC_ROLLING, "rows", IPC_INTEGER, true, "still in"},
    {IPC_ROLLING, "rejects", IPC_INTEGER, true, "still in"},

    {IPC_END, "outcome", IPC_TEXT, true,
     "loaded, rolled_back, equal, finished, failed, fenced, trouble or changed"},
    {IPC_END, "error", IPC_OBJECT_OF, false, "of failed, trouble and changed"},
    {IPC_END, "identity", IPC_LIST_OF, false, "device, inode, size, mtime, ctime as last seen"},
};

const size_t ipc_field_count = COUNT_OF(ipc_fields);

static const struct {
    const char *name;
    enum ipc_sender sender;
} kinds[] = {
#define X(name, kind, sender, what) [name] = {kind, sender},
    IPC_KINDS(X)
#undef X
};

static void *allocate(size_t size)
{
    return mem_new(size, 1);
}

void ipc_init(void)
{
    json_set_alloc_funcs(allocate, free);
}

const char *ipc_kind_name(enum ipc_kind kind)
{
    return kinds[kind].name;
}

json_t *ipc_new(enum ipc_kind kind)
{
    return json_pack("{s:s}", "kind", kinds[kind].name);
}

static bool type_matches(const json_t *value, enum ipc_type type)
{
    switch (type) {
    case IPC_TEXT:
        return json_is_string(value);
    case IPC_INTEGER:
        return json_is_integer(value);
    case IPC_BOOLEAN:
        return json_is_boolean(value);
    case IPC_LIST_OF:
        return json_is_array(value);
    case IPC_OBJECT_OF:
        return json_is_object(value);
    }
    return false;
}

static const struct ipc_field *find_field(enum ipc_kind kind, const char *name)
{
    for (size_t i = 0; i < ipc_field_count; i++)
        if (ipc_fields[i].kind == kind && strcmp(ipc_fields[i].name, name) == 0)
            return &ipc_fields[i];
    return NULL;
}

static int check_fields(const json_t *message, enum ipc_kind kind, struct error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)message, name, value) {
        const struct ipc_field *field = find_field(kind, name);
        if (strcmp(name, "kind") == 0)
            continue;
        if (!field)
            return error_set(err, ERR_PROTOCOL, "message \"%s\" has no field \"%.64s\"",
                             kinds[kind].name, name);
        if (json_is_null(value) ? field->required : !type_matches(value, field->type))
            return error_set(err, ERR_PROTOCOL, "field \"%s\" of message \"%s\" has a wrong type",
                             name, kinds[kind].name);
    }
    for (size_t i = 0; i < ipc_field_count; i++)
        if (ipc_fields[i].kind == kind && ipc_fields[i].required &&
            !json_object_get(message, ipc_fields[i].name))
            return error_set(err, ERR_PROTOCOL, "message \"%s\" lacks its field \"%s\"",
                             kinds[kind].name, ipc_fields[i].name);
    return 0;
}

int ipc_check(const json_t *message, enum ipc_sender sender, enum ipc_kind *kind, struct error *err)
{
    const char *name = json_string_value(json_object_get(message, "kind"));

    if (!name)
        return error_set(err, ERR_PROTOCOL, "a message is a JSON object with its \"kind\"");
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(kinds[i].name, name) != 0 || kinds[i].sender != sender)
            continue;
        *kind = (enum ipc_kind)i;
        return check_fields(message, *kind, err);
    }
    return error_set(err, ERR_PROTOCOL, "no message is called \"%.64s\" here", name);
}

bool ipc_given(const json_t *message, const char *field)
{
    const json_t *value = json_object_get(message, field);

    return value && !json_is_null(value);
}

const char *ipc_text(const json_t *message, const char *field)
{
    return json_string_value(json_object_get(message, field));
}

int64_t ipc_int(const json_t *message, const char *field, int64_t fallback)
{
    const json_t *value = json_object_get(message, field);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool ipc_bool(const json_t *message, const char *field)
{
    return json_is_true(json_object_get(message, field));
}

/* A message that quotes what it was given may be no UTF-8, or cut within a character. */
json_t *ipc_text_json(const char *text)
{
    char escaped[sizeof(struct error)];
    json_t *json = text && text[0] ? json_string(text) : json_null();

    if (json)
        return json;
    text_escape(escaped, sizeof escaped, text);
    return json_string(escaped);
}

json_t *ipc_error_json(const struct error *err)
{
    if (err->code == ERR_NONE)
        return json_null();
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "code", error_code_name(err->code), "message",
                     ipc_text_json(err->message), "detail", ipc_text_json(err->detail), "hint",
                     ipc_text_json(err->hint), "sqlstate", ipc_text_json(err->sqlstate));
}

json_t *ipc_error_message(const struct error *err)
{
    json_t *message = ipc_new(IPC_ERROR);

    json_object_set_new(message, "error", ipc_error_json(err));
    return message;
}

void ipc_error_parse(const json_t *json, struct error *err)
{
    const char *text;

    error_clear(err);
    if (!json_is_object(json))
        return;
    enum error_code code = error_code_parse(ipc_text(json, "code"));
    text = ipc_text(json, "message");
    error_set(err, code == ERR_NONE ? ERR_INTERNAL : code, "%s", text ? text : "");
    if ((text = ipc_text(json, "detail")))
        error_detail(err, "%s", text);
    if ((text = ipc_text(json, "hint")))
        error_hint(err, "%s", text);
    error_sqlstate(err, ipc_text(json, "sqlstate"));
}
