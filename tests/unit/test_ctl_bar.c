/* SPDX-License-Identifier: PostgreSQL */
/* The line that shows how far an upload is, at every width, and the calm of its time left. */
#include "base/mem.h"
#include "ctl/bar.h"
#include "ctl/pace.h"
#include "ctl/width.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct bar usual(void)
{
    return (struct bar){.name = "orders.csv",
                        .done = 1290000000,
                        .size = 3000000000,
                        .rows = 3201000,
                        .rate = 123456789,
                        .left_s = 125,
                        .still_s = -1};
}

static void test_layouts(void **state)
{
    static const struct {
        size_t columns;
        const char *text;
    } cases[] = {
        {99, "orders.csv [##########--------------]  43 % 1.2 GB of 3.0 GB 3,201,000 rows 123 MB/s "
             "2 min 5 s left"},
        {79, "orders.csv [######----------]  43 % 1.2GB 3,201,000 rows 123MB/s 2 min 5 s left"},
        {39, "[#--] 43% 1.2GB 3.2M rows 123MB/s 2m 5s"},
        {38, "[##----] 1.2GB 3.2M rows 123MB/s 2m 5s"},
        {20, "[###-----] 43% 2m 5s"},
        {9, "[#--] 43%"},
        {6, "[#---]"},
        {0, "[--]"},
    };
    struct bar bar = usual();
    char out[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bar_line(out, sizeof out, cases[i].columns, &bar);
        assert_string_equal(out, cases[i].text);
    }
}

/* Whatever the numbers and the width: it never wraps, and at 39 columns (of a terminal of 40)
 * all that was asked for is there. */
static void test_never_wider(void **state)
{
    static const int64_t numbers[] = {0, 9, 999, 9999, 123456, 98765432, 99999999999, INT64_MAX};
    static const int64_t times[] = {-1, 0, 59, 3599, 86399, 99 * 86400 - 1};
    char out[512];

    (void)state;
    for (size_t columns = 4; columns < 200; columns++)
        for (size_t n = 0; n < COUNT_OF(numbers); n++)
            for (size_t t = 0; t < COUNT_OF(times); t++) {
                struct bar bar = {.name = "a name that is rather long, and wider than most.csv",
                                  .phase = t == 0 && n % 2 ? "restarting" : NULL,
                                  .done = numbers[n] / 2,
                                  .size = n % 3 ? numbers[n] : -1,
                                  .rows = numbers[n],
                                  .rate = n % 4 ? (double)(numbers[n] / 1024) : -1,
                                  .left_s = times[t],
                                  .still_s = -1};
                if (n % 5 == 4) {
                    bar.still_s = times[t];
                    bar.rate = -1;
                }
                bar_line(out, sizeof out, columns, &bar);
                assert_true(width_of(out) <= columns);
                if (columns >= 39)
                    assert_non_null(strstr(out, " row"));
            }
}

static void test_percent(void **state)
{
    struct bar bar = {.done = 0, .size = -1};

    (void)state;
    assert_int_equal(bar_percent(&bar), -1);
    bar = (struct bar){.done = 999999, .size = 1000000};
    assert_int_equal(bar_percent(&bar), 99);
    bar.done = 1000000;
    assert_int_equal(bar_percent(&bar), 100);
    bar = (struct bar){.done = INT64_MAX - 1, .size = INT64_MAX};
    assert_true(bar_percent(&bar) >= 99);
}

static void test_sentence(void **state)
{
    struct bar bar = usual();
    char out[512];

    (void)state;
    bar_sentence(out, sizeof out, &bar);
    assert_string_equal(out, "orders.csv: 43 % of 3.0 GB, 3,201,000 rows, 123 MB/s, "
                             "2 min 5 s left");
    bar = (struct bar){.name = "a",
                       .phase = "queued",
                       .size = -1,
                       .rate = -1,
                       .still_s = -1,
                       .rejects = 1,
                       .rows = 1};
    bar_sentence(out, sizeof out, &bar);
    assert_string_equal(out, "a: 0 bytes, 1 row, 1 reject, queued");
    bar = usual();
    bar.left_s = -1;
    bar.rate = -1;
    bar.still_s = 70;
    bar_sentence(out, sizeof out, &bar);
    assert_string_equal(out, "orders.csv: 43 % of 3.0 GB, 3,201,000 rows, no progress for "
                             "1 min 10 s");
}

/* ---- pace ---- */

#define MB INT64_C(1000000)

static void test_steady_pace(void **state)
{
    struct pace pace = {0};
    int64_t last = 0;

    (void)state;
    for (uint64_t s = 0; s <= 60; s++) {
        pace_note(&pace, (int64_t)s * 10 * MB, 5000 + s * 1000);
        int64_t left = pace_left_s(&pace, 1000 * MB, 5000 + s * 1000);
        if (s < 2) {
            assert_int_equal(left, -1);
        } else {
            assert_int_equal(left, 100 - (int64_t)s);
            assert_true(last == 0 || left == last - 1);
            last = left;
        }
    }
    /* it counts down while nothing is heard, and gives up in the end */
    assert_int_equal(pace_left_s(&pace, 1000 * MB, 70000), 35);
    assert_int_equal(pace_left_s(&pace, 1000 * MB, 65000 + 61000), -1);
    assert_int_equal(pace_still_s(&pace, 65000 + 59000), -1);
    assert_int_equal(pace_still_s(&pace, 65000 + 61000), 61);
}

/* Steps that come in gusts do not make it jump. */
static void test_gusty_pace(void **state)
{
    struct pace pace = {0};
    int64_t at = 0;
    int64_t last = -1;
    int64_t worst = 0;

    (void)state;
    for (uint64_t s = 0; s <= 200; s++) {
        at += s % 2 ? 18 * MB : 2 * MB;
        pace_note(&pace, at, 1000 + s * 1000);
        int64_t left = pace_left_s(&pace, 5000 * MB, 1000 + s * 1000);
        if (s > 30 && last >= 0) {
            int64_t jump = left > last ? left - last : last - left;
            worst = jump > worst ? jump : worst;
        }
        last = left;
    }
    assert_true(worst <= 40);
    assert_in_range(last, 220, 380);
}

static void test_the_way_back(void **state)
{
    struct pace pace = {0};

    (void)state;
    for (uint64_t s = 0; s <= 10; s++)
        pace_note(&pace, (int64_t)s * 10 * MB, 1000 + s * 1000);
    for (uint64_t s = 1; s <= 5; s++)
        pace_note(&pace, (100 - (int64_t)s * 10) * MB, 11000 + s * 1000);
    assert_true(pace.rate < 0);
    assert_int_equal(pace_left_s(&pace, 1000 * MB, 16000), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),      cmocka_unit_test(test_never_wider),
        cmocka_unit_test(test_percent),      cmocka_unit_test(test_sentence),
        cmocka_unit_test(test_steady_pace),  cmocka_unit_test(test_gusty_pace),
        cmocka_unit_test(test_the_way_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
