/* SPDX-License-Identifier: PostgreSQL */
#include "conf/blocks.h"

#include "base/log.h"
#include "base/mem.h"
#include "conf/values.h"

#include <stdlib.h>
#include <string.h>

/* Until reject_limit of section upload is known, which takes its place. */
#define INHERITED (-1)

static void set_defaults(const struct blocks *blocks, const struct block *block)
{
    struct error err;
    size_t fault;

    for (size_t i = 0; i < option_count; i++) {
        if (options[i].section != block->section || !options[i].fallback)
            continue;
        char *text = mem_dup(options[i].fallback);
        struct value value = {&options[i], &text, 1};
        if (value_store(&value, block_object(blocks, block), &fault, &err) < 0)
            log_fatal("the default of %s is wrong: %s", options[i].key, err.message);
        free(text);
    }
}

/* Makes room for one more in the array of struct conf, and returns its index. */
static size_t add_object(struct conf *conf, enum option_section section, const char *name)
{
    if (section == SECTION_PROFILE) {
        conf->profiles =
            mem_resize(conf->profiles, conf->profile_count + 1, sizeof *conf->profiles);
        conf->profiles[conf->profile_count] =
            (struct profile){.name = mem_dup(name), .reject_limit = INHERITED};
        return conf->profile_count++;
    }
    if (section == SECTION_BATCH) {
        conf->batches = mem_resize(conf->batches, conf->batch_count + 1, sizeof *conf->batches);
        conf->batches[conf->batch_count] = (struct conf_batch){.name = mem_dup(name)};
        return conf->batch_count++;
    }
    if (section == SECTION_SPOOL) {
        conf->spools = mem_resize(conf->spools, conf->spool_count + 1, sizeof *conf->spools);
        conf->spools[conf->spool_count] = (struct conf_spool){.name = mem_dup(name)};
        return conf->spool_count++;
    }
    return 0;
}

static struct block *add(struct blocks *blocks, enum option_section section, const char *name)
{
    const char *kind = option_section_name(section);

    blocks->list = mem_resize(blocks->list, blocks->count + 1, sizeof *blocks->list);
    struct block *block = &blocks->list[blocks->count++];
    *block = (struct block){
        .section = section,
        .title = name ? mem_format("%s %s", kind, name) : mem_dup(kind),
        .index = add_object(blocks->conf, section, name),
        .settings = mem_new(option_count, sizeof *block->settings),
    };
    block->name = name ? block->title + strlen(kind) + 1 : NULL;
    set_defaults(blocks, block);
    return block;
}

void blocks_init(struct blocks *blocks, struct conf *conf)
{
    *blocks = (struct blocks){.conf = conf};
    for (enum option_section section = 0; section < OPTION_SECTION_COUNT; section++)
        if (!option_section_is_named(section))
            add(blocks, section, NULL);
    add(blocks, SECTION_PROFILE, PROFILE_BUILT_IN);
}

void blocks_fini(struct blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++) {
        for (size_t k = 0; k < option_count; k++)
            free(blocks->list[i].settings[k].lines);
        free(blocks->list[i].title);
        free(blocks->list[i].settings);
    }
    free(blocks->list);
    *blocks = (struct blocks){0};
}

static int refuse_unknown(const char *title, struct error *err)
{
    char known[256] = "";

    for (enum option_section i = 0; i < OPTION_SECTION_COUNT; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s[%s%s]", used ? ", " : "",
                 option_section_name(i), option_section_is_named(i) ? " NAME" : "");
    }
    error_set(err, ERR_CONFIG, "there is no section \"%s\"", title);
    return error_hint(err, "write one of %s", known);
}

/* Names that stand on command lines and in file names without quotes. */
static int check_name(const char *kind, const char *name, struct error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

    if (name[0] == '\0') {
        error_set(err, ERR_CONFIG, "a %s without a name", kind);
        return error_hint(err, "write [%s NAME]", kind);
    }
    if (strchr(letters, name[0]) && name[strspn(name, letters)] == '\0')
        return 0;
    for (const char *c = name; *c; c++)
        if (!strchr(letters, *c) && (c == name || !strchr("-.", *c))) {
            error_set(err, ERR_CONFIG, "\"%s\" is no name for a %s", name, kind);
            return error_hint(err,
                              "write [%s NAME] with one blank, the name of ASCII letters, "
                              "digits and _, and further on also - and .",
                              kind);
        }
    return 0;
}

static int check_title(enum option_section section, const char *title, const char *name,
                       struct error *err)
{
    if (section == OPTION_SECTION_COUNT)
        return refuse_unknown(title, err);
    if (option_section_is_named(section))
        return check_name(option_section_name(section), name ? name : "", err);
    if (!name)
        return 0;
    error_set(err, ERR_CONFIG, "section %s takes no name", option_section_name(section));
    return error_hint(err, "write [%s]", option_section_name(section));
}

struct block *blocks_enter(struct blocks *blocks, const char *title, struct error *err)
{
    char *kind = mem_dup(title);
    char *blank = strchr(kind, ' ');
    const char *name = blank ? blank + 1 : NULL;
    struct block *block = NULL;

    if (blank)
        *blank = '\0';
    enum option_section section = option_section_find(kind);
    if (check_title(section, title, name, err) == 0) {
        for (size_t i = 0; !block && i < blocks->count; i++)
            if (strcmp(blocks->list[i].title, title) == 0)
                block = &blocks->list[i];
        if (!block)
            block = add(blocks, section, name);
    }
    free(kind);
    return block;
}

void *block_object(const struct blocks *blocks, const struct block *block)
{
    if (block->section == SECTION_PROFILE)
        return &blocks->conf->profiles[block->index];
    if (block->section == SECTION_BATCH)
        return &blocks->conf->batches[block->index];
    if (block->section == SECTION_SPOOL)
        return &blocks->conf->spools[block->index];
    return blocks->conf;
}

struct setting *block_setting(const struct block *block, const struct option *option)
{
    return &block->settings[option - options];
}

struct setting *block_set(const struct block *block, const struct option *option, const char *file,
                          size_t line)
{
    struct setting *setting = block_setting(block, option);

    free(setting->lines);
    *setting = (struct setting){.file = file, .line = line};
    return setting;
}

static const struct setting *find_setting(const struct block *block, const char *key)
{
    return block_setting(block, option_find(block->section, key));
}

bool block_is_set(const struct block *block, const char *key)
{
    return find_setting(block, key)->file;
}

bool block_is_refused(const struct block *block, const char *key)
{
    return find_setting(block, key)->refused;
}

struct place block_place(const struct block *block, const char *key)
{
    const struct setting *setting = find_setting(block, key);

    if (!setting->file)
        setting = &block->begun;
    return (struct place){setting->file, setting->line, block->title, key};
}

struct place block_item_place(const struct block *block, const char *key, size_t item)
{
    const struct setting *setting = find_setting(block, key);
    struct place place = block_place(block, key);

    if (item < setting->line_count)
        place.line = setting->lines[item];
    return place;
}
