/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/nearest.h"

#include <string.h>

/* Longer words are compared by their beginning: commands are short, and what was typed need not
 * be. */
#define WORD_BYTES 64

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t nearest_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_BYTES + 1];
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *now = rows[2];
    size_t n = strnlen(a, WORD_BYTES);
    size_t m = strnlen(b, WORD_BYTES);

    for (size_t j = 0; j <= m; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            now[j] = least(last[j] + 1, now[j - 1] + 1);
            now[j] = least(now[j], last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[m];
}

/* Slips of the finger that a word of this length may have, to be taken for another one. */
static size_t slips(const char *word)
{
    return strlen(word) < 5 ? 1 : 2;
}

size_t nearest_of(const char *word, const char *const *words, size_t count)
{
    size_t best = count;
    size_t best_distance = slips(word) + 1;

    for (size_t i = 0; i < count; i++) {
        size_t distance = nearest_distance(word, words[i]);
        if (distance < best_distance) {
            best = i;
            best_distance = distance;
        }
    }
    return best;
}
