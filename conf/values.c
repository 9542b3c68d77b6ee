/* SPDX-License-Identifier: PostgreSQL */
/* The types of options: one function each, in one table. */
#include "conf/values.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/profile.h"
#include "base/text.h"
#include "conf/columns.h"
#include "conf/conf.h"
#include "conf/paths.h"
#include "conf/units.h"
#include "conf/who.h"

#include <stdlib.h>
#include <string.h>

/* What a type's function works on. */
struct storing {
    const struct option *option;
    char **lines;
    size_t count;
    const char *text; /* of a type that takes one line: that line */
    void *object;
    size_t fault; /* out: the line, of `lines`, that is wrong */
    struct error *err;
};

static void *field(const struct storing *s)
{
    return (char *)s->object + s->option->at;
}

static void put_text(const struct storing *s, char *text)
{
    char **to = field(s);

    free(*to);
    *to = text;
}

/* The value is wrong in the way that its message says; what to write is told by the type. */
static int refuse(const struct storing *s, int rc)
{
    char what[VALUE_TEXT_BYTES];

    error_hint(s->err, "write %s", value_describe(what, s->option));
    return rc;
}

static int refuse_text(const struct storing *s, const char *what)
{
    if (s->text[0] == '\0')
        return refuse(s, error_set(s->err, ERR_CONFIG, "there is no value"));
    return refuse(s, error_set(s->err, ERR_CONFIG, "\"%s\" is %s", s->text, what));
}

static int check_bounds(const struct storing *s, int64_t number)
{
    if (number < s->option->min)
        return refuse_text(s, "too small");
    if (number > s->option->max)
        return refuse_text(s, "too large");
    *(int64_t *)field(s) = number;
    return 0;
}

static int store_number(struct storing *s)
{
    size_t sign = s->text[0] == '-';
    size_t digits = strspn(s->text + sign, "0123456789");
    int64_t number;

    if (digits == 0 || s->text[sign + digits])
        return refuse_text(s, "not a whole number");
    if (!text_to_int64(s->text, INT64_MIN, INT64_MAX, &number))
        return refuse_text(s, sign ? "too small" : "too large");
    return check_bounds(s, number);
}

static int store_size(struct storing *s)
{
    int64_t bytes;

    return units_parse_bytes(s->text, &bytes) ? check_bounds(s, bytes)
                                              : refuse_text(s, "not a size");
}

static int store_time(struct storing *s)
{
    int64_t ms;

    return units_parse_ms(s->text, &ms) ? check_bounds(s, ms) : refuse_text(s, "not a time");
}

static int store_flag(struct storing *s)
{
    for (int i = 0; i < 2; i++)
        if (strcmp(s->text, s->option->words[i]) == 0) {
            *(bool *)field(s) = i;
            return 0;
        }
    return refuse_text(s, "neither");
}

static int store_level(struct storing *s)
{
#define X(name, word, number)                                                                      \
    if (strcmp(s->text, word) == 0) {                                                              \
        *(enum log_level *)field(s) = name;                                                        \
        return 0;                                                                                  \
    }
    LOG_LEVELS(X)
#undef X
    return refuse_text(s, "not a level");
}

static int store_duplicates(struct storing *s)
{
#define X(name, word)                                                                              \
    if (strcmp(s->text, word) == 0) {                                                              \
        *(enum duplicates *)field(s) = name;                                                       \
        return 0;                                                                                  \
    }
    DUPLICATES(X)
#undef X
    return refuse_text(s, "none of the three");
}

static int store_char(struct storing *s)
{
    if (profile_word_parse(s->text, field(s)))
        return 0;
    if (strlen(s->text) != 1 || (unsigned char)s->text[0] > 0x7F)
        return refuse_text(s, "not one ASCII character");
    *(char *)field(s) = s->text[0];
    return 0;
}

static int store_text(struct storing *s)
{
    if (strlen(s->text) > (size_t)s->option->max)
        return refuse_text(s, "too long");
    put_text(s, s->text[0] ? mem_dup(s->text) : NULL);
    return 0;
}

/* Every byte that PostgreSQL takes in a name without quotes, so that people can type it in psql;
 * capitals would be folded there. */
static bool is_identifier(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || *c == '_' || *c >= 0x80;
        bool inner = (*c >= '0' && *c <= '9') || *c == '$';
        if (!letter && !(inner && c != (const unsigned char *)text))
            return false;
    }
    return text[0] != '\0';
}

