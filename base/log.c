/* SPDX-License-Identifier: PostgreSQL */
#include "base/log.h"

#include "base/journal.h"
#include "base/text.h"

#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 1000

static const char *program = "uploader";
static enum log_level threshold = LOG_LEVEL_INFO;
static bool journal; /* is standard error */
static log_file_of *file_of;
static void *file_of_arg;

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
    journal = journal_open();
    tzset(); /* gmtime_r() reads a file the first time, which a worker that is confined may not */
}

void log_set_level(enum log_level level)
{
    threshold = level;
}

void log_set_files(log_file_of *of, void *arg)
{
    file_of = of;
    file_of_arg = arg;
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

/* What a line begins with: for the journal the syslog prefix, of which it makes a field; it knows
 * the time. Elsewhere the time, in UTC (RFC 3339). */
static const char *begin_line(char out[TEXT_TIME_BYTES], enum log_level level)
{
    if (!journal)
        return text_time(out, 0);
    snprintf(out, TEXT_TIME_BYTES, "<%d>", (int)level);
    return out;
}

/* One write(2) a line, so that lines of two processes never mix; a pipe that poll(2) calls writable
 * takes PIPE_BUF bytes at once. A log that cannot be written must not end an upload: the result is
 * ignored on purpose. */
static void put_stream(enum log_level level, const char *object, const char *text)
{
    char begin[TEXT_TIME_BYTES];
    char line[PIPE_BUF];
    int n = snprintf(line, sizeof line, "%s%s%s[%d]:%s %s: %s\n", begin_line(begin, level),
                     journal ? "" : " ", program, (int)getpid(), object, level_name(level), text);

    if (n > 0 && has_room() && write(STDERR_FILENO, line, (size_t)n) < 0)
        return;
}

/* False: it does not take it. */
static bool put_journal(enum log_level level, int64_t tracker, const char *text,
                        const struct error *err)
{
    char message[4000];
    char priority[2] = {(char)('0' + level), '\0'};
    char number[24];

    snprintf(number, sizeof number, "%" PRId64, tracker);
    snprintf(message, sizeof message, "%s%s%s%s", tracker ? "tracker=" : "", tracker ? number : "",
             tracker ? " " : "", text);
    const char *const values[JOURNAL_FIELD_COUNT] = {
        [JOURNAL_MESSAGE] = message,
        [JOURNAL_PRIORITY] = priority,
        [JOURNAL_PROGRAM] = program,
        [JOURNAL_TRACKER] = tracker ? number : NULL,
        [JOURNAL_FILE] = tracker && file_of ? file_of(file_of_arg, tracker) : NULL,
        [JOURNAL_CODE] = err ? error_code_name(err->code) : NULL,
        [JOURNAL_SQLSTATE] = err && err->sqlstate[0] ? err->sqlstate : NULL,
    };
    return journal_send(values);
}

static void put_line(enum log_level level, int64_t tracker, const char *text,
                     const struct error *err)
{
    char safe[3900];
    char object[32] = "";

    text_escape(safe, sizeof safe, text);
    if (journal && put_journal(level, tracker, safe, err))
        return;
    if (tracker)
        snprintf(object, sizeof object, " tracker=%" PRId64, tracker);
    put_stream(level, object, safe);
}

static void PRINTF_LIKE(3, 0)
    put(enum log_level level, int64_t tracker, const char *fmt, va_list args)
{
    char text[3072];

    if (level > threshold)
        return;
    vsnprintf(text, sizeof text, fmt, args);
    put_line(level, tracker, text, NULL);
}

void log_line(enum log_level level, int64_t tracker, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put(level, tracker, fmt, args);
    va_end(args);
}

struct log_value log_value(const char *value)
{
    struct log_value out;
    bool quoted = !value[0] || strpbrk(value, " \t\r\n\"\\=");
    size_t used = 0;

    if (quoted)
        out.text[used++] = '"';
    for (; *value && used < sizeof out.text - 3; value++) {
        if (quoted && (*value == '"' || *value == '\\'))
            out.text[used++] = '\\';
        out.text[used++] = *value;
    }
    if (quoted)
        out.text[used++] = '"';
    out.text[used] = '\0';
    return out;
}

void log_error(int64_t tracker, const struct error *err, const char *fmt, ...)
{
    char what[sizeof(struct log_value) + 256];
    char text[sizeof what + sizeof *err + 128];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    /* fields first: what is said in words may have a name in it that looks like one */
    snprintf(text, sizeof text, "%s code=%s%s%s: %s%s%s%s%s", what, error_code_name(err->code),
             err->sqlstate[0] ? " sqlstate=" : "", err->sqlstate, err->message,
             err->detail[0] ? " detail: " : "", err->detail, err->hint[0] ? " hint: " : "",
             err->hint);
    put_line(LOG_LEVEL_ERROR, tracker, text, err);
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
