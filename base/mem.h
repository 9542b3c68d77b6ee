/* SPDX-License-Identifier: PostgreSQL */
/* Memory that is there or ends the program: losing it is fatal by design, since every
 * crash is a case that the protocol handles. Nothing here is called per record. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/error.h"

#include <stddef.h>

/* Says that there is no memory for this, and ends the program with EXIT_MEMORY. */
NO_RETURN void mem_none(const char *what);

/* As calloc, realloc and strdup; never NULL. The caller frees with free(). */
void *mem_new(size_t count, size_t size);
void *mem_resize(void *old, size_t count, size_t size);
char *mem_dup(const char *text); /* NULL for NULL */
char *mem_format(const char *fmt, ...) PRINTF_LIKE(1, 2);

#define NEW(type) ((type *)mem_new(1, sizeof(type)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The object whose member this is. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