static int store_schema(struct storing *s)
{
    if (!is_identifier(s->text))
        return refuse_text(s, "not a name of a schema");
    if (strlen(s->text) > (size_t)s->option->max)
        return refuse_text(s, "too long");
    if (strncmp(s->text, "pg_", 3) == 0 || strcmp(s->text, "information_schema") == 0)
        return refuse_text(s, "a schema of PostgreSQL's own");
    put_text(s, mem_dup(s->text));
    return 0;
}

static int store_profile(struct storing *s)
{
    if (s->text[0] == '\0')
        return refuse_text(s, "");
    put_text(s, mem_dup(s->text)); /* that there is such a profile is known at the end only */
    return 0;
}

static int store_path(struct storing *s)
{
    const char *fallback = s->option->fallback;
    char *path;
    int rc;

    if (s->text[0] == '\0' && fallback && fallback[0] == '\0') {
        put_text(s, NULL);
        return 0;
    }
    if (s->text[0] == '\0')
        return refuse_text(s, "");
    if (strlen(s->text) > (size_t)s->option->max)
        return refuse_text(s, "too long");
    rc = path_parse(s->text, PATH_OF_FILE, &path, s->err);
    if (rc == 0)
        put_text(s, path);
    return rc;
}

/* A URI has no blanks, so its lines are joined as they are. The text is in no message: it may
 * hold a password. */
static int store_conninfo(struct storing *s)
{
    bool uri = strncmp(s->lines[0], "postgresql://", 13) == 0 ||
               strncmp(s->lines[0], "postgres://", 11) == 0;
    char *all = mem_dup(s->lines[0]);

    for (size_t i = 1; i < s->count; i++) {
        char *longer = mem_format("%s%s%s", all, uri ? "" : " ", s->lines[i]);
        free(all);
        all = longer;
    }
    if (all[0] == '"' || all[0] == '\'') {
        free(all);
        error_set(s->err, ERR_CONFIG, "a quote before the connection string");
        return error_hint(s->err, "write it without quotes around it, as host=db dbname=sales");
    }
    put_text(s, all);
    return 0;
}

static int store_paths(struct storing *s, enum path_kind kind)
{
    char ***to = field(s);
    size_t *to_count = (size_t *)(void *)((char *)s->object + s->option->count_at);
    bool none = s->count == 1 && s->lines[0][0] == '\0';
    size_t count = none ? 0 : s->count;
    char **paths = mem_new(count, sizeof *paths);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        s->fault = i;
        rc = path_parse(s->lines[i], kind, &paths[i], s->err);
    }
    char **drop = rc < 0 ? paths : *to;
    size_t drop_count = rc < 0 ? count : *to_count;
    for (size_t i = 0; i < drop_count; i++)
        free(drop[i]);
    free(drop);
    if (rc < 0)
        return rc;
    *to = paths;
    *to_count = count;
    return 0;
}

static int store_who(struct storing *s)
{
    struct who_list list;
    int rc = who_parse(s->lines, s->count, &list, &s->fault, s->err);

    if (rc < 0)
        return refuse(s, rc);
    who_fini(field(s));
    *(struct who_list *)field(s) = list;
    return 0;
}

static int store_folders(struct storing *s)
{
    return store_paths(s, PATH_OF_FOLDER);
}

static int store_patterns(struct storing *s)
{
    s->text = s->lines[0];
    return s->count == 1 && s->text[0] == '\0' ? refuse_text(s, "") : store_paths(s, PATH_OF_FILE);
}

static int store_columns(struct storing *s)
{
    char *columns[PROFILE_COLUMNS];
    char **to = field(s);
    int rc = columns_parse(s->lines, s->count, columns, &s->fault, s->err);

    if (rc < 0)
        return refuse(s, rc);
    for (int i = 0; i < PROFILE_COLUMNS; i++) {
        free(to[i]);
        to[i] = columns[i];
    }
    return 0;
}

