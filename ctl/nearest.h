/* SPDX-License-Identifier: PostgreSQL */
/* The word that somebody probably meant. Pure. */
#ifndef CTL_NEAREST_H
#define CTL_NEAREST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap two neighbours) that make `b` of `a`. */
size_t nearest_distance(const char *a, const char *b);

/* The index of the word with the fewest edits, the first of several; `count` when none is so near
 * that a slip of the finger explains it: one edit, or two in a word of five letters and more. */
size_t nearest_of(const char *word, const char *const *words, size_t count);

#endif
