/* SPDX-License-Identifier: PostgreSQL */
/* A configuration of any bytes: read, or refused with errors that name file and line. What is read
 * is within the bounds of the options' table; it is the same with a BOM and CR LF, with comments
 * between its lines, and from conf.d; and a password is never in an error.
 *
 * The first byte chooses which of these is tried, and whether and which conninfo with a
 * password is put into the middle; the others are the file. */
#include "base/mem.h"
#include "base/text.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "db/conn.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scratch.h"

#include <string.h>

#define SECRET "Xyz%7Secret"
static const char *const with_secret[4] = {
    "\n[database]\nconninfo = user=me password=" SECRET,
    "\n[database]\nconninfo = 'password=" SECRET,
    "\n[database]\nconninfo = postgresql://me:" SECRET,
    "\n[database]\nconninfo =\n  host=there\n  password='" SECRET,
};

static struct scratch main_file, second_file;

/* ---- what was read, as text ---- */

static void show_list(FILE *out, char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(out, "|%s", list[i]);
}

static void show_who(FILE *out, const struct who_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        fprintf(out, "%s%s%s", i ? "|" : "", list->items[i].group ? "@" : "", list->items[i].name);
}

static void show_text(FILE *out, const struct option *option, const char *text)
{
    DEMAND(text || option->type == OPTION_TEXT || option->type == OPTION_PATH);
    if (text && option->max > 0)
        DEMAND(strlen(text) <= (size_t)option->max);
    if (text && option->type == OPTION_PATH)
        DEMAND(text_path_is_normal(text));
    fprintf(out, "%s", text ? text : "NULL");
}

static void show_number(FILE *out, const struct option *option, int64_t number)
{
    DEMAND(number >= option->min && number <= option->max);
    fprintf(out, "%lld", (long long)number);
}

static void show_option(FILE *out, const struct option *option, const void *object)
{
    const void *field = (const char *)object + option->at;

    fprintf(out, "%s=", option->key);
    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_CONNINFO:
    case OPTION_SCHEMA:
    case OPTION_PATH:
    case OPTION_PROFILE:
        show_text(out, option, *(char *const *)field);
        break;
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_TIME:
        show_number(out, option, *(const int64_t *)field);
        break;
    case OPTION_FLAG:
        fprintf(out, "%d", *(const bool *)field);
        break;
    case OPTION_LEVEL:
        fprintf(out, "%d", (int)*(const enum log_level *)field);
        break;
    case OPTION_DUPLICATES:
        fprintf(out, "%d", (int)*(const enum duplicates *)field);
        break;
    case OPTION_CHAR:
        DEMAND((unsigned char)*(const char *)field < 0x80);
        fprintf(out, "%d", *(const char *)field);
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
    fputc('\n', out);
}

static void show_section(FILE *out, enum option_section section, const void *object)
{
    for (size_t i = 0; i < option_count; i++)
        if (options[i].section == section)
            show_option(out, &options[i], object);
}

static void show_profile(FILE *out, const struct profile *profile)
{
    int64_t position;

    DEMAND(profile->delimiter != profile->quote);
    DEMAND(strcmp(profile->columns[0], profile->columns[1]) != 0);
    for (int i = 0; i < PROFILE_COLUMNS && !profile->header; i++)
        DEMAND(text_to_int64(profile->columns[i], 1, INT32_MAX, &position));
    fprintf(out, "profile %s\n", profile->name);
    show_section(out, SECTION_PROFILE, profile);
}

static void show_conf(FILE *out, const struct conf *conf)
{
    DEMAND(conf_profile(conf, PROFILE_BUILT_IN));
    for (enum option_section s = 0; s < OPTION_SECTION_COUNT; s++)
        if (!option_section_is_named(s))
            show_section(out, s, conf);
    for (size_t i = 0; i < conf->allow_count; i++)
        DEMAND(conf->allow[i][0] == '/');
    for (size_t i = 0; i < conf->profile_count; i++)
        show_profile(out, &conf->profiles[i]);
    for (size_t i = 0; i < conf->batch_count; i++) {
        DEMAND(conf->batches[i].file_count > 0);
        DEMAND(conf_profile(conf, conf->batches[i].profile));
        fprintf(out, "batch %s\n", conf->batches[i].name);
        show_section(out, SECTION_BATCH, &conf->batches[i]);
    }
    for (size_t i = 0; i < conf->spool_count; i++) {
        fprintf(out, "spool %s\n", conf->spools[i].name);
        show_section(out, SECTION_SPOOL, &conf->spools[i]);
    }
}

/* ---- reading it ---- */

/* What reading two files came to. */
struct outcome {
    char *shown;  /* NULL: it was refused */
    char *errors; /* warnings among them */
    size_t refusals;
};

static void outcome_fini(struct outcome *outcome)
{
    free(outcome->shown);
    free(outcome->errors);
}

/* What only a warning begins with, behind its place. */
static const char warning[] = " files.allow: warning: ";

