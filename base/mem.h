/* SPDX-License-Identifier: PostgreSQL */
/* Memory that is there or ends the program: losing it is fatal by design, since every
 * crash is a case that the protocol handles. Nothing here is called per record. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* As calloc, realloc and strdup; never NULL. The caller frees with free(). */
void *mem_new(size_t count, size_t size);
void *mem_resize(void *old, size_t count, size_t size);
char *mem_dup(const char *text); /* NULL for NULL */
char *mem_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define NEW(type) ((type *)mem_new(1, sizeof(type)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The object whose member this is. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
