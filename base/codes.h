/* SPDX-License-Identifier: PostgreSQL */
/* The vocabulary of errors and exit codes: one table each, used by the programs,
 * by the documents and by the tests. Knows nothing above it. */
#ifndef BASE_CODES_H
#define BASE_CODES_H

/* Exit codes of all programs. X(NAME, number, when) */
#define EXIT_CODES(X)                                                                              \
    X(EXIT_DONE, 0, "done, or the question is answered (whatever the upload's state)")             \
    X(EXIT_FAILED, 1,                                                                              \
      "failed: the upload is FAILED, or its file is missing, unreadable, empty, outside the "      \
      "allowed folders, of the wrong kind or header (no tracker is left), or has changed (the "    \
      "tracker stays as it was)")                                                                  \
    X(EXIT_USAGE, 2, "usage or configuration")                                                     \
    X(EXIT_REJECTS, 3, "waited: done, with rejects")                                               \
    X(EXIT_NOT_FOUND, 4, "no such upload")                                                         \
    X(EXIT_INTERRUPTED, 5, "waited: somebody stopped or killed it")                                \
    X(EXIT_REFUSED, 6,                                                                             \
      "refused in this state; also a kill or stop that found PROCESSED, and already_uploaded")     \
    X(EXIT_NO_SUPERVISOR, 7, "no supervisor at the socket")                                        \
    X(EXIT_TIMEOUT, 8, "the time given with --timeout ran out; the upload goes on")                \
    X(EXIT_DATABASE_AWAY, 9,                                                                       \
      "database away (never for ping; a kill then still kills the process at once, but is not "    \
      "acknowledged)")                                                                             \
    X(EXIT_MEMORY, 10, "no memory was left")                                                       \
    X(EXIT_DENIED, 11, "no right to do this (section [access] of the configuration)")              \
    X(EXIT_WAIT_ENDED, 130, "waiting interrupted; the upload goes on")

enum exit_code {
#define X(name, number, when) name = (number),
    EXIT_CODES(X)
#undef X
};

