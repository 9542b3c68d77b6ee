/* SPDX-License-Identifier: PostgreSQL */
/* The first of a few bytes in a stretch of memory, sixteen or eight bytes at a time: what
 * memchr is for one byte. Both searches return `end` when there is none. */
#ifndef CSV_FIND_H
#define CSV_FIND_H

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>

#define FIND_STEP 16

/* A bit for each of the sixteen bytes at p that is a, b or c. */
static inline unsigned find_mask(const char *p, char a, char b, char c)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i hits = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(a)),
                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b)));

    hits = _mm_or_si128(hits, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)));
    return (unsigned)_mm_movemask_epi8(hits);
}

static inline size_t find_first(unsigned mask)
{
    return (size_t)__builtin_ctz(mask);
}
#else

#define FIND_STEP 8

/* Not 0 when one of the eight bytes at p is a, b or c: a byte of x is 0 exactly where one is,
 * and the lowest bit set by the subtraction is right (those above may be borrows). */
static inline uint64_t find_mask(const char *p, char a, char b, char c)
{
    const char of[] = {a, b, c};
    uint64_t word;
    uint64_t hits = 0;

    memcpy(&word, p, sizeof word);
    for (int i = 0; i < 3; i++) {
        uint64_t x = word ^ (UINT64_C(0x0101010101010101) * (unsigned char)of[i]);
        hits |= (x - UINT64_C(0x0101010101010101)) & ~x & UINT64_C(0x8080808080808080);
    }
    return hits;
}

static inline size_t find_first(uint64_t mask)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(mask) / 8;
#else
    (void)mask;
    return 0; /* the loop behind looks at each byte */
#endif
}
#endif

/* The first byte that is a, b or c. */
static inline const char *find_any(const char *p, const char *end, char a, char b, char c)
{
    for (; end - p >= FIND_STEP; p += FIND_STEP) {
        __auto_type mask = find_mask(p, a, b, c);
        if (mask) {
            p += find_first(mask);
            break;
        }
    }
    while (p < end && *p != a && *p != b && *p != c)
        p++;
    return p;
}

/* The first byte that is a. */
static inline const char *find_one(const char *p, const char *end, char a)
{
    const char *at = p < end ? memchr(p, a, (size_t)(end - p)) : NULL;

    return at ? at : end;
}

#endif
