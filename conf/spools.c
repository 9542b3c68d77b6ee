/* SPDX-License-Identifier: PostgreSQL */
#include "conf/spools.h"

#include <string.h>
#include <sys/stat.h>

static void refuse(const struct block *block, const char *key, struct error *err,
                   struct report *report)
{
    struct place place = block_place(block, key);

    error_hint(err, "write another folder");
    report_add(report, &place, err);
}

/* Patterns that are told apart by their words may be apart. */
static void check_path(const struct block *block, const struct conf_spool *spool,
                       const struct conf_spool *earlier, struct report *report)
{
    struct error err;

    if (strcmp(spool->path, earlier->path) != 0 || strcmp(spool->pattern, earlier->pattern) != 0)
        return;
    error_set(&err, ERR_CONFIG, "\"%s\" is the path of [spool %s], too, with the same pattern",
              spool->path, earlier->name);
    refuse(block, "path", &err, report);
}

/* A path below such a folder does no harm, for a spool has no files but those of the folder itself.
 */
static void check_target(const struct block *block, const struct conf_spool *spool,
                         const struct conf_spool *from, const char *key, const char *target,
                         struct report *report)
{
    bool own = from == spool;
    struct error err;

    if (strcmp(spool->path, target) != 0)
        return;
    if (own)
        error_set(&err, ERR_CONFIG,
                  "\"%s\" is the path of the spool itself; what is moved there would be uploaded "
                  "once more",
                  target);
    else
        error_set(&err, ERR_CONFIG,
                  "\"%s\" is the folder %s of [spool %s]; what is moved there would be uploaded "
                  "once more",
                  target, key, from->name);
    refuse(block, own ? key : "path", &err, report);
}

static void check_device(const struct block *block, const struct conf_spool *spool, const char *key,
                         const char *target, struct report *report)
{
    struct place place = block_place(block, key);
    struct stat from, to;
    struct error err;

    if (stat(spool->path, &from) < 0 || stat(target, &to) < 0 || from.st_dev == to.st_dev)
        return;
    error_set(&err, ERR_CONFIG, "\"%s\" is on another file system than \"%s\" now", target,
              spool->path);
    error_hint(&err, "write a folder of the same one; until then no file can be moved there");
    report_warn(report, &place, &err);
}

static void check(const struct conf *conf, const struct block *block, struct report *report)
{
    const struct conf_spool *spool = &conf->spools[block->index];

    if (!block_is_set(block, "path") || block_is_refused(block, "path"))
        return;
    for (size_t i = 0; i < conf->spool_count; i++) {
        const struct conf_spool *other = &conf->spools[i];
        if (i < block->index)
            check_path(block, spool, other, report);
        check_target(block, spool, other, "done", other->done, report);
        check_target(block, spool, other, "failed", other->failed, report);
    }
    check_device(block, spool, "done", spool->done, report);
    check_device(block, spool, "failed", spool->failed, report);
}

void spools_check(const struct blocks *blocks, struct report *report)
{
    for (size_t i = 0; i < blocks->count; i++)
        if (blocks->list[i].section == SECTION_SPOOL)
            check(blocks->conf, &blocks->list[i], report);
}
