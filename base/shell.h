/* SPDX-License-Identifier: PostgreSQL */
/* Words of a shell command, for hints that can be pasted. Runs nothing. */
#ifndef BASE_SHELL_H
#define BASE_SHELL_H

/* The text as one word of a POSIX shell, quoted where it must be. The caller frees. */
char *shell_word(const char *text);

#endif
