/* SPDX-License-Identifier: PostgreSQL */
#include "base/shell.h"

#include "base/mem.h"

#include <string.h>

/* Characters that no shell gives a meaning to, wherever they stand in a path. */
static const char plain[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,@%";

char *shell_word(const char *text)
{
    size_t size = strlen(text);

    if (size > 0 && strspn(text, plain) == size && text[0] != '-')
        return mem_dup(text);
    char *word = mem_new(4 * size + 3, 1);
    char *to = word;
    *to++ = '\'';
    for (; *text; text++) {
        if (*text == '\'') {
            to = stpcpy(to, "'\\''");
        } else {
            *to++ = *text;
        }
    }
    *to = '\'';
    return word;
}
