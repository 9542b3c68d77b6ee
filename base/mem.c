/* SPDX-License-Identifier: PostgreSQL */
#include "base/mem.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *mem_new(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p)
        log_fatal("no memory for %zu bytes", count * size);
    return p;
}

void *mem_resize(void *old, size_t count, size_t size)
{
    void *p = reallocarray(old, count ? count : 1, size);
    if (!p)
        log_fatal("no memory for %zu times %zu bytes", count, size);
    return p;
}

char *mem_dup(const char *text)
{
    if (!text)
        return NULL;
    char *p = strdup(text);
    if (!p)
        log_fatal("no memory for %zu bytes", strlen(text));
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
        log_fatal("no memory for a text");
    return text;
}
