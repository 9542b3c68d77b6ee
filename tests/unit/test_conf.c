/* SPDX-License-Identifier: PostgreSQL */
/* The configuration: every option's good and bad values, every line that inih would misread,
 * several files, all errors at once, and the documents printed from the table. */
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "conf/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Each test runs in a folder of its own; files are named relative to it. */
#define MAIN "main.conf"

static char folder[] = "/tmp/test_conf.XXXXXX";

static void write_bytes(const char *path, const char *data, size_t size)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

static void write_text(const char *path, const char *text)
{
    write_bytes(path, text, strlen(text));
}

/* Most folders in these tests are not there. */
static void drop_warnings(char *text)
{
    char *to = text;

    for (char *line = text; *line;) {
        size_t length = strcspn(line, "\n") + 1;
        char *warning = strstr(line, ": warning: there is no folder");
        if (!warning || warning > line + length) {
            memmove(to, line, length);
            to += length;
        }
        line += length;
    }
    *to = '\0';
}

/* The errors of loading `path`, "" when there are none; the caller frees. */
static char *errors_of(struct conf *conf, const char *path)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    int rc = conf_load(conf, path, NULL, out);

    fclose(out);
    drop_warnings(text);
    size = strlen(text);
    assert_int_equal(rc, size > 0 ? -ERR_CONFIG : 0);
    if (rc < 0) {
        assert_null(conf->schema);
        assert_int_equal(conf->profile_count, 0);
        assert_int_equal(text[size - 1], '\n');
    }
    return text;
}

static void expect_errors_of(const char *path, const char *expected)
{
    struct conf conf;
    char *errors = errors_of(&conf, path);

    assert_string_equal(errors, expected);
    free(errors);
    conf_fini(&conf);
}

static void expect_errors(const char *text, const char *expected)
{
    write_text(MAIN, text);
    expect_errors_of(MAIN, expected);
}

static void load(struct conf *conf, const char *text)
{
    write_text(MAIN, text);
    char *errors = errors_of(conf, MAIN);
    assert_string_equal(errors, "");
    free(errors);
}

/* ---- what is stored, as text ---- */

static void show_list(FILE *out, char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%s", i ? "|" : "", list[i]);
}

static void show_who(FILE *out, const struct who_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        fprintf(out, "%s%s%s", i ? "|" : "", list->items[i].group ? "@" : "", list->items[i].name);
}

static void show_field(FILE *out, const struct option *option, const void *object)
{
    const void *field = (const char *)object + option->at;

    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_CONNINFO:
    case OPTION_SCHEMA:
    case OPTION_PATH:
    case OPTION_PROFILE:
        fprintf(out, "%s", *(char *const *)field ? *(char *const *)field : "NULL");
        break;
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_TIME:
        fprintf(out, "%lld", (long long)*(const int64_t *)field);
        break;
    case OPTION_FLAG:
        fprintf(out, "%s", *(const bool *)field ? "true" : "false");
        break;
    case OPTION_LEVEL:
        fprintf(out, "%d", (int)*(const enum log_level *)field);
        break;
    case OPTION_DUPLICATES:
        fprintf(out, "%d", (int)*(const enum duplicates *)field);
        break;
    case OPTION_CHAR:
        fprintf(out, "%c", *(const char *)field);
        break;
    case OPTION_WHO:
        show_who(out, field);
        break;
    case OPTION_FOLDERS:
    case OPTION_PATTERNS:
        show_list(out, *(char **const *)field,
                  *(const size_t *)(const void *)((const char *)object + option->count_at));
        break;
    case OPTION_COLUMNS:
        show_list(out, (char *const *)field, PROFILE_COLUMNS);
        break;
    }
}

static char *field_text(const struct option *option, const void *object)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    show_field(out, option, object);
    fclose(out);
    return text;
}

static void show_section(FILE *out, enum option_section section, const void *object)
{
    for (size_t i = 0; i < option_count; i++)
        if (options[i].section == section) {
            fprintf(out, "%s=", options[i].key);
            show_field(out, &options[i], object);
            fprintf(out, "\n");
        }
}

/* All of it; the caller frees. */
static char *conf_text(const struct conf *conf)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        mem_none("a text");
    for (enum option_section s = 0; s < OPTION_SECTION_COUNT; s++)
        if (!option_section_is_named(s))
            show_section(out, s, conf);
    for (size_t i = 0; i < conf->profile_count; i++) {
        fprintf(out, "profile %s\n", conf->profiles[i].name);
        show_section(out, SECTION_PROFILE, &conf->profiles[i]);
    }
    for (size_t i = 0; i < conf->batch_count; i++) {
        fprintf(out, "batch %s\n", conf->batches[i].name);
        show_section(out, SECTION_BATCH, &conf->batches[i]);
    }
    for (size_t i = 0; i < conf->spool_count; i++) {
        fprintf(out, "spool %s\n", conf->spools[i].name);
        show_section(out, SECTION_SPOOL, &conf->spools[i]);
    }
    fclose(out);
    return text;
}

#define DEFAULTS_WITH(allow)                                                                       \
    "conninfo=\npassword_file=NULL\nschema=uploader\nsocket=/run/uploader/"                        \
    "control.sock\nname=NULL\nmax_workers=4\nmax_queued=100000\n"                                  \
    "stop_timeout=30000\nresume=true\nconfine=true\nretry_limit=5\nlog_level=6\nallow=" allow      \
    "\nread=\noperate=@"                                                                           \
    "uploader\nadmin=\nchunk_bytes=33554432\n"                                                     \
    "lanes=2\nreject_limit=1000\nmax_record=1048576\nduplicates=0\nprofile "                       \
    "contacts\ncolumns=name|email\n"                                                               \
    "header=true\nsurplus_columns=false\ndelimiter=,\nquote=\"\nreject_limit=1000\nmax_workers="   \
    "0\n"
#define DEFAULTS DEFAULTS_WITH("")

static void expect_conf(const char *path, const char *expected)
{
    struct conf conf;
    char *errors = errors_of(&conf, path);

    assert_string_equal(errors, "");
    char *text = conf_text(&conf);
    assert_string_equal(text, expected);
    free(text);
    free(errors);
    conf_fini(&conf);
}

static void test_defaults(void **state)
{
    (void)state;
    expect_conf(NULL, DEFAULTS);
    expect_conf("/dev/null", DEFAULTS);
    write_text(MAIN, "");
    expect_conf(MAIN, DEFAULTS);
    write_text(MAIN, "# nothing\n\n  ; nothing\n[upload]\n[profile contacts]\n");
    expect_conf(MAIN, DEFAULTS);
}

/* ---- values ---- */

