/* SPDX-License-Identifier: PostgreSQL */
/* The whole configuration: the files one after another, and what can be judged only when all of
 * it is there. */
#include "conf/conf.h"

#include "base/mem.h"
#include "conf/blocks.h"
#include "conf/columns.h"
#include "conf/parser.h"
#include "conf/password.h"
#include "conf/read.h"
#include "conf/report.h"
#include "conf/spools.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return mem_format("%.*sconf.d", slash ? (int)(slash - path) + 1 : 0, path);
}

/* The paths are kept until the end, since places refer to them. */
static void parse_folder(struct blocks *blocks, const char *folder, char ***paths, size_t *count,
                         struct report *report)
{
    struct place place = {.file = folder};
    struct error err;

    report_file(report, folder);
    if (read_folder(folder, paths, count, &err) < 0)
        report_add(report, &place, &err);
    for (size_t i = 0; i < *count; i++)
        parse_file(blocks, (*paths)[i], report);
}

/* ---- what belongs together ---- */

/* Without a header, columns that were not given are the first ones of the file. */
static void check_columns(const struct block *block, struct profile *profile, struct report *report)
{
    struct place place = block_place(block, "columns");
    struct error err;

    if (profile->header || block_is_refused(block, "columns"))
        return;
    for (int i = 0; i < PROFILE_COLUMNS && !block_is_set(block, "columns"); i++) {
        free(profile->columns[i]);
        profile->columns[i] = mem_format("%d", i + 1);
    }
    if (columns_to_positions(profile->columns, &err) < 0)
        report_add(report, &place, &err);
}

static void check_profile(const struct block *block, struct profile *profile, struct report *report)
{
    bool quote = block_is_set(block, "quote") && !block_is_set(block, "delimiter");
    struct place place = block_place(block, quote ? "quote" : "delimiter");
    struct error err;

    check_columns(block, profile, report);
    if (profile->delimiter != profile->quote)
        return;
    error_set(&err, ERR_CONFIG, "delimiter and quote are the same character");
    error_hint(&err, "write two different ones");
    report_add(report, &place, &err);
}

static void refuse_profile(const struct conf *conf, const struct place *place, const char *name,
                           struct report *report)
{
    char known[sizeof((struct error *)0)->hint] = "";
    struct error err;

    for (size_t i = 0; i < conf->profile_count; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                 conf->profiles[i].name);
    }
    error_set(&err, ERR_CONFIG, "there is no profile \"%s\"", name);
    error_hint(&err, "write one of %s, or a section [profile %s]", known, name);
    report_add(report, place, &err);
}

static void check_batch(const struct conf *conf, const struct block *block,
                        const struct conf_batch *batch, struct report *report)
{
    struct place place = block_place(block, "files");
    struct error err;

    if (!block_is_set(block, "files")) {
        error_set(&err, ERR_CONFIG, "the batch names no files");
        error_hint(&err, "write files =, and paths or patterns on indented lines below");
        report_add(report, &place, &err);
    }
    place = block_place(block, "profile");
    if (!conf_profile(conf, batch->profile))
        refuse_profile(conf, &place, batch->profile, report);
}

/* Its folder, too, may be read. Those of the spools stand last, one for each. */
static void allow_spool(struct conf *conf, const struct conf_spool *spool)
{
    conf->allow = mem_resize(conf->allow, conf->allow_count + 1, sizeof *conf->allow);
    conf->allow[conf->allow_count++] = mem_dup(spool->path);
}

/* Where its files go lies within it, unless it is said. */
static void finish_spool(struct conf *conf, const struct block *block, struct conf_spool *spool,
                         struct report *report)
{
    struct place place = block_place(block, "path");
    struct error err;

    if (!spool->path) {
        if (!block_is_refused(block, "path")) {
            error_set(&err, ERR_CONFIG, "the spool has no path");
            error_hint(&err, "write path = and the folder in which its files arrive");
            report_add(report, &place, &err);
        }
        spool->path = mem_dup("/");
    } else {
        allow_spool(conf, spool);
    }
    if (!spool->done)
        spool->done = mem_format("%s/done", spool->path);
    if (!spool->failed)
        spool->failed = mem_format("%s/failed", spool->path);
    if (!spool->pattern)
        spool->pattern = mem_dup("*");
    place = block_place(block, "profile");
    if (!conf_profile(conf, spool->profile))
        refuse_profile(conf, &place, spool->profile, report);
}