static const struct {
    int (*store)(struct storing *s);
    bool many; /* takes more lines than one */
} types[] = {
    [OPTION_TEXT] = {store_text, false},
    [OPTION_CONNINFO] = {store_conninfo, true},
    [OPTION_SCHEMA] = {store_schema, false},
    [OPTION_PATH] = {store_path, false},
    [OPTION_PROFILE] = {store_profile, false},
    [OPTION_NUMBER] = {store_number, false},
    [OPTION_SIZE] = {store_size, false},
    [OPTION_TIME] = {store_time, false},
    [OPTION_FLAG] = {store_flag, false},
    [OPTION_LEVEL] = {store_level, false},
    [OPTION_DUPLICATES] = {store_duplicates, false},
    [OPTION_CHAR] = {store_char, false},
    [OPTION_WHO] = {store_who, true},
    [OPTION_FOLDERS] = {store_folders, true},
    [OPTION_PATTERNS] = {store_patterns, true},
    [OPTION_COLUMNS] = {store_columns, true},
};

size_t value_skip(const struct value *value)
{
    return value->count > 1 && value->lines[0][0] == '\0' ? 1 : 0;
}

int value_store(const struct value *value, void *object, size_t *fault, struct error *err)
{
    size_t skip = value_skip(value);
    struct storing s = {
        .option = value->option,
        .lines = value->lines + skip,
        .count = value->count - skip,
        .text = value->lines[skip],
        .object = object,
        .err = err,
    };
    int rc;

    if (s.count > 1 && !types[value->option->type].many) {
        s.fault = 1;
        rc = error_set(err, ERR_CONFIG, "an indented line, but this value takes one line only");
        error_hint(err, "begin the next key in the first column");
    } else {
        rc = types[value->option->type].store(&s);
    }
    *fault = s.fault + skip;
    return rc;
}

static void describe_range(char *out, const struct option *option)
{
    char min[UNITS_TEXT_BYTES];
    char max[UNITS_TEXT_BYTES];

    if (option->type == OPTION_SIZE)
        snprintf(out, VALUE_TEXT_BYTES, "a size from %s to %s: a number, alone or with K, M or G",
                 units_print_bytes(min, option->min), units_print_bytes(max, option->max));
    else
        snprintf(out, VALUE_TEXT_BYTES, "a time from %s to %s: a number with ms, s, m or h",
                 units_print_ms(min, option->min), units_print_ms(max, option->max));
}

char *value_describe(char out[VALUE_TEXT_BYTES], const struct option *option)
{
    const char *what = NULL;

    switch (option->type) {
    case OPTION_TEXT:
        snprintf(out, VALUE_TEXT_BYTES, "a text of at most %d bytes", (int)option->max);
        break;
    case OPTION_PATH:
        snprintf(out, VALUE_TEXT_BYTES, "an absolute path of at most %d bytes", (int)option->max);
        break;
    case OPTION_NUMBER:
        snprintf(out, VALUE_TEXT_BYTES, "a number from %lld to %lld", (long long)option->min,
                 (long long)option->max);
        break;
    case OPTION_SIZE:
    case OPTION_TIME:
        describe_range(out, option);
        break;
    case OPTION_FLAG:
        snprintf(out, VALUE_TEXT_BYTES, "%s or %s", option->words[1], option->words[0]);
        break;
    case OPTION_COLUMNS:
        snprintf(out, VALUE_TEXT_BYTES,
                 "%d columns, a comma between or one a line, in double quotes where a comma, a "
                 "quote or a blank at the end is part of one",
                 PROFILE_COLUMNS);
        break;
    case OPTION_CONNINFO:
        what = "a connection string or URI of libpq";
        break;
    case OPTION_SCHEMA:
        what = "a name of at most 63 bytes: small letters, digits and _, no digit first, not pg_";
        break;
    case OPTION_PROFILE:
        what = "the name of a profile";
        break;
    case OPTION_LEVEL:
        what = "error, warning, notice, info or debug";
        break;
    case OPTION_DUPLICATES:
        what = "path, content or allow";
        break;
    case OPTION_CHAR:
        what = "one ASCII character, or tab, space or semicolon";
        break;
    case OPTION_WHO:
        what = "names or numbers of users, and with an @ in front of groups, a comma between or "
               "one a line";
        break;
    case OPTION_FOLDERS:
        what = "absolute paths of folders, one a line";
        break;
    case OPTION_PATTERNS:
        what = "absolute paths, * and ? and [...] in them, one a line";
        break;
    }
    if (what)
        snprintf(out, VALUE_TEXT_BYTES, "%s", what);
    return out;
}