/* A section of one key, and what is stored then. */
static const struct {
    const char *section;
    const char *key;
    const char *value;
    const char *stored;
} good[] = {
    {"database", "conninfo", "", ""},
    {"database", "conninfo", "host=x password='a;b'", "host=x password='a;b'"},
    {"database", "conninfo", "host=x\n dbname=y\n\n  # z\n\tuser=z", "host=x dbname=y user=z"},
    {"database", "conninfo", "\n  host=x\n  port=1", "host=x port=1"},
    {"database", "conninfo", "postgresql://a,\n  b/c?x=y", "postgresql://a,b/c?x=y"},
    {"database", "conninfo", "postgres://a\n  /b", "postgres://a/b"},
    {"database", "password_file", "", "NULL"},
    {"database", "schema", "a", "a"},
    {"database", "schema", "_up2$date", "_up2$date"},
    {"database", "schema", "größe", "größe"},
    {"database", "schema", "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc",
     "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"},
    {"supervisor", "socket", "/tmp/a b/c.sock", "/tmp/a b/c.sock"},
    {"supervisor", "socket", "\n   /tmp/c.sock", "/tmp/c.sock"},
    {"supervisor", "name", "", "NULL"},
    {"supervisor", "name", "North; \"1\" = ü", "North; \"1\" = ü"},
    {"supervisor", "max_workers", "1", "1"},
    {"supervisor", "max_workers", "256", "256"},
    {"supervisor", "stop_timeout", "10ms", "10"},
    {"supervisor", "stop_timeout", "500ms", "500"},
    {"supervisor", "stop_timeout", "2m", "120000"},
    {"supervisor", "stop_timeout", "7", "7000"},
    {"supervisor", "stop_timeout", "1h", "3600000"},
    {"supervisor", "resume", "no", "false"},
    {"supervisor", "resume", "yes", "true"},
    {"supervisor", "confine", "no", "false"},
    {"supervisor", "confine", "yes", "true"},
    {"supervisor", "retry_limit", "0", "0"},
    {"supervisor", "retry_limit", "1000", "1000"},
    {"supervisor", "log_level", "error", "3"},
    {"supervisor", "log_level", "warning", "4"},
    {"supervisor", "log_level", "notice", "5"},
    {"supervisor", "log_level", "info", "6"},
    {"supervisor", "log_level", "debug", "7"},
    {"files", "allow", "", ""},
    {"files", "allow", "/", "/"},
    {"files", "allow", "/a/", "/a"},
    {"files", "allow", "/a,b", "/a,b"},
    {"files", "allow", "\n    /a b\n\n    # no\n    /c=d", "/a b|/c=d"},
    {"files", "allow", "/a\n    /b", "/a|/b"},
    {"access", "read", "", ""},
    {"access", "read", "root", "root"},
    {"access", "operate", "root, @root ,0\n   @0,", "root|@root|0|@0"},
    {"access", "admin", "\n  root\n  @uploader", "root|@uploader"},
    {"upload", "chunk_bytes", "4096", "4096"},
    {"upload", "chunk_bytes", "4K", "4096"},
    {"upload", "chunk_bytes", "3M", "3145728"},
    {"upload", "chunk_bytes", "1G", "1073741824"},
    {"upload", "lanes", "1", "1"},
    {"upload", "lanes", "16", "16"},
    {"upload", "reject_limit", "0", "0"},
    {"upload", "reject_limit", "1000000000000", "1000000000000"},
    {"upload", "max_record", "16", "16"},
    {"upload", "max_record", "32M", "33554432"},
    {"upload", "duplicates", "path", "0"},
    {"upload", "duplicates", "content", "1"},
    {"upload", "duplicates", "allow", "2"},
    {"profile p", "columns", "a,b", "a|b"},
    {"profile p", "columns", "  Voller Name ,\n   E-Mail", "Voller Name|E-Mail"},
    {"profile p", "columns", "\n  b\n  a", "b|a"},
    {"profile p", "columns", "[x], =y", "[x]|=y"},
    {"profile p", "columns", "\" last, first \", \"a \"\"b\"\"\"", " last, first |a \"b\""},
    {"profile p", "columns", "2, 1", "2|1"},
    {"profile p", "columns", "03,1\nheader = no", "3|1"},
    {"profile p", "header", "yes", "true"},
    {"profile p", "header", "no", "false"},
    {"profile p", "surplus_columns", "refuse", "false"},
    {"profile p", "surplus_columns", "ignore", "true"},
    {"profile p", "delimiter", "|", "|"},
    {"profile p", "delimiter", "tab", "\t"},
    {"profile p", "delimiter", "\\t", "\t"},
    {"profile p", "delimiter", "semicolon", ";"},
    {"profile p", "delimiter", ";", ";"},
    {"profile p", "delimiter", "space", " "},
    {"profile p", "delimiter", "#", "#"},
    {"profile p", "delimiter", "=", "="},
    {"profile p", "quote", "'", "'"},
    {"profile p", "reject_limit", "7", "7"},
    {"profile p", "max_workers", "2", "2"},
    {"supervisor", "max_queued", "1", "1"},
    {"batch b", "files", "/in/*.csv", "/in/*.csv"},
    {"batch b", "files", "\n /in/[ab]?.csv\n /x y.csv", "/in/[ab]?.csv|/x y.csv"},
    {"batch b", "profile", "contacts\nfiles = /x", "contacts"},
    {"spool s", "path", "/in", "/in"},
    {"spool s", "profile", "contacts\npath = /in", "contacts"},
    {"spool s", "pattern", "*.[ct]sv\npath = /in", "*.[ct]sv"},
    {"spool s", "settle", "2m\npath = /in", "120000"},
    {"spool s", "done", "/a\npath = /in", "/a"},
    {"spool s", "failed", "/b\npath = /in", "/b"},
    {"batch b", "profile", "p\nfiles = /x\n[profile p]", "p"},
};

static const struct option *find_option(const char *section, const char *key)
{
    char kind[50] = "";

    strncat(kind, section, strcspn(section, " "));
    const struct option *option = option_find(option_section_find(kind), key);
    assert_non_null(option);
    return option;
}

static const void *find_object(const struct conf *conf, enum option_section section)
{
    if (section == SECTION_PROFILE)
        return conf_profile(conf, "p");
    if (section == SECTION_SPOOL)
        return &conf->spools[0];
    return section == SECTION_BATCH ? (const void *)&conf->batches[0] : conf;
}

static void test_good_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        const struct option *option = find_option(good[i].section, good[i].key);
        char *text = mem_format("[%s]\n%s = %s\n", good[i].section, good[i].key, good[i].value);
        struct conf conf;
        load(&conf, text);
        char *stored = field_text(option, find_object(&conf, option->section));
        assert_string_equal(stored, good[i].stored);
        free(stored);
        free(text);
        conf_fini(&conf);
    }
}

