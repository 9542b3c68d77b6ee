/* SPDX-License-Identifier: PostgreSQL */
#include "base/log.h"

#include "base/text.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_MS 1000

static const char *program = "uploader";
static enum log_level threshold = LOG_LEVEL_INFO;

static const char *level_name(enum log_level level)
{
    switch (level) {
#define X(name, text, number)                                                                      \
    case name:                                                                                     \
        return text;
        LOG_LEVELS(X)
#undef X
    }
    return "?";
}

void log_init(const char *name)
{
    program = name;
}

void log_set_level(enum log_level level)
{
    threshold = level;
}

/* Has standard error room for a line? A reader that does not read must not hold up an upload, nor a
 * kill of it: it is waited for a little, and then its lines are lost until it reads again. */
static bool has_room(void)
{
    static bool stuck;
    struct pollfd err = {.fd = STDERR_FILENO, .events = POLLOUT};

    stuck = poll(&err, 1, stuck ? 0 : PATIENCE_MS) == 0;
    return !stuck;
}

/* One write(2) a line, so that lines of two processes never mix; a pipe that poll(2) calls writable
 * takes PIPE_BUF bytes at once. A log that cannot be written must not end an upload: the result is
 * ignored on purpose. */
static void put_line(enum log_level level, int64_t tracker, const char *text)
{
    char safe[3900];
    char line[PIPE_BUF];
    char object[32] = "";

    if (tracker)
        snprintf(object, sizeof object, " tracker=%lld", (long long)tracker);
    text_escape(safe, sizeof safe, text);
    int n = snprintf(line, sizeof line, "<%d>%s[%d]:%s %s: %s\n", (int)level, program,
                     (int)getpid(), object, level_name(level), safe);
    /* the syslog prefix is for the journal alone: a person does not want to see it */
    const char *from = getenv("JOURNAL_STREAM") ? line : line + 3;
    if (n > 0 && has_room() && write(STDERR_FILENO, from, (size_t)(line + n - from)) < 0)
        return;
}

static void PRINTF_LIKE(3, 0)
    put(enum log_level level, int64_t tracker, const char *fmt, va_list args)
{
    char text[3072];

    if (level > threshold)
        return;
    vsnprintf(text, sizeof text, fmt, args);
    put_line(level, tracker, text);
}

void log_line(enum log_level level, int64_t tracker, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put(level, tracker, fmt, args);
    va_end(args);
}

void log_error(int64_t tracker, const struct error *err, const char *fmt, ...)
{
    char what[512];
    char text[3584];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    snprintf(text, sizeof text, "%s: %s code=%s%s%s%s%s%s%s", what, err->message,
             error_code_name(err->code), err->sqlstate[0] ? " sqlstate=" : "", err->sqlstate,
             err->detail[0] ? " detail: " : "", err->detail, err->hint[0] ? " hint: " : "",
             err->hint);
    put_line(LOG_LEVEL_ERROR, tracker, text);
}

void log_fatal(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put(LOG_LEVEL_ERROR, 0, fmt, args);
    va_end(args);
    /* at once: what exit() runs would wait for the thread pool, or be run within it */
    _exit(EXIT_FAILED);
}