static void check_database(const struct block *block, const struct conf *conf,
                           conf_check_conninfo *check, const char *file, struct report *report)
{
    struct place place = block_place(block, "conninfo");
    struct error err;

    if (!place.file) /* the environment may be wrong, too */
        place.file = file ? file : "defaults";
    if (check && !block_is_refused(block, "conninfo") && check(conf->conninfo, &err) < 0)
        report_add(report, &place, &err);
}

/* A credential that is not there was not given. */
static void read_password(const struct block *block, struct conf *conf, const char *file,
                          struct report *report)
{
    struct place place = block_place(block, "password_file");
    char *credential = conf->password_file ? NULL : password_credential();
    const char *path = conf->password_file;
    struct error err;

    if (credential && access(credential, F_OK) == 0)
        path = credential;
    if (!place.file)
        place.file = file ? file : "defaults";
    if (path && !block_is_refused(block, "password_file") &&
        password_read(path, &conf->password, &err) < 0)
        report_add(report, &place, &err);
    free(credential);
}

static void check_folder(struct place place, const char *path, struct report *report)
{
    struct stat st;
    struct error err;
    char *real = realpath(path, NULL);

    if (real && strcmp(real, path) != 0) { /* no file is opened through one */
        error_set(&err, ERR_CONFIG, "a symbolic link is on the way to \"%s\"", path);
        error_hint(&err, "write %s; until then no file of it can be uploaded", real);
        report_warn(report, &place, &err);
    } else if (!real || stat(real, &st) < 0 || !S_ISDIR(st.st_mode)) {
        error_set(&err, ERR_CONFIG, "there is no folder \"%s\" now", path);
        error_hint(&err, "make it, or mend its name; until then no file of it can be uploaded");
        report_warn(report, &place, &err);
    }
    free(real);
}

static void check_folders(const struct block *block, const struct conf *conf, struct report *report)
{
    for (size_t i = 0; i < conf->allow_count; i++)
        check_folder(block_item_place(block, "allow", i), conf->allow[i], report);
}

/* What the default names need not be there. */
static bool is_missing(const struct who *who)
{
    return who->id == WHO_UNKNOWN && !(who->group && strcmp(who->name, CONF_DEFAULT_GROUP) == 0);
}

static void check_access(const struct block *block, const struct conf *conf, struct report *report)
{
    struct error err;

    for (enum right right = RIGHT_READ; right < RIGHT_COUNT; right++) {
        const struct who_list *list = &conf->access[right];
        struct place place = block_place(block, right_name(right));
        for (size_t i = 0; i < list->count; i++) {
            if (!is_missing(&list->items[i]))
                continue;
            error_set(&err, ERR_CONFIG, "there is no %s \"%s\" now",
                      list->items[i].group ? "group" : "user", list->items[i].name);
            error_hint(&err,
                       "make it, or mend its name, and read the configuration again (SIGHUP)");
            report_warn(report, &place, &err);
        }
    }
}

static void finish(const struct blocks *blocks, conf_check_conninfo *check, const char *file,
                   struct report *report)
{
    struct conf *conf = blocks->conf;

    for (size_t i = 0; i < blocks->count; i++) {
        const struct block *block = &blocks->list[i];
        if (block->section == SECTION_PROFILE) {
            struct profile *profile = block_object(blocks, block);
            check_profile(block, profile, report);
            if (!block_is_set(block, "reject_limit"))
                profile->reject_limit = conf->reject_limit;
        } else if (block->section == SECTION_BATCH) {
            check_batch(conf, block, block_object(blocks, block), report);
        } else if (block->section == SECTION_SPOOL) {
            struct conf_spool *spool = block_object(blocks, block);
            finish_spool(conf, block, spool, report);
            if (spool->path)
                check_folder(block_place(block, "path"), spool->path, report);
        } else if (block->section == SECTION_DATABASE) {
            check_database(block, conf, check, file, report);
            read_password(block, conf, file, report);
        } else if (block->section == SECTION_FILES) {
            check_folders(block, conf, report);
        } else if (block->section == SECTION_ACCESS) {
            check_access(block, conf, report);
        }
    }
    spools_check(blocks, report);
}