/* A section of one key, and what is said of line 2 (or the other one that is named). */
static const struct {
    const char *section;
    const char *key;
    const char *value;
    const char *error;
} bad[] = {
#define NOT_SCHEMA                                                                                 \
    "; write a name of at most 63 bytes: small letters, digits and _, no digit first, not pg_"
#define NOT_PATH "; write an absolute path of at most 96 bytes"
#define NOT_WORKERS "; write a number from 1 to 256"
#define NOT_TIME "; write a time from 10ms to 1h: a number with ms, s, m or h"
#define NOT_CHUNK "; write a size from 4K to 1G: a number, alone or with K, M or G"
#define NOT_RECORD "; write a size from 16 to 32M: a number, alone or with K, M or G"
#define NOT_RETRY "; write a number from 0 to 1000"
#define NOT_LANES "; write a number from 1 to 16"
#define NOT_REJECTS "; write a number from 0 to 1000000000000"
#define NOT_LEVEL "; write error, warning, notice, info or debug"
#define NOT_CHAR "; write one ASCII character, or tab, space or semicolon"
#define NOT_ABSOLUTE "; write the whole path, which begins with /"
#define NOT_ONE_LINE                                                                               \
    "an indented line, but this value takes one line only; begin the next key in the first column"
#define NOT_COLUMNS                                                                                \
    "; write 2 columns, a comma between or one a line, in double quotes where a comma, a quote "   \
    "or a blank at the end is part of one"
#define NOT_POSITION                                                                               \
    " is not a position, and there is no header; write positions from 1 to 16384, as 1, 2, or "    \
    "header = yes"
#define WHO                                                                                        \
    "names or numbers of users, and with an @ in front of groups, a comma between or one a line"
#define TWO_PATHS                                                                                  \
    "more than one path on a line; write each on an indented line of its own, without a comma"
#define QUOTED                                                                                     \
    "a quote before the connection string; write it without quotes around it, as host=db "         \
    "dbname=sales"
    {"database", "conninfo", "\"host=x\"", QUOTED},
    {"database", "conninfo", "'host=x'", QUOTED},
    {"database", "password_file", "secret", "\"secret\" is not an absolute path" NOT_ABSOLUTE},
    {"database", "schema", "", "there is no value" NOT_SCHEMA},
    {"database", "schema", "Up", "\"Up\" is not a name of a schema" NOT_SCHEMA},
    {"database", "schema", "1a", "\"1a\" is not a name of a schema" NOT_SCHEMA},
    {"database", "schema", "a-b", "\"a-b\" is not a name of a schema" NOT_SCHEMA},
    {"database", "schema", "\"a\"", "\"\"a\"\" is not a name of a schema" NOT_SCHEMA},
    {"database", "schema", "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd",
     "\"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd\" is too long" NOT_SCHEMA},
    {"database", "schema", "pg_x", "\"pg_x\" is a schema of PostgreSQL's own" NOT_SCHEMA},
    {"database", "schema", "information_schema",
     "\"information_schema\" is a schema of PostgreSQL's own" NOT_SCHEMA},
    {"supervisor", "socket", "", "there is no value" NOT_PATH},
    {"supervisor", "socket", "a.sock", "\"a.sock\" is not an absolute path" NOT_ABSOLUTE},
    {"supervisor", "socket", "/a/../b", "\"/a/../b\" is not a normal path; write /b"},
    {"supervisor", "socket", "/a/", "\"/a/\" is not a normal path; write /a"},
    {"supervisor", "socket", "/", "\"/\" is the root folder; write the path of a file"},
    {"supervisor", "name", "a\n  b", "3:" NOT_ONE_LINE},
    {"supervisor", "max_queued", "0", "\"0\" is too small; write a number from 1 to 10000000"},
    {"profile p", "max_workers", "257", "\"257\" is too large; write a number from 0 to 256"},
    {"supervisor", "max_workers", "", "there is no value" NOT_WORKERS},
    {"supervisor", "max_workers", "0", "\"0\" is too small" NOT_WORKERS},
    {"supervisor", "max_workers", "-1", "\"-1\" is too small" NOT_WORKERS},
    {"supervisor", "max_workers", "257", "\"257\" is too large" NOT_WORKERS},
    {"supervisor", "max_workers", "99999999999999999999",
     "\"99999999999999999999\" is too large" NOT_WORKERS},
    {"supervisor", "max_workers", "4 # four",
     "a number sign between blanks, as if a comment began; write a comment on a line of its own, "
     "and a value without them"},
    {"supervisor", "max_workers", "4 #4", "\"4 #4\" is not a whole number" NOT_WORKERS},
    {"supervisor", "max_workers", "0x4", "\"0x4\" is not a whole number" NOT_WORKERS},
    {"supervisor", "max_workers", "+4", "\"+4\" is not a whole number" NOT_WORKERS},
    {"supervisor", "max_workers", "4.0", "\"4.0\" is not a whole number" NOT_WORKERS},
    {"supervisor", "max_workers", "4\n\n  5", "4:" NOT_ONE_LINE},
    {"supervisor", "stop_timeout", "", "there is no value" NOT_TIME},
    {"supervisor", "stop_timeout", "5x", "\"5x\" is not a time" NOT_TIME},
    {"supervisor", "stop_timeout", "1.5s", "\"1.5s\" is not a time" NOT_TIME},
    {"supervisor", "stop_timeout", "30 s", "\"30 s\" is not a time" NOT_TIME},
    {"supervisor", "stop_timeout", "9ms", "\"9ms\" is too small" NOT_TIME},
    {"supervisor", "stop_timeout", "61m", "\"61m\" is too large" NOT_TIME},
    {"supervisor", "resume", "maybe", "\"maybe\" is neither; write yes or no"},
    {"supervisor", "resume", "", "there is no value; write yes or no"},
    {"supervisor", "confine", "maybe", "\"maybe\" is neither; write yes or no"},
    {"supervisor", "retry_limit", "1001", "\"1001\" is too large" NOT_RETRY},
    {"supervisor", "log_level", "loud", "\"loud\" is not a level" NOT_LEVEL},
    {"files", "allow", "data", "\"data\" is not an absolute path" NOT_ABSOLUTE},
    {"files", "allow", "/a\n  b", "3:\"b\" is not an absolute path" NOT_ABSOLUTE},
    {"files", "allow", "\n  /a\n  /b//c", "4:\"/b//c\" is not a normal path; write /b/c"},
    {"files", "allow", "/a, /b", TWO_PATHS},
    {"files", "allow", "/a /b", TWO_PATHS},
    {"upload", "chunk_bytes", "4095", "\"4095\" is too small" NOT_CHUNK},
    {"upload", "chunk_bytes", "2G", "\"2G\" is too large" NOT_CHUNK},
    {"upload", "chunk_bytes", "8MB", "\"8MB\" is not a size" NOT_CHUNK},
    {"upload", "chunk_bytes", "8m", "\"8m\" is not a size" NOT_CHUNK},
    {"upload", "chunk_bytes", "-8M", "\"-8M\" is not a size" NOT_CHUNK},
    {"upload", "chunk_bytes", "9999999999999G", "\"9999999999999G\" is not a size" NOT_CHUNK},
    {"upload", "lanes", "17", "\"17\" is too large" NOT_LANES},
    {"upload", "reject_limit", "-1", "\"-1\" is too small" NOT_REJECTS},
    {"access", "read", "a b", "\"a b\" has a blank in it; write " WHO},
    {"access", "operate", "root,,root", "a comma without a name; write " WHO},
    {"access", "admin", "\n  root\n  @", "4:an @ without a name; write " WHO},
    {"upload", "duplicates", "yes", "\"yes\" is none of the three; write path, content or allow"},
    {"upload", "max_record", "15", "\"15\" is too small" NOT_RECORD},
    {"profile p", "columns", "", "0 columns, where 2 are wanted (for name and email)" NOT_COLUMNS},
    {"profile p", "columns", "a", "1 column, where 2 are wanted (for name and email)" NOT_COLUMNS},
    {"profile p", "columns", "a,b\n  c",
     "3 columns, where 2 are wanted (for name and email)" NOT_COLUMNS},
    {"profile p", "columns", "a,,b", "a column without a name" NOT_COLUMNS},
    {"profile p", "columns", "a\n  ,b", "3:a column without a name" NOT_COLUMNS},
    {"profile p", "columns", "a, \"\"", "a column without a name" NOT_COLUMNS},
    {"profile p", "columns", "a, \"b", "a double quote is not closed on its line" NOT_COLUMNS},
    {"profile p", "columns", "\"a\" x, b", "text behind a closing quote" NOT_COLUMNS},
    {"profile p", "columns", "a, a", "\"a\" is there twice" NOT_COLUMNS},
    {"profile p", "columns", "name, email\nheader = no", "\"name\"" NOT_POSITION},
    {"profile p", "columns", "0, 1\nheader = no", "\"0\"" NOT_POSITION},
    {"profile p", "columns", "1, 16385\nheader = no", "\"16385\"" NOT_POSITION},
    {"profile p", "columns", "1, 01\nheader = no",
     "position 1 is there twice; write different positions, as 1, 2"},
    {"profile p", "header", "true", "\"true\" is neither; write yes or no"},
    {"profile p", "surplus_columns", "yes", "\"yes\" is neither; write ignore or refuse"},
    {"profile p", "delimiter", "", "there is no value" NOT_CHAR},
    {"profile p", "delimiter", "||", "\"||\" is not one ASCII character" NOT_CHAR},
    {"profile p", "delimiter", "ü", "\"ü\" is not one ASCII character" NOT_CHAR},
    {"profile p", "delimiter", "\\n", "\"\\n\" is not one ASCII character" NOT_CHAR},
    {"profile p", "delimiter", "\"",
     "delimiter and quote are the same character; write two different ones"},
    {"profile p", "quote", ",",
     "delimiter and quote are the same character; write two different ones"},
    {"profile p", "quote", "none", "\"none\" is not one ASCII character" NOT_CHAR},
    {"profile p", "reject_limit", "many", "\"many\" is not a whole number" NOT_REJECTS},
    {"spool s", "path", "in", "\"in\" is not an absolute path" NOT_ABSOLUTE},
    {"spool s", "done", "done\npath = /in", "\"done\" is not an absolute path" NOT_ABSOLUTE},
    {"spool s", "failed", "/in/\npath = /in", "\"/in/\" is not a normal path; write /in"},
    {"spool s", "pattern", "a\n  b\npath = /in", "3:" NOT_ONE_LINE},
    {"spool s", "settle", "2h\npath = /in",
     "\"2h\" is too large; write a time from 0ms to 1h: a number with ms, s, m or h"},
    {"spool s", "profile", "q\npath = /in",
     "there is no profile \"q\"; write one of contacts, or a section [profile q]"},
    {"batch b", "files", "",
     "there is no value; write absolute paths, * and ? and [...] in them, one a line"},
    {"batch b", "files", "*.csv", "\"*.csv\" is not an absolute path" NOT_ABSOLUTE},
    {"batch b", "files", "/a/*/", "\"/a/*/\" is not a normal path; write /a/*"},
    {"batch b", "profile", "q\nfiles = /x",
     "there is no profile \"q\"; write one of contacts, or a section [profile q]"},
    {"batch b", "profile", "\nfiles = /x", "there is no value; write the name of a profile"},
};

