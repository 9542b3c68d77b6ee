/* SPDX-License-Identifier: PostgreSQL */
#include "base/mem.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* At once: what exit() runs would wait for the thread pool, or be run within it. */
void mem_none(const char *what)
{
    struct error err;

    error_set(&err, ERR_MEMORY, "no memory for %s", what);
    error_hint(&err, HINT_MEMORY);
    log_error(0, &err, "the program ends");
    _exit(EXIT_MEMORY);
}

static NO_RETURN void no_bytes(size_t count, size_t size)
{
    char what[64];

    snprintf(what, sizeof what, "%zu times %zu bytes", count, size);
    mem_none(what);
}

void *mem_new(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p)
        no_bytes(count, size);
    return p;
}

void *mem_resize(void *old, size_t count, size_t size)
{
    void *p = reallocarray(old, count ? count : 1, size);
    if (!p)
        no_bytes(count, size);
    return p;
}

char *mem_dup(const char *text)
{
    if (!text)
        return NULL;
    char *p = strdup(text);
    if (!p)
        no_bytes(1, strlen(text) + 1);
    return p;
}

char *mem_format(const char *fmt, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0)
        mem_none("a text");
    return text;
}
