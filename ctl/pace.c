/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/pace.h"

/* The time after which a step counts half as much. */
#define CALM_S 10.0

/* Before this nothing is said. */
#define EARLY_MS 2000

/* Longer than this without a move: it stands. */
#define STILL_MS 60000

void pace_note(struct pace *pace, int64_t at, uint64_t now_ms)
{
    double moved = (double)(at - pace->at);
    double seconds = (double)(now_ms - pace->at_ms) / 1000.0;

    if (pace->begun && (at == pace->at || now_ms == pace->at_ms))
        return;
    if (!pace->begun || (moved < 0) != (pace->rate < 0)) {
        pace->since_ms = pace->begun ? pace->at_ms : now_ms;
        pace->rate = 0;
        pace->left_ms = 0;
    }
    if (pace->begun) {
        double weight = pace->rate == 0 ? 1 : seconds / (CALM_S + seconds);
        pace->rate += weight * (moved / seconds - pace->rate);
    }
    pace->begun = true;
    pace->at = at;
    pace->at_ms = now_ms;
}

int64_t pace_left_s(struct pace *pace, int64_t end, uint64_t now_ms)
{
    if (pace->rate == 0 || now_ms - pace->since_ms < EARLY_MS || now_ms - pace->at_ms >= STILL_MS)
        return -1;
    double way = pace->rate > 0 ? (double)(end - pace->at) : (double)pace->at;
    double rate = pace->rate > 0 ? pace->rate : -pace->rate;
    double left = way / rate - (double)(now_ms - pace->at_ms) / 1000.0;
    if (left < 0)
        left = 0;
    if (left > 99.0 * 86400)
        return -1;
    int64_t now_s = (int64_t)(left + 0.5);
    if (pace->left_ms != 0) {
        int64_t expected = pace->left_s - (int64_t)((now_ms - pace->left_ms) / 1000);
        int64_t off = now_s > expected ? now_s - expected : expected - now_s;
        if (expected >= 0 && off <= 2 + expected / 20)
            return expected;
    }
    pace->left_s = now_s;
    pace->left_ms = now_ms;
    return now_s;
}

int64_t pace_still_s(const struct pace *pace, uint64_t now_ms)
{
    uint64_t still_ms = now_ms - pace->at_ms;

    return pace->begun && still_ms >= STILL_MS ? (int64_t)(still_ms / 1000) : -1;
}