static void test_bad_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *error = bad[i].error;
        bool named = error[0] >= '3' && error[0] <= '9' && error[1] == ':';
        char *text = mem_format("[%s]\n%s = %s\n", bad[i].section, bad[i].key, bad[i].value);
        char *expected = mem_format(MAIN ":%c: %s.%s: %s\n", named ? error[0] : '2', bad[i].section,
                                    bad[i].key, named ? error + 2 : error);
        expect_errors(text, expected);
        free(expected);
        free(text);
    }
}

static void test_every_option_is_tried(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        size_t tried_good = 0;
        size_t tried_bad = 0;
        for (size_t k = 0; k < COUNT_OF(good); k++)
            tried_good += find_option(good[k].section, good[k].key) == &options[i];
        for (size_t k = 0; k < COUNT_OF(bad); k++)
            tried_bad += find_option(bad[k].section, bad[k].key) == &options[i];
        assert_true(tried_good > 0);
        assert_true(tried_bad > 0);
    }
}

static void test_long_texts(void **state)
{
    char text[400];

    (void)state;
    snprintf(text, sizeof text, "[supervisor]\nsocket = /%095d\nname = %0128d\n", 1, 1);
    struct conf conf;
    load(&conf, text);
    assert_int_equal(strlen(conf.socket), CONF_SOCKET_MAX_BYTES);
    assert_int_equal(strlen(conf.name), 128);
    conf_fini(&conf);
    snprintf(text, sizeof text, "[supervisor]\nsocket = /%096d\nname = %0129d\n", 1, 1);
    write_text(MAIN, text);
    char *errors = errors_of(&conf, MAIN);
    assert_non_null(strstr(errors, "1\" is too long" NOT_PATH "\n" MAIN ":3: supervisor.name: "));
    assert_non_null(strstr(errors, "1\" is too long; write a text of at most 128 bytes\n"));
    free(errors);
}

/* ---- lines that inih would misread, and others that are none ---- */

#define GARBAGE                                                                                    \
    "the line is neither a section nor a key with its value; write KEY = VALUE, the rest of a "    \
    "value on indented lines"
#define COMMENT                                                                                    \
    "a blank and a semicolon, which would end the value; write a comment on a line of its own, "   \
    "and a value without them"
#define FIRST_COLUMN                                                                               \
    "an indented line, and no key before it that it could go on; begin keys and sections in the "  \
    "first column"
#define BEHIND                                                                                     \
    "text behind the section's name; write [upload] on a line of its own, comments and "           \
    "keys on others"
#define OUTSIDE "the line stands before any section; write a [SECTION] above it"
#define NO_SECTION "; write [NAME], without blanks around the name or a semicolon in it"
#define UNKNOWN                                                                                    \
    "; write one of [database], [supervisor], [files], [access], [upload], [profile NAME], "       \
    "[batch NAME], "                                                                               \
    "[spool NAME]"
#define NO_NAME(kind)                                                                              \
    "; write [" kind " NAME] with one blank, the name of ASCII letters, digits and _, and "        \
    "further on also - and ."

