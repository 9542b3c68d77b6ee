/* SPDX-License-Identifier: PostgreSQL */
/* The sections of a configuration while it is read: each of [database] to [upload] once, and one
 * for every profile and batch, over all files. Remembers what was set where, so that what was
 * set twice, or does not fit together, can be said with its place. */
#ifndef CONF_BLOCKS_H
#define CONF_BLOCKS_H

#include "conf/conf.h"
#include "conf/options.h"
#include "conf/report.h"

#include <stddef.h>

/* Where the value of an option stands. */
struct setting {
    const char *file; /* NULL: nowhere, it has its default */
    size_t line;
    size_t *lines; /* of the items of a value that is stored, which has one on each; owned */
    size_t line_count;
    bool refused; /* it was no good, and what there was before is still stored */
};

struct block {
    enum option_section section;
    char *title;              /* "database", "profile orders" */
    const char *name;         /* of a profile or batch: within title; else NULL */
    size_t index;             /* of a profile or batch: in the array of struct conf */
    struct setting begun;     /* in the newest file that has it */
    struct setting *settings; /* of each option, by its index in the table */
};

struct blocks {
    struct conf *conf; /* borrowed; what blocks stand for is stored there */
    struct block *list;
    size_t count;
};

/* Begins with all that is there without a file: every default, and profile contacts. `conf` is
 * all 0 before. */
void blocks_init(struct blocks *blocks, struct conf *conf);

/* Frees what is remembered; what is stored stays. */
void blocks_fini(struct blocks *blocks);

/* The block of a section's name as it stands in a file ("upload", "profile orders"); a new
 * profile or batch is made, with its defaults. Borrowed until the next call. NULL with an error
 * and a hint (ERR_CONFIG): there can be no such section. */
struct block *blocks_enter(struct blocks *blocks, const char *title, struct error *err);

/* The struct conf, profile or conf_batch in which the block's values are stored. Borrowed until
 * the next blocks_enter. */
void *block_object(const struct blocks *blocks, const struct block *block);

struct setting *block_setting(const struct block *block, const struct option *option);

/* It is set here: answers the setting, in which all that was known of it before is forgotten. */
struct setting *block_set(const struct block *block, const struct option *option, const char *file,
                          size_t line);

/* Where the value of this key stands; where the block begins when it has its default. */
struct place block_place(const struct block *block, const char *key);

/* Where an item stands of a list that has one on each line; else as block_place. */
struct place block_item_place(const struct block *block, const char *key, size_t item);

/* The key was given in a file; and its value was refused. */
bool block_is_set(const struct block *block, const char *key);
bool block_is_refused(const struct block *block, const char *key);

#endif
