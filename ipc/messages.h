/* SPDX-License-Identifier: PostgreSQL */
/* Every message there is, as one table: newline-delimited JSON objects over Unix-domain
 * stream sockets, each with its kind in "kind". docs/protocol.md is generated from here. */
#ifndef IPC_MESSAGES_H
#define IPC_MESSAGES_H

#include "base/error.h"
#include "base/limits.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Who sends it. */
enum ipc_sender { FROM_CLIENT, FROM_SUPERVISOR, TO_WORKER, FROM_WORKER };

/* The longest frame each side accepts, its newline included. */
#define IPC_REQUEST_MAX_BYTES ((size_t)64 * 1024)
#define IPC_MESSAGE_MAX_BYTES ((size_t)64 * 1024 * 1024)
_Static_assert(RECORD_MAX_BYTES / 3 * 4 + 1024 * 1024 < IPC_MESSAGE_MAX_BYTES,
               "a reject of the longest record fits");

/* X(NAME, kind, sender, what it is for). A request carries "ref", a number of the client's
 * choice that every reply to it repeats. */
#define IPC_KINDS(X)                                                                               \
    X(IPC_PING, "ping", FROM_CLIENT, "is a supervisor there; answered at once with pong")          \
    X(IPC_UPLOAD, "upload", FROM_CLIENT, "starts an upload or goes on with it")                    \
    X(IPC_STOP, "stop", FROM_CLIENT, "stops an upload and rolls it back")                          \
    X(IPC_KILL, "kill", FROM_CLIENT, "kills an upload's worker; what is in stays")                 \
    X(IPC_WAIT, "wait", FROM_CLIENT, "answers with uploads until it ends")                         \
    X(IPC_STATUS, "status", FROM_CLIENT, "one upload")                                             \
    X(IPC_LIST, "list", FROM_CLIENT, "a page of uploads, newest first, then done")                 \
    X(IPC_HISTORY, "history", FROM_CLIENT, "a page of events, oldest first, then done")            \
    X(IPC_REJECTS, "rejects", FROM_CLIENT, "a page of rejects in the file's order, then done")     \
    X(IPC_FORGET, "forget", FROM_CLIENT, "removes an upload that has ended; answered when it has") \
    X(IPC_VERIFY, "verify", FROM_CLIENT, "proves that the table holds what the file says")         \
    X(IPC_METRICS, "metrics", FROM_CLIENT, "what the service counts of itself")                    \
    X(IPC_PAUSE, "pause", FROM_CLIENT, "no upload is begun from now on; answered when durable")    \
    X(IPC_CONTINUE, "continue", FROM_CLIENT, "uploads are begun again; answered when durable")     \
    X(IPC_PONG, "pong", FROM_SUPERVISOR, "the answer to ping")                                     \
    X(IPC_OBJECT, "object", FROM_SUPERVISOR, "one upload, event or reject")                        \
    X(IPC_DONE, "done", FROM_SUPERVISOR, "a page has ended")                                       \
    X(IPC_ERROR, "error", FROM_SUPERVISOR, "the request was refused or failed; its last answer")   \
    X(IPC_JOB, "job", TO_WORKER, "what to do; the first message")                                  \
    X(IPC_ROLLBACK, "rollback", TO_WORKER, "roll back all, under a new epoch and token")           \
    X(IPC_FINISH, "finish", TO_WORKER, "commit the chunk in hand and end")                         \
    X(IPC_READY, "ready", FROM_WORKER, "connected, the file open and checked")                     \
    X(IPC_PROGRESS, "progress", FROM_WORKER, "a chunk is in, or some records are verified")        \
    X(IPC_ROLLING, "rolling", FROM_WORKER, "the rollback began, or one more step of it is done")   \
    X(IPC_END, "end", FROM_WORKER, "how it ended; the last message")                               \
    X(IPC_IDLE, "idle", FROM_WORKER, "its process is gone: another job may follow")

enum ipc_kind {
#define X(name, kind, sender, what) name,
    IPC_KINDS(X)
#undef X
        IPC_KIND_COUNT
};

enum ipc_type { IPC_TEXT, IPC_INTEGER, IPC_BOOLEAN, IPC_LIST_OF, IPC_OBJECT_OF };

/* One field of one kind. An optional field may also be null. */
struct ipc_field {
    enum ipc_kind kind;
    const char *name;
    enum ipc_type type;
    bool required;
    const char *help;
};

extern const struct ipc_field ipc_fields[];
extern const size_t ipc_field_count;

const char *ipc_kind_name(enum ipc_kind kind);

/* Once, before anything else of JSON: its memory comes from mem.h, so that no message lacks a field
 * for want of memory. */
void ipc_init(void);

/* A new message of this kind: {"kind": ...}. The caller owns it. */
json_t *ipc_new(enum ipc_kind kind);

/* Checks a message against the table: a kind that this sender may send, every required field
 * there, every field known and of its type. Sets *kind. Errors: ERR_PROTOCOL. */
int ipc_check(const json_t *message, enum ipc_sender sender, enum ipc_kind *kind,
              struct error *err) MUST_USE;

/* Whether a field of a checked message is there, and not null. */
bool ipc_given(const json_t *message, const char *field);

/* Fields of a checked message; the fallback when they are not given. Text is borrowed. */
const char *ipc_text(const json_t *message, const char *field);
int64_t ipc_int(const json_t *message, const char *field, int64_t fallback);
bool ipc_bool(const json_t *message, const char *field);

/* The text as JSON, escaped where it is no UTF-8; JSON null for NULL and for an empty one. */
json_t *ipc_text_json(const char *text);

/* {"code": ..., "message": ..., "detail": ..., "hint": ..., "sqlstate": ...}, null for what is
 * empty; JSON null for ERR_NONE. */
json_t *ipc_error_json(const struct error *err);

/* The message for an error that is about no request, or not yet; the caller owns it. */
json_t *ipc_error_message(const struct error *err);

/* The way back; ERR_INTERNAL for a code that is not known here. ERR_NONE for null. */
void ipc_error_parse(const json_t *json, struct error *err);

#endif