/* Error codes. X(NAME, name on the wire, exit code, when) */
#define ERROR_CODES(X)                                                                             \
    X(ERR_INTERNAL, "internal", EXIT_FAILED, "a broken invariant of the service: please report")   \
    X(ERR_MEMORY, "out_of_memory", EXIT_MEMORY, "no memory")                                       \
    X(ERR_SYSTEM, "system", EXIT_FAILED, "a system call failed")                                   \
    X(ERR_USAGE, "usage", EXIT_USAGE, "unknown command, option or argument")                       \
    X(ERR_CONFIG, "config", EXIT_USAGE, "the configuration is wrong")                              \
    X(ERR_PROTOCOL, "protocol", EXIT_USAGE, "a message that the protocol does not know")           \
    X(ERR_NO_PROFILE, "no_profile", EXIT_USAGE, "the configuration has no such profile")           \
    X(ERR_FILE_NAME, "file_name", EXIT_FAILED,                                                     \
      "the path is not absolute and normal, not UTF-8, or has a line break in it")                 \
    X(ERR_FILE_OUTSIDE, "file_outside", EXIT_FAILED, "the file lies outside the allowed folders")  \
    X(ERR_FILE_MISSING, "file_missing", EXIT_FAILED, "there is no such file")                      \
    X(ERR_FILE_ACCESS, "file_access", EXIT_FAILED, "the service may not read the file")            \
    X(ERR_FILE_KIND, "file_kind", EXIT_FAILED,                                                     \
      "a directory, FIFO, device or socket, or a symbolic link on the way to the file")            \
    X(ERR_FILE_EMPTY, "file_empty", EXIT_FAILED, "the file has no byte")                           \
    X(ERR_FILE_ENCODING, "file_encoding", EXIT_FAILED, "the file is not UTF-8")                    \
    X(ERR_FILE_HEADER, "file_header", EXIT_FAILED, "the header is not the profile's")              \
    X(ERR_FILE_QUOTE, "file_quote", EXIT_FAILED, "a quote is opened and never closed")             \
    X(ERR_FILE_READ, "file_read", EXIT_FAILED, "reading the file failed")                          \
    X(ERR_FILE_UNSTABLE, "file_unstable", EXIT_FAILED, "the file changed while it was read")       \
    X(ERR_FILE_CHANGED, "file_changed", EXIT_FAILED,                                               \
      "what was uploaded before is not what the file has there now")                               \
    X(ERR_SETTINGS_CHANGED, "settings_changed", EXIT_FAILED,                                       \
      "the profile is not the one that the upload was begun with")                                 \
    X(ERR_REJECT_LIMIT, "reject_limit", EXIT_FAILED, "more rejects than reject_limit allows")      \
    X(ERR_ROWS_LOST, "rows_lost", EXIT_FAILED,                                                     \
      "the server stored fewer rows than it was sent (a trigger ate them)")                        \
    X(ERR_DATA_REFUSED, "data_refused", EXIT_FAILED,                                               \
      "the table refuses every COPY, whatever its rows (a trigger of the statement)")              \
    X(ERR_DATABASE, "database_error", EXIT_FAILED,                                                 \
      "the server refused a statement (rights, schema, settings)")                                 \
    X(ERR_RETRY_LIMIT, "retry_limit", EXIT_FAILED, "tried retry_limit times without progress")     \
    X(ERR_NOT_FOUND, "not_found", EXIT_NOT_FOUND, "no such upload")                                \
    X(ERR_ALREADY_UPLOADED, "already_uploaded", EXIT_REFUSED, "this file is in already")           \
    X(ERR_DUPLICATE, "duplicate", EXIT_REFUSED,                                                    \
      "another upload has these bytes, under way or in part (duplicates = content)")               \
    X(ERR_GROWN, "grown", EXIT_REFUSED, "the file's beginning is in already")                      \
    X(ERR_STOP_UNDER_WAY, "stop_under_way", EXIT_REFUSED, "a stop of this upload is under way")    \
    X(ERR_NOT_RUNNING, "not_running", EXIT_REFUSED, "the upload does not run")                     \
    X(ERR_PROCESSED, "processed", EXIT_REFUSED, "the upload is PROCESSED; nothing is in progress") \
    X(ERR_DIFFERS, "differs", EXIT_FAILED, "the table does not hold what the file says")           \
    X(ERR_IN_PROGRESS, "in_progress", EXIT_REFUSED, "the upload has not ended")                    \
    X(ERR_QUEUE_FULL, "queue_full", EXIT_REFUSED,                                                  \
      "max_queued uploads wait already; try again later")                                          \
    X(ERR_DENIED, "denied", EXIT_DENIED, "the user has no right to do this")                       \
    X(ERR_BUSY, "busy", EXIT_REFUSED, "too many clients or commands wait; try again")              \
    X(ERR_SHUTTING_DOWN, "shutting_down", EXIT_NO_SUPERVISOR, "the supervisor is shutting down")   \
    X(ERR_NO_SUPERVISOR, "no_supervisor", EXIT_NO_SUPERVISOR,                                      \
      "no socket, no one listening, no right to connect, or the supervisor went away")             \
    X(ERR_ANOTHER_SUPERVISOR, "another_supervisor", EXIT_FAILED,                                   \
      "a supervisor of this socket or name lives already")                                         \
    X(ERR_TIMEOUT, "timeout", EXIT_TIMEOUT, "the time ran out; the upload goes on")                \
    X(ERR_DATABASE_AWAY, "database_away", EXIT_DATABASE_AWAY, "the database cannot be reached")    \
    X(ERR_WAIT_ENDED, "wait_ended", EXIT_WAIT_ENDED, "waiting was interrupted")

enum error_code {
    ERR_NONE = 0,
#define X(name, wire, exit, when) name,
    ERROR_CODES(X)
#undef X
};

/* The code's name on the wire and in the documents ("file_missing"); static. */
const char *error_code_name(enum error_code code);

/* The code whose wire name this is; ERR_NONE when there is none. */
enum error_code error_code_parse(const char *name);

/* The exit code of a program that ends on this error; EXIT_DONE for ERR_NONE. */
enum exit_code error_code_exit(enum error_code code);

#endif
