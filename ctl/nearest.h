/* SPDX-License-Identifier: PostgreSQL */
/* The word that somebody probably meant. Pure. */
#ifndef CTL_NEAREST_H
#define CTL_NEAREST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap two neighbours) that make `b` of `a`. */
size_t nearest_distance(const char *a, const char *b);

/* The index of the word with the fewest edits, the first of several; `count` when `count` is 0. */
size_t nearest_of(const char *word, const char *const *words, size_t count);

#endif