static const struct {
    const char *text;
    const char *errors;
} traps[] = {
    /* comments */
    {"[upload]\nlanes = 4 ; four\n", MAIN ":2: upload.lanes: " COMMENT "\n"},
    {"[upload]\nlanes = 4\t;four\n", MAIN ":2: upload.lanes: " COMMENT "\n"},
    {"[upload]\nlanes ; = 4\n", MAIN ":2: upload.lanes ;: " COMMENT "\n"},
    {"[database]\nconninfo = host=x password=a ;b\n", MAIN ":2: database.conninfo: " COMMENT "\n"},
    {"[database]\nconninfo = host=x\n  password=a ;b\n",
     MAIN ":3: database.conninfo: " COMMENT "\n"},
    {"[batch b]\nfiles = /a ;b\n", MAIN ":2: batch b.files: " COMMENT "\n"},
    /* sections */
    {"[upload] ; x\n", MAIN ":1: upload: " BEHIND "\n"},
    {"[upload] lanes = 99\n", MAIN ":1: upload: " BEHIND "\n"},
    {"[upload]]\nlanes = 99\n",
     MAIN ":1: upload: " BEHIND "\n" MAIN ":2: upload.lanes: \"99\" is too large" NOT_LANES "\n"},
    {"[database]\n[upload\nlanes = 99\n  x\n[upload]\nlanes = 0\n",
     MAIN ":2: the section's name has no ] behind it; write [NAME] on a line of its own\n" MAIN
          ":6: upload.lanes: \"0\" is too small" NOT_LANES "\n"},
    {"[]\nx = 1\n", MAIN ":1: [] is no section" NO_SECTION "\n"},
    {"[ upload ]\n", MAIN ":1: [ upload ] is no section" NO_SECTION "\n"},
    {"[profile a ;b]\n", MAIN ":1: [profile a ;b] is no section" NO_SECTION "\n"},
    {"[profile abcdefghijabcdefghijabcdefghijabcdefghijab]\n",
     MAIN ":1: the section's name is 50 bytes long; write at most 49 bytes between [ and ]\n"},
    {"[uplod]\nlanes = 99\nx\n",
     MAIN ":1: uplod: there is no section \"uplod\"" UNKNOWN "\n" MAIN ":3: uplod: " GARBAGE "\n"},
    {"[Upload]\n", MAIN ":1: Upload: there is no section \"Upload\"" UNKNOWN "\n"},
    {"[upload x]\n", MAIN ":1: upload x: section upload takes no name; write [upload]\n"},
    {"[profile]\n", MAIN ":1: profile: a profile without a name; write [profile NAME]\n"},
    {"[batch a b]\n", MAIN ":1: batch a b: \"a b\" is no name for a batch" NO_NAME("batch") "\n"},
    {"[profile  a]\n",
     MAIN ":1: profile  a: \" a\" is no name for a profile" NO_NAME("profile") "\n"},
    {"[profile -a]\n",
     MAIN ":1: profile -a: \"-a\" is no name for a profile" NO_NAME("profile") "\n"},
    {"[profile a/b]\n",
     MAIN ":1: profile a/b: \"a/b\" is no name for a profile" NO_NAME("profile") "\n"},
    {"[upload]\nlanes = 1\n[files]\n[upload]\nlanes = 2\nmax_record = 1K\n", MAIN
     ":4: upload: the section is there already, in line 1; write its keys together there\n" MAIN
     ":5: upload.lanes: set already in line 2; write it once\n"},
    {"[batch b]\n", MAIN ":1: batch b.files: the batch names no files; write files =, and paths or "
                         "patterns on indented lines below\n"},
    /* indents */
    {"[database]\nconninfo = host=x\n  schema = y\n",
     MAIN ":3: database.schema: an indented key, which would be part of the value before; begin it "
          "in the first column\n"},
    {"[upload]\nlanes = 1\n [files]\n allow = /\n", MAIN
     ":3: upload.lanes: an indented section, which would be part of the value before; begin a "
     "section in the first column, and a value that begins with [ on the line of its key\n" MAIN
     ":4: upload.lanes: " NOT_ONE_LINE "\n"},
    {"[upload]\n  lanes = 1\n", MAIN ":2: upload: " FIRST_COLUMN "\n"},
    {"  lanes = 1\n", MAIN ":1: " OUTSIDE "\n"},
    {"  [upload]\nlanes = 1\n", MAIN ":1: " OUTSIDE "\n" MAIN ":2: " OUTSIDE "\n"},
    {"[upload]\nlanes = 1\n[files]\n  /a\n", MAIN ":4: files: " FIRST_COLUMN "\n"},
    {"[files]\nallow = /a\nx\n  b\n", MAIN ":3: files: " GARBAGE "\n"},
    {"[files]\nallow = /a\nallwo = /b\n  c\n",
     MAIN ":3: files.allwo: there is no such key in this section; write one of allow\n"},
    /* keys */
    {"lanes = 1\n", MAIN ":1: " OUTSIDE "\n"},
    {"[upload]\nlanes\n", MAIN ":2: upload: " GARBAGE "\n"},
    {"[upload]\n= 1\n", MAIN ":2: upload: there is no key before the =; write KEY = VALUE\n"},
    {"[upload]\nlanes: 4\n",
     MAIN ":2: upload.lanes: a colon where an equals sign has to be; write lanes = VALUE\n"},
    {"[database]\nschema:x = 4\n",
     MAIN ":2: database.schema: a colon where an equals sign has to be; write schema = VALUE\n"},
    {"[upload]\nabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij = 1\n",
     MAIN ":2: upload: the key is 50 bytes long; write a key of at most 49 bytes\n"},
    {"[upload]\nLanes = 1\n",
     MAIN ":2: upload.Lanes: there is no such key in this section; write "
          "one of chunk_bytes, lanes, reject_limit, max_record, duplicates\n"},
    {"[upload]\nresume = no\n", MAIN ":2: upload.resume: there is no such key in this section; "
                                     "write it under [supervisor]\n"},
    {"[files]\nfiles = /a\n", MAIN ":2: files.files: there is no such key in this section; "
                                   "write it under [batch NAME]\n"},
    {"[upload]\nlanes = 1\n\nlanes = 1\n",
     MAIN ":4: upload.lanes: set already in line 2; write it once\n"},
    {"[upload]\nlanes = x\nlanes = 1\n",
     MAIN ":2: upload.lanes: \"x\" is not a whole number" NOT_LANES "\n" MAIN
          ":3: upload.lanes: set already in line 2; write it once\n"},
    /* bytes */
    {"[upload]\nlanes = 1\rmax_record = 2\n", MAIN
     ":2: upload.lanes: a carriage return in the line (byte 10); end lines with LF or CR LF\n"},
    {"[upload]\r\r\n",
     MAIN ":1: a carriage return in the line (byte 9); end lines with LF or CR LF\n"},
    {"[upload]\r\nlanes = 99\r\n", MAIN ":2: upload.lanes: \"99\" is too large" NOT_LANES "\n"},
    {"[upload]\nlanes = 1\r", MAIN
     ":2: upload.lanes: a carriage return in the line (byte 10); end lines with LF or CR LF\n"},
    {"[upload]\nlanes =\v1\n", MAIN ":2: upload.lanes: a control character in the line (byte 8 is "
                                    "0x0B); write printable text only\n"},
    {"[upload]\n# \033[0m\n", MAIN ":2: upload: a control character in the line (byte 3 is 0x1B); "
                                   "write printable text only\n"},
    {"[files]\nallow = /a\n# \033\n; \xE4\n  b\n",
     MAIN ":3: files: a control character in the line (byte 3 is 0x1B); write printable text "
          "only\n" MAIN ":4: files: the line is not UTF-8 (byte 3); save the file as UTF-8\n" MAIN
          ":5: files.allow: \"b\" is not an absolute path" NOT_ABSOLUTE "\n"},
    {"[supervisor]\nname = \xE4\n",
     MAIN ":2: supervisor.name: the line is not UTF-8 (byte 8); save the file as UTF-8\n"},
    {"[upload]\n\xEF\xBB\xBFlanes = 1\n",
     MAIN ":2: upload: the line begins with an invisible character; begin it with a letter, or "
          "indent it with blanks\n"},
    {"\xEF\xBB\xBF\xEF\xBB\xBF[upload]\n",
     MAIN ":1: the line begins with an invisible character; begin it with a letter, or indent it "
          "with blanks\n"},
    {"[files]\nallow =\n\xC2\xA0 /a\n",
     MAIN ":3: files: the line begins with an invisible character; begin it with a letter, or "
          "indent it with blanks\n"},
    {"\xFF\xFE[", MAIN ": the file is in UTF-16; save it as UTF-8\n"},
    {"\xFE\xFF.[", MAIN ": the file is in UTF-16; save it as UTF-8\n"},
};

