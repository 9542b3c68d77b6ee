/* SPDX-License-Identifier: PostgreSQL */
/* How fast something moves, smoothed, and how long it will take. Pure: the caller has the clock. */
#ifndef CTL_PACE_H
#define CTL_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Zeros are a pace of which nothing is known. */
struct pace {
    bool begun;
    int64_t at; /* position, in bytes */
    uint64_t at_ms;
    uint64_t since_ms; /* it moves in this direction since then */
    double rate;       /* bytes a second, negative on the way back; 0: unknown */
    int64_t left_s;    /* as last shown */
    uint64_t left_ms;  /* when that was */
};

/* It is there now. */
void pace_note(struct pace *pace, int64_t at, uint64_t now_ms);

/* Seconds until it is at `end` (on the way back: at 0); -1 when there is no telling: too early,
 * or it stands still. Calm: between two looks it counts down with the clock, unless it is far
 * off. */
int64_t pace_left_s(struct pace *pace, int64_t end, uint64_t now_ms);

/* Seconds for which it has not moved; -1 when that is not worth a word: under a minute. */
int64_t pace_still_s(const struct pace *pace, uint64_t now_ms);

#endif
