/* SPDX-License-Identifier: PostgreSQL */
/* The pure parts of uploadctl that make words: numbers, names, the nearest command, widths, what an
 * ending says, and the command line. */
#include "base/mem.h"
#include "base/text.h"
#include "ctl/arguments.h"
#include "ctl/commands.h"
#include "ctl/ending.h"
#include "ctl/named.h"
#include "ctl/nearest.h"
#include "ctl/numbers.h"
#include "ctl/show.h"
#include "ctl/width.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- numbers ---- */

typedef void writer(char *out, int64_t n);

static void check_numbers(writer *write, const int64_t *n, const char *const *texts, size_t count)
{
    char out[NUMBER_BYTES];

    for (size_t i = 0; i < count; i++) {
        write(out, n[i]);
        assert_string_equal(out, texts[i]);
    }
}

static void test_counts(void **state)
{
    static const int64_t n[] = {0, 999, 1000, 3201000, -1234, INT64_MAX, INT64_MIN};
    static const char *const texts[] = {"0",
                                        "999",
                                        "1,000",
                                        "3,201,000",
                                        "-1,234",
                                        "9,223,372,036,854,775,807",
                                        "-9,223,372,036,854,775,808"};

    (void)state;
    check_numbers(text_count, n, texts, COUNT_OF(n));
}

static void test_short_numbers(void **state)
{
    static const int64_t n[] = {0, 999, 1000, 1299, 9999, 10000, 999999, 1000000, INT64_MAX};
    static const char *const texts[] = {"0",   "999",  "1.0k", "1.2k", "9.9k",
                                        "10k", "999k", "1.0M", "9.2E"};

    (void)state;
    check_numbers(numbers_short, n, texts, COUNT_OF(n));
}

static void test_sizes(void **state)
{
    static const int64_t n[] = {0, 1, 999, 1000, 12345, 999999, 1234567890, 123456789012};
    static const char *const texts[] = {"0 bytes", "1 byte", "999 bytes", "1.0 kB",
                                        "12.3 kB", "999 kB", "1.2 GB",    "123 GB"};

    (void)state;
    check_numbers(numbers_size, n, texts, COUNT_OF(n));
}

static void test_durations(void **state)
{
    static const int64_t n[] = {-5, 0, 59, 60, 124, 3599, 3600, 4399, 86399, 86400, 273600};
    static const char *const texts[] = {"0 s",         "0 s",         "59 s",      "1 min 0 s",
                                        "2 min 0 s",   "59 min 55 s", "1 h 0 min", "1 h 13 min",
                                        "23 h 59 min", "1 d 0 h",     "3 d 4 h"};
    static const char *const shorter[] = {"0s",    "0s",     "59s",     "1m 0s", "2m 0s", "59m 55s",
                                          "1h 0m", "1h 13m", "23h 59m", "1d 0h", "3d 4h"};

    (void)state;
    check_numbers(numbers_duration, n, texts, COUNT_OF(n));
    check_numbers(numbers_duration_short, n, shorter, COUNT_OF(n));
}

static void test_local_times(void **state)
{
    char out[NUMBER_BYTES];

    (void)state;
    setenv("TZ", "UTC-2", 1); /* POSIX: east of Greenwich */
    numbers_local_time(out, "2025-01-31T16:05:09.123456Z");
    assert_string_equal(out, "2025-01-31 18:05:09");
    numbers_local_time(out, "2025-12-31T23:00:00+00:00");
    assert_string_equal(out, "2026-01-01 01:00:00");
    numbers_local_time(out, "2025-01-31T16:05:09+05:00");
    assert_string_equal(out, "2025-01-31T16:05:09+05:00");
    numbers_local_time(out, "yesterday");
    assert_string_equal(out, "yesterday");
}

/* ---- words ---- */

