/* SPDX-License-Identifier: PostgreSQL */
/* inih reads the lines that the scan has passed, one by one, and gives keys and values to a
 * handler; sections, of which it says nothing by themselves, and line numbers are taken from the
 * scan. inih and scan have to see the same in every line: what they see differently is an error,
 * never a value. */
#include "conf/parser.h"

#include "base/mem.h"
#include "conf/scan.h"
#include "conf/values.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    struct blocks *blocks;
    struct report *report;
    const char *file;
    struct scan scan;
    size_t line;                 /* the one that inih reads, from 1 */
    bool owed;                   /* the handler has to be called for it */
    struct block *block;         /* NULL: keys here belong to no section that there is */
    const struct option *option; /* whose value is being gathered; NULL: none */
    size_t option_line;
    char **lines; /* of the value */
    size_t *numbers;
    size_t count;
};

static void refuse(const struct parser *p, size_t line, const char *key, const struct error *err)
{
    struct place place = {p->file, line, p->block ? p->block->title : NULL, key};

    report_add(p->report, &place, err);
}

/* ---- values ---- */

static void gather(struct parser *p, const char *text)
{
    p->lines = mem_resize(p->lines, p->count + 1, sizeof *p->lines);
    p->numbers = mem_resize(p->numbers, p->count + 1, sizeof *p->numbers);
    p->lines[p->count] = mem_dup(text);
    p->numbers[p->count++] = p->line;
}

/* What is said of an item once all is read names its line. */
static void keep_lines(const struct parser *p, size_t skip, struct setting *setting)
{
    setting->line_count = p->count - skip;
    setting->lines = mem_new(setting->line_count, sizeof *setting->lines);
    memcpy(setting->lines, p->numbers + skip, setting->line_count * sizeof *setting->lines);
}

static void store_value(const struct parser *p)
{
    struct value value = {p->option, p->lines, p->count};
    struct setting *setting = block_setting(p->block, p->option);
    struct error err;
    size_t fault;

    if (value_store(&value, block_object(p->blocks, p->block), &fault, &err) == 0) {
        keep_lines(p, value_skip(&value), setting);
        return;
    }
    refuse(p, p->numbers[fault], p->option->key, &err);
    setting->refused = true;
}

/* The value has all its lines: stores it. */
static void end_value(struct parser *p)
{
    if (p->option)
        store_value(p);
    for (size_t i = 0; i < p->count; i++)
        free(p->lines[i]);
    p->count = 0;
    p->option = NULL;
}

static void refuse_key(const struct parser *p, const char *key)
{
    const struct option *other = option_find_anywhere(key);
    struct error err;
    char known[512] = "";

    error_set(&err, ERR_CONFIG, "there is no such key in this section");
    for (size_t i = 0; i < option_count; i++)
        if (options[i].section == p->block->section) {
            size_t used = strlen(known);
            snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", options[i].key);
        }
    if (other)
        error_hint(&err, "write it under [%s%s]", option_section_name(other->section),
                   option_section_is_named(other->section) ? " NAME" : "");
    else
        error_hint(&err, "write one of %s", known);
    refuse(p, p->line, key, &err);
}

static void begin_value(struct parser *p, const char *key, const char *text)
{
    const struct option *option = option_find(p->block->section, key);
    struct error err;

    if (!option) {
        refuse_key(p, key);
        return;
    }
    struct setting *setting = block_setting(p->block, option);
    if (setting->file == p->file) {
        error_set(&err, ERR_CONFIG, "set already in line %zu", setting->line);
        error_hint(&err, "write it once");
        refuse(p, p->line, key, &err);
        return;
    }
    block_set(p->block, option, p->file, p->line);
    p->option = option;
    gather(p, text);
}

/* The scan has refused the key's line: what follows from its value is no error of its own. */
static void note_refused(struct parser *p, const char *key)
{
    const struct option *option = p->block ? option_find(p->block->section, key) : NULL;

    if (option)
        block_set(p->block, option, p->file, p->line)->refused = true;
}