static void test_traps(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(traps); i++)
        expect_errors(traps[i].text, traps[i].errors);
}

static void test_nul(void **state)
{
    static const char text[] = "[upload]\nlanes = 1\0 0\nmax_record = 1\n";

    (void)state;
    write_bytes(MAIN, text, sizeof text - 1);
    expect_errors_of(MAIN, MAIN ":2: upload.lanes: a control character in the line (byte 10 is "
                                "0x00); write printable text only\n" MAIN
                                ":3: upload.max_record: \"1\" is too small" NOT_RECORD "\n");
}

/* 198 bytes are the most that inih takes whole, with the line feed and a NUL. */
static void test_line_length(void **state)
{
    char text[800];
    struct conf conf;

    (void)state;
    for (int comment = 0; comment < 2; comment++) {
        const char *key = comment ? "# " : "conninfo = ";
        int fill = 198 - (int)strlen(key);
        snprintf(text, sizeof text, "[database]\n%s%0*d\nschema = x\n", key, fill, 7);
        load(&conf, text);
        assert_int_equal(strlen(conf.conninfo), comment ? 0 : (size_t)fill);
        assert_string_equal(conf.schema, "x");
        conf_fini(&conf);
        snprintf(text, sizeof text, "[database]\n%s%0*d\nschema = X\n", key, fill + 1, 7);
        write_text(MAIN, text);
        char *errors = errors_of(&conf, MAIN);
        assert_non_null(strstr(errors, ": the line is 199 bytes long, which is more than 198; "));
        assert_non_null(strstr(errors, "\n" MAIN ":3: database.schema: "));
        free(errors);
    }
    snprintf(text, sizeof text, "[supervisor]\nname = ok\n%0191d=12345678901\n", 7);
    expect_errors(text, MAIN ":3: supervisor: the line is 203 bytes long, which is more than 198; "
                             "write the rest of the value on indented lines below\n");
    snprintf(text, sizeof text, "[files]\nallow =\n /%0196d\n /%0196d\n /b\n", 1, 2);
    load(&conf, text);
    assert_int_equal(conf.allow_count, 3);
    conf_fini(&conf);
    snprintf(text, sizeof text, "[database]\nconninfo = a\n  %0250d\n", 1);
    expect_errors(text, MAIN ":3: database.conninfo: the line is 252 bytes long, which is more "
                             "than 198; write the rest of the value on indented lines below\n");
}

static void test_harmless(void **state)
{
    (void)state;
    write_text(MAIN, "\xEF\xBB\xBF# bom\r\n[upload]\r\n\r\nlanes=3\r\n\t; indented\r\n"
                     "max_record\t=  2K  \r\n[database]\nconninfo=a='b;c'#d:e=f\nschema=   s");
    expect_conf(
        MAIN,
        "conninfo=a='b;c'#d:e=f\npassword_file=NULL\nschema=s\nsocket=/run/uploader/control.sock\n"
        "name=NULL\nmax_workers=4\nmax_queued=100000\nstop_timeout=30000\nresume="
        "true\nconfine=true\nretry_limit=5\n"
        "log_level=6\nallow=\nread=\noperate=@uploader\nadmin=\nchunk_bytes=33554432\nlanes="
        "3\nreject_limit=1000\n"
        "max_record=2048\nduplicates=0\nprofile contacts\ncolumns=name|email\nheader=true\n"
        "surplus_columns=false\ndelimiter=,\nquote=\"\nreject_limit=1000\nmax_workers=0\n");
}

/* Whatever is in a file: no crash, and nothing that the scan passes is read differently by inih. */
static void test_random_lines(void **state)
{
    static const char *const pieces[] = {
        "[upload]",  "[database]", "[files]",     "lanes",    "=",  " ",           "  ",
        "\n",        "\n",         "\n  ",        ";",        "#",  ":",           "[",
        "]",         "\t",         "/a",          "conninfo", "x",  "\"",          "schema",
        "\r\n",      "\r",         "4",           "allow",    "\v", "\xC3\xA4",    "\xA0",
        "[batch b]", "files",      "[profile p]", "columns",  ",",  "\xEF\xBB\xBF"};
    unsigned seed = 12345;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        char text[2000] = "";
        for (int i = 0; i < 60; i++) {
            seed = seed * 1103515245u + 12345u;
            strncat(text, pieces[(seed >> 16) % COUNT_OF(pieces)], sizeof text - strlen(text) - 1);
        }
        struct conf conf;
        write_text(MAIN, text);
        char *errors = errors_of(&conf, MAIN);
        assert_null(strstr(errors, "two ways"));
        free(errors);
        conf_fini(&conf);
    }
}

/* ---- files ---- */

static void test_no_file(void **state)
{
    (void)state;
    expect_errors_of("none.conf", "none.conf: cannot read the file: No such file or directory; "
                                  "write the file, or give the path of one that exists\n");
    expect_errors_of(".", ".: cannot read the file: Is a directory; give the path of a regular "
                          "file\n");
    assert_int_equal(mkfifo("fifo.conf", 0600), 0);
    expect_errors_of("fifo.conf", "fifo.conf: not a regular file; give the path of a regular "
                                  "file\n");
    unlink("fifo.conf");
    char *much = mem_new(1024 * 1024 + 2, 1);
    memset(much, '\n', 1024 * 1024 + 1);
    write_text("big.conf", much);
    expect_errors_of("big.conf", "big.conf: the file is longer than 1048576 bytes; write a shorter "
                                 "one, or divide it over files of conf.d\n");
    much[1024 * 1024] = '\0';
    write_text("big.conf", much);
    expect_conf("big.conf", DEFAULTS);
    unlink("big.conf");
    free(much);
}