static void test_nearest(void **state)
{
    static const char *const words[] = {"upload", "stop", "status", "list"};

    (void)state;
    assert_int_equal(nearest_distance("upload", "upload"), 0);
    assert_int_equal(nearest_distance("uplaod", "upload"), 1);
    assert_int_equal(nearest_distance("", "stop"), 4);
    assert_int_equal(nearest_distance("stop", "stopp"), 1);
    assert_int_equal(nearest_of("statsu", words, COUNT_OF(words)), 2);
    assert_int_equal(nearest_of("sotp", words, COUNT_OF(words)), 1);
    assert_int_equal(nearest_of("x", words, 0), 0);
    char longer[300];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_true(nearest_distance(longer, "stop") > 4);
}

static void test_widths(void **state)
{
    char out[64];

    (void)state;
    assert_int_equal(width_of("gr\xC3\xB6\xC3\x9F"
                              "e"),
                     5);
    width_cut_end(out, sizeof out, "orders.csv", 10);
    assert_string_equal(out, "orders.csv");
    width_cut_end(out, sizeof out, "orders.csv", 8);
    assert_string_equal(out, "order...");
    width_cut_start(out, sizeof out, "/data/orders.csv", 10);
    assert_string_equal(out, "...ers.csv");
    width_cut_end(out, sizeof out, "\xC3\xB6\xC3\xB6\xC3\xB6\xC3\xB6\xC3\xB6", 4);
    assert_string_equal(out, "\xC3\xB6...");
    width_cut_end(out, sizeof out, "orders.csv", 2);
    assert_string_equal(out, "..");
}

static void test_wrapped_widths(void **state)
{
    (void)state;
    assert_int_equal(width_beginning("a user stops it", 80), 15);
    assert_int_equal(width_beginning("a user stops it", 8), 6);
    assert_int_equal(width_beginning("a user stops it", 6), 6);
    assert_int_equal(width_beginning("a user stops it", 5), 1);
    assert_int_equal(width_beginning("interrupted", 5), 5);
    assert_int_equal(width_beginning("\xC3\xB6\xC3\xB6", 1), 2);
    assert_int_equal(width_beginning("\xC3\xB6", 0), 2);
    assert_int_equal(width_beginning("", 5), 0);
}

static void check_word(const char *text, const char *expected)
{
    char *word = named_word(text);

    assert_string_equal(word, expected);
    free(word);
}

static void test_words_of_a_shell(void **state)
{
    (void)state;
    check_word("orders.csv", "orders.csv");
    check_word("my orders.csv", "'my orders.csv'");
    check_word("it's", "'it'\\''s'");
    check_word("-n.csv", "./-n.csv");
    check_word("-a b", "'./-a b'");
    check_word("$(x)", "'$(x)'");
    check_word("", "''");
}

static void test_names(void **state)
{
    struct named named;
    struct error err;

    (void)state;
    assert_int_equal(named_init(&named, "12", &err), 0);
    assert_null(named.file);
    assert_int_equal(named.id, 12);
    named_fini(&named);
    assert_int_equal(named_init(&named, "/a/./b//../c.csv", &err), 0);
    assert_string_equal(named.file, "/a/c.csv");
    named_fini(&named);
    assert_int_equal(named_init(&named, "./12", &err), 0);
    assert_non_null(named.file);
    named_fini(&named);
    static const char *const bad[] = {"/", "", "a\nb", "\xFF"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(named_init(&named, bad[i], &err), -ERR_FILE_NAME);
        named_fini(&named);
    }
    assert_int_equal(named_init(&named, "0", &err), -ERR_NOT_FOUND);
    named_fini(&named);
    assert_int_equal(named_init(&named, "9223372036854775808", &err), -ERR_NOT_FOUND);
    named_fini(&named);
}