/* Each line is "FILE: ..." or "FILE:LINE: ...", says something after it, and is text. */
static size_t count_refusals(const char *errors, const char *first, const char *second)
{
    size_t count = 0;

    DEMAND(text_utf8_valid(errors, strlen(errors)) == strlen(errors));
    for (const char *line = errors; *line; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n');
        DEMAND(end);
        for (const char *c = line; c < end; c++)
            DEMAND((unsigned char)*c >= 0x20 && *c != 0x7F);
        bool is_first = strncmp(line, first, strlen(first)) == 0;
        DEMAND(is_first || strncmp(line, second, strlen(second)) == 0);
        const char *rest = line + strlen(is_first ? first : second);
        DEMAND(rest[0] == ':');
        rest += strspn(rest + 1, "0123456789") + 1;
        rest += *rest == ':';
        DEMAND(*rest == ' ' && rest + 2 < end);
        count += strncmp(rest, warning, sizeof warning - 1) != 0;
    }
    return count;
}

static struct outcome read_conf(void)
{
    struct outcome outcome = {.refusals = 0};
    struct conf conf;
    size_t size;
    FILE *errors = open_memstream(&outcome.errors, &size);
    int rc = conf_load(&conf, main_file.path, db_conninfo_check, errors);

    fclose(errors);
    outcome.refusals = count_refusals(outcome.errors, main_file.path, second_file.path);
    DEMAND((rc < 0) == (outcome.refusals > 0) && (rc == 0 || rc == -(int)ERR_CONFIG));
    if (rc == 0) {
        FILE *shown = open_memstream(&outcome.shown, &size);
        show_conf(shown, &conf);
        fclose(shown);
    }
    conf_fini(&conf);
    return outcome;
}

/* ---- the same in other words ---- */

enum variant { AS_IS, WITH_CR_LF, WITH_COMMENTS, IN_FOLDER };

static void write_lines(FILE *out, const char *data, size_t size, enum variant variant)
{
    if (variant == WITH_CR_LF)
        fputs("\xEF\xBB\xBF", out);
    while (size > 0) {
        const char *end = memchr(data, '\n', size);
        size_t length = end ? (size_t)(end - data) : size;
        fwrite(data, 1, length, out);
        if (end)
            fputs(variant == WITH_CR_LF ? "\r\n" : "\n", out);
        if (end && variant == WITH_COMMENTS)
            fputs("# a comment\n\n;\n", out);
        length += end != NULL;
        data += length;
        size -= length;
    }
}

/* Has it what makes the variant another file: a CR before a line's end, a BOM, UTF-16's? */
static bool is_variable(const char *data, size_t size, enum variant variant)
{
    if (variant != WITH_CR_LF)
        return true;
    return !memchr(data, '\r', size) && (size == 0 || (unsigned char)data[0] < 0x80);
}

static void check_variant(const char *data, size_t size, enum variant variant,
                          const struct outcome *plain)
{
    char *text = NULL;
    size_t text_size;

    if (!is_variable(data, size, variant))
        return;
    FILE *out = open_memstream(&text, &text_size);
    write_lines(out, data, size, variant);
    fclose(out);
    scratch_write(variant == IN_FOLDER ? &second_file : &main_file, text, text_size);
    if (variant == IN_FOLDER)
        scratch_write(&main_file, "", 0);
    struct outcome other = read_conf();
    DEMAND(!plain->shown == !other.shown && plain->refusals == other.refusals);
    DEMAND(!plain->shown || strcmp(plain->shown, other.shown) == 0);
    outcome_fini(&other);
    free(text);
}

/* A conninfo in the middle of it; what follows may go on with its line. */
static char *put_secret(const char *conninfo, const uint8_t *data, size_t *size)
{
    size_t half = *size / 2;
    size_t more = strlen(conninfo);
    char *text = mem_new(*size + more, 1);

    if (half > 0)
        memcpy(text, data, half);
    memcpy(text + half, conninfo, more);
    if (*size > half)
        memcpy(text + half + more, data + half, *size - half);
    *size += more;
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input_bytes in = {data, size};
    unsigned how = choose(&in);
    char *text;

    if (!main_file.path) {
        main_file = scratch_open("main.conf");
        second_file = scratch_open("conf.d/a.conf");
    }
    size = in.size;
    if (how & 4) {
        text = put_secret(with_secret[how >> 3 & 3], in.data, &size);
    } else {
        text = mem_new(size + 1, 1);
        if (size > 0)
            memcpy(text, in.data, size);
    }
    scratch_write(&main_file, text, size);
    scratch_write(&second_file, "", 0);
    struct outcome plain = read_conf();
    if (!memmem(in.data, in.size, SECRET, strlen(SECRET))) /* libFuzzer learns such words */
        DEMAND(!strstr(plain.errors, SECRET));
    check_variant(text, size, (enum variant)(how & 3), &plain);
    outcome_fini(&plain);
    free(text);
    return 0;
}