/* An indented line that looks like a key of this section is one that was indented by mistake. */
static bool refuse_indented_key(const struct parser *p, const char *text)
{
    size_t size = strcspn(text, " \t=:");
    const char *sign = text + size + strspn(text + size, " \t");
    char *word = mem_format("%.*s", (int)size, text);
    bool is_key = (*sign == '=' || *sign == ':') && option_find(p->block->section, word);
    struct error err;

    if (is_key) {
        error_set(&err, ERR_CONFIG, "an indented key, which would be part of the value before");
        error_hint(&err, "begin it in the first column");
        refuse(p, p->line, word, &err);
    }
    free(word);
    return is_key;
}

/* ---- sections ---- */

static void begin_section(struct parser *p, const char *title)
{
    struct error err;
    struct block *block = blocks_enter(p->blocks, title, &err);

    p->block = NULL;
    if (!block) {
        struct place place = {p->file, p->line, title, NULL};
        report_add(p->report, &place, &err);
        return;
    }
    p->block = block;
    if (block->begun.file == p->file) {
        error_set(&err, ERR_CONFIG, "the section is there already, in line %zu", block->begun.line);
        error_hint(&err, "write its keys together there");
        refuse(p, p->line, NULL, &err);
        return;
    }
    block->begun = (struct setting){.file = p->file, .line = p->line};
}

/* ---- inih ---- */

static void refuse_misread(const struct parser *p)
{
    struct error err;

    error_set(&err, ERR_CONFIG, "the line can be read in two ways");
    error_hint(&err,
               "write it without any blank, quote, colon or semicolon that it can do without");
    refuse(p, p->line, NULL, &err);
}

/* What can be said of the line before inih has read it. */
static void begin_line(struct parser *p, const struct scan_line *line)
{
    if (line->name.size == 0)
        return;
    char *name = mem_format("%.*s", (int)line->name.size, line->name.data);
    end_value(p);
    if (line->kind == SCAN_SECTION)
        begin_section(p, name);
    else if (line->kind == SCAN_NOTHING)
        note_refused(p, name);
    free(name);
}

/* The function that inih calls for its next line, in the manner of fgets. */
static char *next_line(char *to, int size, void *stream)
{
    struct parser *p = stream;

    if (p->owed)
        refuse_misread(p);
    p->owed = false;
    if (p->line == p->scan.count || size < 2)
        return NULL;
    const struct scan_line *line = &p->scan.lines[p->line++];
    begin_line(p, line);
    p->owed = line->kind == SCAN_KEY || line->kind == SCAN_MORE;
    snprintf(to, (size_t)size, "%s\n", line->text);
    return to;
}

static bool is_same(struct scan_piece piece, const char *text)
{
    return strlen(text) == piece.size && memcmp(piece.data, text, piece.size) == 0;
}

static int on_value(void *data, const char *section, const char *key, const char *text)
{
    struct parser *p = data;
    const struct scan_line *line = &p->scan.lines[p->line - 1];
    bool good = p->owed && key && text && is_same(line->value, text);

    p->owed = false;
    good = good && (line->kind == SCAN_MORE || is_same(line->name, key));
    good = good && (!p->block || strcmp(section, p->block->title) == 0);
    if (!good)
        refuse_misread(p);
    else if (!p->block)
        return 1; /* its section is refused */
    else if (line->kind == SCAN_KEY)
        begin_value(p, key, text);
    else if (!refuse_indented_key(p, text) && p->option)
        gather(p, text);
    return 1;
}

void parse_file(struct blocks *blocks, const char *file, struct report *report)
{
    struct parser p = {.blocks = blocks, .report = report, .file = file};

    report_file(report, file);
    scan_init(&p.scan, file, report);
    if (ini_parse_stream(next_line, &p, on_value, &p) != 0)
        refuse_misread(&p);
    end_value(&p);
    scan_fini(&p.scan);
    free(p.lines);
    free(p.numbers);
}