static void test_raw(void **state)
{
    static const struct {
        const char *base64;
        size_t most;
        const char *text;
    } cases[] = {
        {"", 10, ""},
        {"YQ==", 10, "a"},
        {"YWI=", 10, "ab"},
        {"YWJj", 10, "abc"},
        {"YWJj", 2, "ab..."},
        {"YWJj", 3, "abc"},
        {"YQBi", 10, "a\\x00b"},
        {"/w==", 10, "\\xFF"},
        {"YWJjZGVmZ2g=", 4, "abcd..."},
        {"AAA=", 10, "\\x00\\x00"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *text = show_raw(cases[i].base64, cases[i].most);
        assert_string_equal(text, cases[i].text);
        free(text);
    }
}

/* ---- endings ---- */

static void test_endings(void **state)
{
    static const struct {
        const char *status;
        int rejects;
        const char *error;
        enum exit_code waited;
    } cases[] = {
        {"PROCESSED", 0, NULL, EXIT_DONE},       {"PROCESSED", 1, NULL, EXIT_REJECTS},
        {"STOPPED", 0, NULL, EXIT_INTERRUPTED},  {"KILLED", 1, NULL, EXIT_INTERRUPTED},
        {"FAILED", 0, "file_read", EXIT_FAILED}, {"FAILED", 0, "already_uploaded", EXIT_REFUSED},
        {"FAILED", 0, "grown", EXIT_REFUSED},    {"FAILED", 0, NULL, EXIT_FAILED},
        {"INITIALIZING", 0, NULL, EXIT_DONE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *error = cases[i].error ? json_pack("{s:s}", "code", cases[i].error) : json_null();
        json_t *upload = json_pack("{s:s, s:i, s:o}", "status", cases[i].status, "rejects",
                                   cases[i].rejects, "error", error);
        assert_int_equal(ending_code(IPC_UPLOAD, true, upload), cases[i].waited);
        assert_int_equal(ending_code(IPC_WAIT, true, upload), cases[i].waited);
        assert_int_equal(ending_code(IPC_UPLOAD, false, upload), EXIT_DONE);
        assert_int_equal(ending_code(IPC_STATUS, false, upload), EXIT_DONE);
        assert_int_equal(ending_code(IPC_STOP, true, upload),
                         strcmp(cases[i].status, "STOPPED") == 0 ? EXIT_DONE : cases[i].waited);
        json_decref(upload);
    }
}

/* ---- the command line ---- */

static int parse(struct arguments *arguments, struct error *err, char **words)
{
    int count = 0;

    while (words[count])
        count++;
    unsetenv(SOCKET_VARIABLE);
    return arguments_parse(arguments, count, words, err);
}

#define PARSE(...) parse(&arguments, &err, (char *[]){(char[]){"uploadctl"}, __VA_ARGS__, NULL})
#define W(text) ((char[]){text})

static void test_options_stand_anywhere(void **state)
{
    struct arguments arguments;
    struct error err;

    (void)state;
    assert_int_equal(PARSE(W("upload"), W("a"), W("--json"), W("b"), W("--wait"), W("--socket=/s")),
                     0);
    assert_ptr_equal(arguments.command, &commands[CMD_UPLOAD]);
    assert_int_equal(arguments.count, 2);
    assert_string_equal(arguments.operands[1], "b");
    assert_true(arguments.json && arguments.wait && !arguments.restart);
    assert_string_equal(arguments.socket, "/s");
    assert_int_equal(PARSE(W("--socket"), W("/t"), W("kill"), W("--"), W("--json")), 0);
    assert_string_equal(arguments.operands[0], "--json");
    assert_false(arguments.json);
    assert_int_equal(PARSE(W("wait"), W("1"), W("--timeout"), W("5m")), 0);
    assert_int_equal(arguments.timeout_ms, 300000);
    assert_int_equal(PARSE(W("list"), W("--status=failed"), W("--limit"), W("7")), 0);
    assert_string_equal(arguments.status, "FAILED");
    assert_int_equal(arguments.limit, 7);
}

static void test_usage(void **state)
{
    struct arguments arguments;
    struct error err;

    (void)state;
    assert_int_equal(PARSE(W("uplaod"), W("a")), -ERR_USAGE);
    assert_non_null(strstr(err.hint, "uploadctl help upload"));
    assert_int_equal(PARSE(W("kill"), W("--wait"), W("a")), -ERR_USAGE);
    assert_int_equal(PARSE(W("kill")), -ERR_USAGE);
    assert_int_equal(PARSE(W("status"), W("a"), W("b")), -ERR_USAGE);
    assert_int_equal(PARSE(W("ping"), W("a")), -ERR_USAGE);
    assert_int_equal(PARSE(W("--json")), -ERR_USAGE);
    assert_true(arguments.json);
    assert_int_equal(PARSE(W("list"), W("--limit"), W("-1"), W("--json")), -ERR_USAGE);
    assert_true(arguments.json);
    assert_int_equal(PARSE(W("list"), W("--limit")), -ERR_USAGE);
    assert_int_equal(PARSE(W("list"), W("--json=1")), -ERR_USAGE);
    assert_int_equal(PARSE(W("list"), W("--socket=")), -ERR_USAGE);
    assert_int_equal(PARSE(W("-q"), W("list")), -ERR_USAGE);
    assert_int_equal(PARSE(W("list"), W("--help")), 0);
    assert_ptr_equal(arguments.command, &commands[CMD_HELP]);
    assert_string_equal(arguments.operands[0], "list");
    assert_int_equal(PARSE(W("--version")), 0);
    assert_ptr_equal(arguments.command, &commands[CMD_VERSION]);
}

/* What looks like another command may do the opposite of it: start is no slip for stop. */
static void test_commands_of_elsewhere(void **state)
{
    static const struct {
        const char *word, *hint;
    } cases[] = {
        {"resume", "uploadctl help upload"}, {"start", "uploadctl help upload"},
        {"cancel", "uploadctl help stop"},   {"suspend", "uploadctl help kill"},
        {"stpo", "uploadctl help stop"},     {"hlep", "uploadctl help"},
        {"delete", "All commands are in"},   {"foo", "All commands are in"},
    };
    struct error err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(command_unknown(cases[i].word, &err), -ERR_USAGE);
        if (!strstr(err.hint, cases[i].hint))
            fail_msg("%s: %s", cases[i].word, err.hint);
    }
}

static void test_hints_about_options(void **state)
{
    struct arguments arguments;
    struct error err;

    (void)state;
    assert_int_equal(PARSE(W("upload"), W("--wiat"), W("a")), -ERR_USAGE);
    assert_string_equal(err.hint, "The nearest one is --wait; all are in: uploadctl help upload");
    assert_int_equal(PARSE(W("upload"), W("-w"), W("a")), -ERR_USAGE);
    assert_string_equal(err.hint, "All options are in: uploadctl help upload");
    assert_int_equal(PARSE(W("--nothing-like-it")), -ERR_USAGE);
    assert_string_equal(err.hint, "All options are in: uploadctl help");
    assert_int_equal(PARSE(W("wait"), W("1"), W("--timeout")), -ERR_USAGE);
    assert_string_equal(err.hint, "Give --timeout a time such as 500ms, 30s, 5m or 1h.");
    assert_int_equal(PARSE(W("upload"), W("a"), W("--profile")), -ERR_USAGE);
    assert_string_equal(err.hint, "Give --profile NAME.");
    assert_int_equal(PARSE(W("upload"), W("--wait=yes"), W("a")), -ERR_USAGE);
    assert_string_equal(err.hint, "Write --wait alone.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_short_numbers),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_local_times),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_wrapped_widths),
        cmocka_unit_test(test_words_of_a_shell),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_endings),
        cmocka_unit_test(test_options_stand_anywhere),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_commands_of_elsewhere),
        cmocka_unit_test(test_hints_about_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