/* ---- the whole ---- */

int conf_load(struct conf *conf, const char *path, conf_check_conninfo *check, FILE *errors)
{
    struct report report = {0};
    struct blocks blocks;
    char **paths = NULL;
    size_t count = 0;
    char *folder = path ? folder_of(path) : NULL;
    int rc = 0;

    *conf = (struct conf){0};
    blocks_init(&blocks, conf);
    if (path) {
        parse_file(&blocks, path, &report);
        parse_folder(&blocks, folder, &paths, &count, &report);
    }
    finish(&blocks, check, path, &report);
    report_print(&report, errors);
    if (report.errors > 0) {
        conf_fini(conf);
        rc = -ERR_CONFIG;
    }
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    free(paths);
    free(folder);
    blocks_fini(&blocks);
    report_fini(&report);
    return rc;
}

static void free_list(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

/* ---- spools ---- */

bool conf_spool_same(const struct conf_spool *a, const struct conf_spool *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->path, b->path) == 0 &&
           strcmp(a->done, b->done) == 0 && strcmp(a->failed, b->failed) == 0 &&
           strcmp(a->profile, b->profile) == 0 && strcmp(a->pattern, b->pattern) == 0 &&
           a->settle_ms == b->settle_ms;
}

static void keep_profile(struct conf *now, const struct conf *then, const char *name)
{
    if (conf_profile(now, name))
        return;
    now->profiles = mem_resize(now->profiles, now->profile_count + 1, sizeof *now->profiles);
    profile_copy(&now->profiles[now->profile_count++], conf_profile(then, name));
}

void conf_keep_spools(struct conf *now, struct conf *then)
{
    struct conf_spool *spools = now->spools;
    size_t count = now->spool_count;

    for (size_t i = 0; i < count; i++)
        free(now->allow[--now->allow_count]);
    now->spools = then->spools;
    now->spool_count = then->spool_count;
    then->spools = spools;
    then->spool_count = count;
    for (size_t i = 0; i < now->spool_count; i++) {
        allow_spool(now, &now->spools[i]);
        keep_profile(now, then, now->spools[i].profile);
    }
}

static void spool_fini(struct conf_spool *spool)
{
    free(spool->name);
    free(spool->path);
    free(spool->done);
    free(spool->failed);
    free(spool->profile);
    free(spool->pattern);
}

/* ---- its end ---- */

void conf_fini(struct conf *conf)
{
    free(conf->conninfo);
    free(conf->password_file);
    free(conf->password);
    free(conf->schema);
    free(conf->socket);
    free(conf->name);
    free_list(conf->allow, conf->allow_count);
    for (enum right right = RIGHT_NONE; right < RIGHT_COUNT; right++)
        who_fini(&conf->access[right]);
    for (size_t i = 0; i < conf->profile_count; i++)
        profile_fini(&conf->profiles[i]);
    free(conf->profiles);
    for (size_t i = 0; i < conf->batch_count; i++) {
        free(conf->batches[i].name);
        free(conf->batches[i].profile);
        free_list(conf->batches[i].files, conf->batches[i].file_count);
    }
    free(conf->batches);
    for (size_t i = 0; i < conf->spool_count; i++)
        spool_fini(&conf->spools[i]);
    free(conf->spools);
    *conf = (struct conf){0};
}

const struct profile *conf_profile(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->profile_count; i++)
        if (strcmp(conf->profiles[i].name, name) == 0)
            return &conf->profiles[i];
    return NULL;
}

const char *right_name(enum right right)
{
    static const char *const names[] = {
#define X(name, word) [name] = (word),
        RIGHTS(X)
#undef X
    };

    return names[right];
}
