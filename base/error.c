/* SPDX-License-Identifier: PostgreSQL */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Cuts a truncated text back to a whole UTF-8 character, so that every message stays
 * valid JSON. */
static void cut(char *text, size_t size, int wanted)
{
    if (wanted < 0 || (size_t)wanted < size)
        return;
    size_t end = size - 1;
    while (end > 0 && ((unsigned char)text[end - 1] & 0xC0) == 0x80)
        end--;
    if (end > 0 && (unsigned char)text[end - 1] >= 0xC0)
        end--;
    text[end] = '\0';
}

static void PRINTF_LIKE(3, 0) put(char *text, size_t size, const char *fmt, va_list args)
{
    cut(text, size, vsnprintf(text, size, fmt, args));
}

int error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
    va_list args;

    error_clear(err);
    err->code = code;
    va_start(args, fmt);
    put(err->message, sizeof err->message, fmt, args);
    va_end(args);
    return -(int)code;
}

/* What is to be done about it, wherever it happens; NULL: that depends. */
static const char *remedy(int errnum)
{
    static const struct {
        int errnum;
        const char *hint;
    } remedies[] = {
        {EMFILE, "Allow the service more open files: LimitNOFILE= of its unit, ulimit -n."},
        {ENFILE, "The whole system may open no more files: raise fs.file-max with sysctl."},
        {ENOMEM, HINT_MEMORY},
        {ENOSPC, "Make room on that file system."},
        {EDQUOT, "Make room, or raise the quota of the service's user on that file system."},
        {EIO, "The device or the file system fails: the kernel's log (dmesg) says more."},
    };

    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (remedies[i].errnum == errnum)
            return remedies[i].hint;
    return NULL;
}

int error_system(struct error *err, enum error_code code, int errnum, const char *fmt, ...)
{
    va_list args;

    error_clear(err);
    err->code = code;
    va_start(args, fmt);
    put(err->message, sizeof err->message, fmt, args);
    va_end(args);
    size_t used = strlen(err->message);
    size_t left = sizeof err->message - used;
    cut(err->message + used, left, snprintf(err->message + used, left, ": %s", strerror(errnum)));
    const char *hint = remedy(errnum);
    if (hint)
        error_hint(err, "%s", hint);
    return -(int)code;
}

int error_detail(struct error *err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put(err->detail, sizeof err->detail, fmt, args);
    va_end(args);
    return -(int)err->code;
}

int error_hint(struct error *err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put(err->hint, sizeof err->hint, fmt, args);
    va_end(args);
    return -(int)err->code;
}

void error_sqlstate(struct error *err, const char *sqlstate)
{
    static const char set[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t size = sizeof err->sqlstate;

    memset(err->sqlstate, 0, size);
    if (sqlstate && strlen(sqlstate) == size - 1 && strspn(sqlstate, set) == size - 1)
        memcpy(err->sqlstate, sqlstate, size);
}

void error_clear(struct error *err)
{
    err->code = ERR_NONE;
    err->sqlstate[0] = err->message[0] = err->detail[0] = err->hint[0] = '\0';
}
