/* SPDX-License-Identifier: PostgreSQL */
/* worker/encode.h: COPY's binary format, byte by byte. */
#include "worker/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(text) (text), sizeof(text) - 1

static void expect(struct encoded *out, const char *bytes, size_t size)
{
    assert_int_equal(out->size, size);
    assert_memory_equal(out->data, bytes, size);
    encoded_fini(out);
    assert_int_equal(out->size, 0);
}

static void test_head_and_tail(void **state)
{
    struct encoded out = {0};

    (void)state;
    encode_head(&out);
    encode_tail(&out);
    expect(&out, BYTES("PGCOPY\n\377\r\n\0"
                       "\0\0\0\0\0\0\0\0"
                       "\377\377"));
}

static void test_row(void **state)
{
    struct encoded out = {0};
    const struct field values[PROFILE_COLUMNS] = {{"J\303\266rg", 5}, {NULL, 0}};

    (void)state;
    encode_row(&out, 7, INT64_C(0x0102030405060708), values);
    expect(&out, BYTES("\0\4"
                       "\0\0\0\10\0\0\0\0\0\0\0\7"
                       "\0\0\0\10\1\2\3\4\5\6\7\10"
                       "\0\0\0\5J\303\266rg"
                       "\0\0\0\0"));
}

static void test_reject(void **state)
{
    struct encoded out = {0};
    const struct record record = {
        .data = "a\377", .size = 2, .start_offset = 256, .length = 3, .end_offset = 260};

    (void)state;
    encode_reject(&out, -1, 2, &record, "why", NULL);
    expect(&out, BYTES("\0\7"
                       "\0\0\0\10\377\377\377\377\377\377\377\377"
                       "\0\0\0\10\0\0\0\0\0\0\0\2"
                       "\0\0\0\10\0\0\0\0\0\0\1\0"
                       "\0\0\0\10\0\0\0\0\0\0\0\3"
                       "\0\0\0\3why"
                       "\377\377\377\377"
                       "\0\0\0\2a\377"));
    encode_reject(&out, 0, 0, &record, "", "23505");
    expect(&out, BYTES("\0\7"
                       "\0\0\0\10\0\0\0\0\0\0\0\0"
                       "\0\0\0\10\0\0\0\0\0\0\0\0"
                       "\0\0\0\10\0\0\0\0\0\0\1\0"
                       "\0\0\0\10\0\0\0\0\0\0\0\3"
                       "\0\0\0\0"
                       "\0\0\0\00523505"
                       "\0\0\0\2a\377"));
}

/* Many rows, so that the buffer grows while it holds some. */
static void test_growth(void **state)
{
    struct encoded out = {0};
    const struct field values[PROFILE_COLUMNS] = {{"ab", 2}, {"c", 1}};
    const size_t row_bytes = 2 + 12 + 12 + 4 + 2 + 4 + 1;

    (void)state;
    for (int64_t line = 1; line <= 1000; line++)
        encode_row(&out, 1, line, values);
    assert_int_equal(out.size, 1000 * row_bytes);
    for (size_t line = 1; line <= 1000; line++) {
        const unsigned char *row = (const unsigned char *)out.data + (line - 1) * row_bytes;
        assert_int_equal(row[24] * 256 + row[25], line);
        assert_memory_equal(row + row_bytes - 1, "c", 1);
    }
    encoded_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_and_tail),
        cmocka_unit_test(test_row),
        cmocka_unit_test(test_reject),
        cmocka_unit_test(test_growth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
