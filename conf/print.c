/* SPDX-License-Identifier: PostgreSQL */
/* The documents that are printed from the table of options. */
#include "conf/conf.h"
#include "conf/options.h"
#include "conf/values.h"

#include <string.h>

#define WIDTH 96
#define EXAMPLE_NAME "daily"

/* A text broken at blanks, behind `first` on its first line and `next` on the others. */
static void print_wrapped(FILE *out, const char *first, const char *next, const char *text)
{
    const char *prefix = first;
    size_t room = WIDTH - strlen(first);

    while (*text) {
        size_t size = strlen(text);
        if (size > room) {
            size = room;
            while (size > 0 && text[size] != ' ')
                size--;
        }
        if (size == 0)
            size = strcspn(text, " ");
        fprintf(out, "%s%.*s\n", prefix, (int)size, text);
        text += size;
        text += strspn(text, " ");
        prefix = next;
    }
}

static void print_comment(FILE *out, const char *text)
{
    print_wrapped(out, "# ", "# ", text);
}

/* ---- docs/options.md ---- */

static void print_rules(FILE *out)
{
    for (size_t i = 0; i < option_rule_count; i++)
        print_wrapped(out, "- ", "  ", option_rules[i]);
}

static void print_default(FILE *out, const struct option *option)
{
    if (option->fallback && option->fallback[0])
        fprintf(out, "`%s`", option->fallback);
    else
        fprintf(out, "%s", option->unsaid);
}

static void print_section_table(FILE *out, enum option_section section)
{
    char what[VALUE_TEXT_BYTES];

    fprintf(out, "\n## [%s%s]\n\n%s\n\n", option_section_name(section),
            option_section_is_named(section) ? " NAME" : "", option_section_what(section));
    fprintf(out, "| key | default | what it is | what may be written |\n"
                 "| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < option_count; i++) {
        if (options[i].section != section)
            continue;
        fprintf(out, "| `%s` | ", options[i].key);
        print_default(out, &options[i]);
        fprintf(out, " | %s | %s |\n", options[i].help, value_describe(what, &options[i]));
    }
}

void options_print_markdown(FILE *out)
{
    fprintf(out, "# Options\n\nGenerated from conf/options.c by `make docs`; do not edit.\n\n");
    print_rules(out);
    for (enum option_section s = 0; s < OPTION_SECTION_COUNT; s++)
        print_section_table(out, s);
}

/* ---- examples/uploader.conf ---- */

static void print_sample_value(FILE *out, const struct option *option)
{
    if (option->type == OPTION_PATTERNS)
        fprintf(out, "#%s =\n#    %s\n", option->key, option->example);
    else if (option->example)
        fprintf(out, "#%s = %s\n", option->key, option->example);
    else if (option->fallback && option->fallback[0])
        fprintf(out, "#%s = %s\n", option->key, option->fallback);
    else if (option->fallback)
        fprintf(out, "#%s =\n", option->key);
    else /* inherited */
        fprintf(out, "#%s = %s\n", option->key, option_find_anywhere(option->key)->fallback);
}

static void print_sample_option(FILE *out, const struct option *option)
{
    char what[VALUE_TEXT_BYTES];
    char text[1024];

    snprintf(text, sizeof text, "%s Write %s.%s%s%s", option->help, value_describe(what, option),
             option->unsaid ? " Default: " : "", option->unsaid ? option->unsaid : "",
             option->unsaid ? "." : "");
    fprintf(out, "\n");
    print_comment(out, text);
    print_sample_value(out, option);
}

/* The section of a batch or spool is a comment as well: there is none unless one is written. */
static void print_sample_section(FILE *out, enum option_section section)
{
    fprintf(out, "\n");
    print_comment(out, option_section_what(section));
    if (section == SECTION_BATCH || section == SECTION_SPOOL)
        fprintf(out, "#[%s %s]\n", option_section_name(section), EXAMPLE_NAME);
    else if (section == SECTION_PROFILE)
        fprintf(out, "[%s %s]\n", option_section_name(section), PROFILE_BUILT_IN);
    else
        fprintf(out, "[%s]\n", option_section_name(section));
    for (size_t i = 0; i < option_count; i++)
        if (options[i].section == section)
            print_sample_option(out, &options[i]);
}

void options_print_sample(FILE *out)
{
    print_comment(out, "Every option with its default. Generated from conf/options.c by make docs. "
                       "To change one, take the # before it away. An indented line goes on with "
                       "the value above it: an item of a list, or the rest of a long value. A "
                       "comment has a line of its own. Files conf.d/*.conf beside this one are "
                       "read after it. uploaderd --check --config FILE says what is wrong.");
    for (enum option_section s = 0; s < OPTION_SECTION_COUNT; s++)
        print_sample_section(out, s);
}