static void test_unreadable_file(void **state)
{
    bool root = geteuid() == 0;

    (void)state;
    write_text("secret.conf", "");
    assert_int_equal(chmod("secret.conf", 0), 0);
    assert_int_equal(chmod(".", 0711), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0); /* root reads everything */
    expect_errors_of("secret.conf", "secret.conf: cannot read the file: Permission denied; let "
                                    "this user read it (with chmod or chown)\n");
    if (root)
        assert_int_equal(seteuid(0), 0);
    unlink("secret.conf");
}

static void remove_folder(void)
{
    static const char *const names[] = {"conf.d/10-a.conf", "conf.d/20-b.conf", "conf.d/.x.conf",
                                        "conf.d/readme",    "conf.d/.conf",     "conf.d/b.conf~"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        unlink(names[i]);
    rmdir("conf.d/dir.conf");
    rmdir("conf.d");
}

static void test_folder(void **state)
{
    (void)state;
    mkdir("conf.d", 0700);
    write_text(MAIN, "[upload]\nlanes = 3\nreject_limit = 9\n[files]\nallow =\n  /a\n  /b\n"
                     "[profile p]\ndelimiter = |\nquote = '\n[batch b]\nfiles = /x\n"
                     "[batch a]\nfiles = /y\nprofile = q\n[database]\nconninfo = host=x\n");
    write_text("conf.d/20-b.conf", "[upload]\nlanes = 5\n[profile p]\nreject_limit = 1\n"
                                   "[batch c]\nfiles = /z\n[database]\nconninfo =\n");
    write_text("conf.d/10-a.conf", "[upload]\nlanes = 4\nmax_record = 2M\n[files]\nallow = /c\n"
                                   "[profile q]\nheader = no\n[batch b]\nprofile = p\n");
    write_text("conf.d/.x.conf", "garbage");
    write_text("conf.d/readme", "garbage");
    write_text("conf.d/.conf", "garbage");
    write_text("conf.d/b.conf~", "garbage");
    expect_conf(
        MAIN,
        "conninfo=\npassword_file=NULL\nschema=uploader\nsocket=/run/uploader/"
        "control.sock\nname=NULL\nmax_workers=4\nmax_queued=100000\n"
        "stop_timeout=30000\nresume=true\nconfine=true\nretry_limit=5\nlog_level=6\nallow=/c\n"
        "read=\noperate=@uploader\nadmin=\n"
        "chunk_bytes=33554432\nlanes=5\nreject_limit=9\nmax_record=2097152\nduplicates=0\n"
        "profile contacts\ncolumns=name|email\nheader=true\nsurplus_columns=false\ndelimiter=,\n"
        "quote=\"\nreject_limit=9\nmax_workers=0\n"
        "profile p\ncolumns=name|email\nheader=true\nsurplus_columns=false\ndelimiter=|\nquote='\n"
        "reject_limit=1\nmax_workers=0\n"
        "profile q\ncolumns=1|2\nheader=false\nsurplus_columns=false\ndelimiter=,\nquote=\"\n"
        "reject_limit=9\nmax_workers=0\n"
        "batch b\nfiles=/x\nprofile=p\nbatch a\nfiles=/y\nprofile=q\n"
        "batch c\nfiles=/z\nprofile=contacts\n");
    remove_folder();
}

/* A mistake in one file is seen also where another file overrides it, and what files together make
 * wrong is said where it was written last. */
static void test_folder_errors(void **state)
{
    (void)state;
    mkdir("conf.d", 0700);
    mkdir("conf.d/dir.conf", 0700);
    write_text(MAIN, "[batch a]\nfiles = /y\nprofile = q\n[profile p]\ndelimiter = |\n[upload]\n"
                     "lanes = x\n");
    write_text("conf.d/10-a.conf", "[upload]\nlanes = 1\n[profile p]\nquote = |\n");
    write_text("conf.d/20-b.conf", "[upload]\nlanes = 1\nlanes = 2\n");
    expect_errors_of(
        MAIN,
        MAIN ":3: batch a.profile: there is no profile \"q\"; write one of contacts, p, or a "
             "section [profile q]\n" MAIN
             ":5: profile p.delimiter: delimiter and quote are the same character; write two "
             "different ones\n" MAIN ":7: upload.lanes: \"x\" is not a whole number" NOT_LANES "\n"
             "conf.d/20-b.conf:3: upload.lanes: set already in line 2; write it once\n"
             "conf.d/dir.conf: cannot read the file: Is a directory; give the path of a regular "
             "file\n");
    remove_folder();
    write_text("conf.d", "");
    expect_errors("", "conf.d: cannot read the folder: Not a directory; make it a folder that this "
                      "user may read, or take it away\n");
    unlink("conf.d");
}

static void test_folder_beside(void **state)
{
    (void)state;
    char *path = mem_format("%s/" MAIN, folder);
    char *expected = mem_format("%s/conf.d/10-a.conf:1: " OUTSIDE "\n", folder);

    write_text(MAIN, "");
    mkdir("conf.d", 0700);
    write_text("conf.d/10-a.conf", "x");
    expect_errors_of(path, expected);
    remove_folder();
    free(path);
    free(expected);
}

/* One file with all kinds of mistakes: each is there, in the order of the lines. */
static void test_all_at_once(void **state)
{
    (void)state;
    expect_errors(
        "lanes = 3\n"
        "[database] ; here\n"
        "conninfo = host=x password=hidden\n"
        "  schema = y\n"
        "schema = pg_x\n"
        "[batch late]\n"
        "profile = none\n"
        "[upload]\n"
        "lanes = 3 ; three\n"
        "chunk_bytes = 1K\n"
        "bogus = 4\n"
        "[uplod]\n"
        "lanes = 99\n"
        "[profile p]\n"
        "header = no\n"
        "columns = a, b\n"
        "quote = ,\n"
        "[files\n",
        MAIN ":1: " OUTSIDE "\n" MAIN
             ":2: database: text behind the section's name; write [database] on a line of its own, "
             "comments and keys on others\n" MAIN
             ":4: database.schema: an indented key, which would be part of the value before; begin "
             "it in the first column\n" MAIN
             ":5: database.schema: \"pg_x\" is a schema of PostgreSQL's own" NOT_SCHEMA "\n" MAIN
             ":6: batch late.files: the batch names no files; write files =, and paths or patterns "
             "on indented lines below\n" MAIN
             ":7: batch late.profile: there is no profile \"none\"; write one of contacts, p, or a "
             "section [profile none]\n" MAIN ":9: upload.lanes: " COMMENT "\n" MAIN
             ":10: upload.chunk_bytes: \"1K\" is too small" NOT_CHUNK "\n" MAIN
             ":11: upload.bogus: there is no such key in this section; write one of chunk_bytes, "
             "lanes, reject_limit, max_record, duplicates\n" MAIN
             ":12: uplod: there is no section \"uplod\"" UNKNOWN "\n" MAIN
             ":16: profile p.columns: \"a\"" NOT_POSITION "\n" MAIN
             ":17: profile p.quote: delimiter and quote are the same character; write two "
             "different ones\n" MAIN
             ":18: the section's name has no ] behind it; write [NAME] on a line of its own\n");
}

static void test_no_secret_is_shown(void **state)
{
    static const char *const texts[] = {
        "[database]\nconninfo = \"password=hidden\"\n",
        "[database]\nconninfo = host=x\npassword=hidden\n",
        "[database]\nconninfo = host=x\n password=hidden ;x\n",
        "[database]\nconninfo = password=hidden\x01\n",
        "[database]\nconninfo = host=x\nhidden\n",
        "[database]\nconninfo =\npostgresql://u:hidden@h/d\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct conf conf;
        write_text(MAIN, texts[i]);
        char *errors = errors_of(&conf, MAIN);
        assert_true(strlen(errors) > 0);
        assert_null(strstr(errors, "hidden"));
        free(errors);
    }
}

static void test_profiles(void **state)
{
    struct conf conf;

    (void)state;
    load(&conf, "[profile contacts]\ndelimiter = tab\n[profile a.b-c_1]\n");
    assert_int_equal(conf.profile_count, 2);
    assert_int_equal(conf_profile(&conf, "contacts")->delimiter, '\t');
    assert_int_equal(conf_profile(&conf, "a.b-c_1")->delimiter, ',');
    assert_null(conf_profile(&conf, "a"));
    conf_fini(&conf);
    assert_null(conf_profile(&conf, "contacts"));
}

/* ---- spools that get into each other's way ---- */

#define ONCE_MORE "; what is moved there would be uploaded once more; write another folder\n"

static const struct {
    const char *text;
    const char *errors;
} spools[] = {
    {"[spool a]\npath = /in\npattern = *.txt\n[spool b]\npattern = *.txt\npath = /in\n",
     MAIN ":6: spool b.path: \"/in\" is the path of [spool a], too, with the same pattern; write "
          "another folder\n"},
    {"[spool a]\npath = /in/done\n[spool b]\npath = /in\n",
     MAIN ":2: spool a.path: \"/in/done\" is the folder done of [spool b]" ONCE_MORE},
    {"[spool a]\npath = /in\nfailed = /more\n[spool b]\npath = /more\n",
     MAIN ":5: spool b.path: \"/more\" is the folder failed of [spool a]" ONCE_MORE},
    {"[spool a]\npath = /in\ndone = /in\nfailed = /in\n",
     MAIN ":3: spool a.done: \"/in\" is the path of the spool itself" ONCE_MORE MAIN
          ":4: spool a.failed: \"/in\" is the path of the spool itself" ONCE_MORE},
    /* what has no path says only that */
    {"[spool a]\n[spool b]\npath = in\n",
     MAIN ":1: spool a.path: the spool has no path; write path = and the folder in which its files "
          "arrive\n" MAIN ":3: spool b.path: \"in\" is not an absolute path" NOT_ABSOLUTE "\n"},
    /* what is all right: patterns of one folder, folders of two for the same, a spool below another
     */
    {"[spool a]\npath = /in\n[spool b]\npattern = *.txt\npath = /in\n", ""},
    {"[spool a]\npath = /in\ndone = /out\nfailed = /out\n"
     "[spool b]\npath = /in/b\ndone = /out\n[spool c]\npath = /in/done/c\n",
     ""},
};

static void test_spools(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(spools); i++)
        expect_errors(spools[i].text, spools[i].errors);
}

