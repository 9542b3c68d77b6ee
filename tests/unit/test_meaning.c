/* SPDX-License-Identifier: PostgreSQL */
/* What an SQLSTATE means, with and without a table. */
#include "db/meaning.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *sqlstate, *schema, *table;
    enum db_meaning meaning;
} cases[] = {
    /* no answer at all, or the server goes down or is full */
    {NULL, NULL, NULL, DB_LOST},
    {"08000", NULL, NULL, DB_LOST},
    {"08006", NULL, NULL, DB_LOST},
    {"57P01", NULL, NULL, DB_LOST},
    {"57P02", NULL, NULL, DB_LOST},
    {"57P03", NULL, NULL, DB_LOST},
    {"53300", NULL, NULL, DB_LOST},
    {"25P03", NULL, NULL, DB_LOST},
    /* in each other's way */
    {"55P03", NULL, NULL, DB_CONFLICT},
    {"40001", NULL, NULL, DB_CONFLICT},
    {"40P01", NULL, NULL, DB_CONFLICT},
    {"40001", "up", "file_tracker", DB_CONFLICT},
    /* the server has nothing left */
    {"53000", NULL, NULL, DB_EXHAUSTED},
    {"53100", NULL, NULL, DB_EXHAUSTED},
    {"53200", NULL, NULL, DB_EXHAUSTED},
    {"58030", NULL, NULL, DB_EXHAUSTED},
    {"25006", NULL, NULL, DB_READ_ONLY},
    /* the functions of this service, and the constraints of its own tables */
    {"UP001", NULL, NULL, DB_FENCED},
    {"UP002", NULL, NULL, DB_FENCED},
    {"23505", "up", "file_checkpoint", DB_FENCED},
    {"23514", "up", "file_checkpoint", DB_FENCED},
    {"23503", "up", "file_checkpoint", DB_FENCED},
    {"23505", "up", "file_reject", DB_FENCED},
    {"23505", "up", "file_tracker", DB_FENCED},
    {"23502", "up", "file_event", DB_FENCED},
    {"23505", "up", "schema_version", DB_FENCED},
    {"54000", "up", "file_reject", DB_FENCED},
    /* the rows, under whatever constraints the target has */
    {"23505", "up", "file_data", DB_DATA},
    {"23514", "up", "file_data", DB_DATA},
    {"23505", "public", "file_checkpoint", DB_DATA},
    {"23505", "public", "audit", DB_DATA},
    {"23505", NULL, NULL, DB_DATA},
    {"22001", NULL, NULL, DB_DATA},
    {"22021", NULL, NULL, DB_DATA},
    {"22P04", NULL, NULL, DB_DATA},
    {"P0001", NULL, NULL, DB_DATA},
    {"P0004", NULL, NULL, DB_DATA},
    {"21000", NULL, NULL, DB_DATA},
    {"38000", NULL, NULL, DB_DATA},
    {"44000", NULL, NULL, DB_DATA},
    {"54000", "up", "file_data", DB_DATA},
    {"54000", NULL, NULL, DB_DATA},
    /* all else */
    {"28P01", NULL, NULL, DB_DENIED},
    {"42501", NULL, NULL, DB_DENIED},
    {"42501", "up", "file_checkpoint", DB_DENIED},
    {"42P01", NULL, NULL, DB_DENIED},
    {"3D000", NULL, NULL, DB_DENIED},
    {"3F000", NULL, NULL, DB_DENIED},
    {"0A000", NULL, NULL, DB_DENIED},
    {"54001", NULL, NULL, DB_DENIED},
    {"54023", NULL, NULL, DB_DENIED},
    {"25P02", NULL, NULL, DB_DENIED},
    {"57014", NULL, NULL, DB_CANCELLED},
    {"57P04", NULL, NULL, DB_DENIED},
    {"XX000", NULL, NULL, DB_DENIED},
    {"UP009", NULL, NULL, DB_DENIED},
    {"00000", NULL, NULL, DB_DENIED},
    {"", NULL, NULL, DB_DENIED},
};

static void test_meanings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum db_meaning meaning =
            db_meaning_of(cases[i].sqlstate, cases[i].schema, cases[i].table, "up");
        if (meaning != cases[i].meaning)
            fail_msg("%s on %s.%s: meaning %d, not %d",
                     cases[i].sqlstate ? cases[i].sqlstate : "no SQLSTATE",
                     cases[i].schema ? cases[i].schema : "-", cases[i].table ? cases[i].table : "-",
                     (int)meaning, (int)cases[i].meaning);
    }
}

/* Each table that is made, but the one for somebody's rows, is the service's own. */
static void test_own_tables(void **state)
{
    static const char *const migrations[] = {
#define SQL_STATEMENT(name, mode, text)
#define SQL_MIGRATION(number, text) text,
#include "sql.inc"
#undef SQL_STATEMENT
#undef SQL_MIGRATION
    };
    static const char create[] = "CREATE TABLE @schema@.";
    size_t made = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(migrations); i++) {
        const char *at = migrations[i];
        for (; (at = strstr(at, create)); made++) {
            char table[64];
            at += sizeof create - 1;
            size_t bytes = strcspn(at, " (");
            assert_in_range(bytes, 1, sizeof table - 1);
            *(char *)mempcpy(table, at, bytes) = '\0';
            bool rows = strcmp(table, "file_data") == 0;
            assert_int_equal(db_meaning_of("23505", "up", table, "up"), rows ? DB_DATA : DB_FENCED);
        }
    }
    assert_true(made >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meanings),
        cmocka_unit_test(test_own_tables),
    };

    return cmocka_run_group_tests_name("meaning", tests, NULL, NULL);
}
