/* SPDX-License-Identifier: PostgreSQL */
/* The log: one event a line on standard error, its object first, key=value behind; where standard
 * error is systemd's journal, an entry with fields (journal.h). Levels are syslog's. Control
 * characters and invalid UTF-8 are escaped here, so that no caller has to. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"

#include <stdint.h>

/* X(NAME, name, syslog's number) */
#define LOG_LEVELS(X)                                                                              \
    X(LOG_LEVEL_ERROR, "error", 3)                                                                 \
    X(LOG_LEVEL_WARNING, "warning", 4)                                                             \
    X(LOG_LEVEL_NOTICE, "notice", 5)                                                               \
    X(LOG_LEVEL_INFO, "info", 6)                                                                   \
    X(LOG_LEVEL_DEBUG, "debug", 7)

enum log_level {
#define X(name, text, number) name = (number),
    LOG_LEVELS(X)
#undef X
};

/* Sets the program's name, which starts each line, and finds out whether standard error is the
 * journal, before which nothing is sent there. Static text. */
void log_init(const char *program);

/* Lines above this level are not written; LOG_LEVEL_INFO until it is called. */
void log_set_level(enum log_level level);

/* The file of a tracker, for the journal's field; NULL: not known. Borrowed until the next call. */
typedef const char *log_file_of(void *arg, int64_t tracker);

/* Whom to ask for it, in the thread that writes a line about a tracker. NULL: nobody. */
void log_set_files(log_file_of *file_of, void *arg);

/* Writes one line. `tracker` 0: the line is about the program itself. */
void log_line(enum log_level level, int64_t tracker, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A value of a field as it is, when it has only letters, digits and the like; else in double
 * quotes, with \" and \\ in it: a name can fake no field. Cut where it is too long. */
struct log_value {
    char text[1536];
};
struct log_value log_value(const char *value);

/* Writes an error with its code, detail, hint and SQLSTATE behind a text of the caller. */
void log_error(int64_t tracker, const struct error *err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Writes a line and ends the program with EXIT_FAILED: only for a broken invariant, or a failure
 * before the service is ready. For no memory there is mem_none. */
NO_RETURN void log_fatal(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