/* ---- units ---- */

static void test_units(void **state)
{
    char text[UNITS_TEXT_BYTES];
    int64_t value;

    (void)state;
    assert_true(units_parse_bytes("8589934591G", &value));
    assert_int_equal(value, INT64_C(8589934591) << 30);
    assert_false(units_parse_bytes("8589934592G", &value));
    assert_false(units_parse_bytes("", &value));
    assert_false(units_parse_bytes("K", &value));
    assert_false(units_parse_bytes("1 K", &value));
    assert_false(units_parse_ms("1S", &value));
    assert_string_equal(units_print_bytes(text, 0), "0");
    assert_string_equal(units_print_bytes(text, 1536), "1536");
    assert_string_equal(units_print_bytes(text, 1 << 20), "1M");
    assert_string_equal(units_print_ms(text, 0), "0ms");
    assert_string_equal(units_print_ms(text, 1500), "1500ms");
    assert_string_equal(units_print_ms(text, 90000), "90s");
    assert_string_equal(units_print_ms(text, 7200000), "2h");
}

/* ---- documents ---- */

static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    print(out);
    fclose(out);
    return text;
}

/* In place: takes the # from lines that have no blank, or more than one, behind it. */
static void uncomment(char *text)
{
    char *to = text;

    for (const char *line = text; *line;) {
        size_t size = strcspn(line, "\n") + 1;
        size_t skip = line[0] == '#' && (line[1] != ' ' || line[2] == ' ') ? 1 : 0;
        memmove(to, line + skip, size - skip);
        to += size - skip;
        line += size;
    }
    *to = '\0';
}

static void test_sample(void **state)
{
    char *sample = printed(options_print_sample);

    (void)state;
    write_text(MAIN, sample);
    expect_conf(MAIN, DEFAULTS);
    uncomment(sample);
    write_text(MAIN, sample);
    expect_conf(
        MAIN,
        DEFAULTS_WITH(
            "/srv/spool") "batch daily\nfiles=/srv/uploads/*.csv\nprofile=contacts\n"
                          "spool "
                          "daily\npath=/srv/spool\nprofile=contacts\npattern=*.csv\nsettle=5000\n"
                          "done=/srv/spool/done\nfailed=/srv/spool/failed\n");
    for (size_t i = 0; i < option_count; i++) {
        char *key = mem_format("\n%s =", options[i].key);
        assert_non_null(strstr(sample, key));
        free(key);
    }
    free(sample);
}

static void test_markdown(void **state)
{
    char *text = printed(options_print_markdown);

    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        char *row = mem_format("\n| `%s` | ", options[i].key);
        assert_non_null(strstr(text, row));
        assert_non_null(strstr(text, options[i].help));
        free(row);
    }
    free(text);
}

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    (void)state;
    unlink(MAIN);
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_good_values),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_every_option_is_tried),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_traps),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_line_length),
        cmocka_unit_test(test_harmless),
        cmocka_unit_test(test_random_lines),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_unreadable_file),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_folder_errors),
        cmocka_unit_test(test_folder_beside),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_no_secret_is_shown),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_spools),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_markdown),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
