/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/spool_list.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_companion(const char *name)
{
    size_t length = strlen(name);
    size_t suffix = strlen(SPOOL_OK_SUFFIX);

    return length > suffix && strcmp(name + length - suffix, SPOOL_OK_SUFFIX) == 0;
}

static bool has_companion(int folder, const char *name)
{
    char *companion = mem_format("%s" SPOOL_OK_SUFFIX, name);
    bool there = faccessat(folder, companion, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

    free(companion);
    return there;
}

static const char *why_unfit(mode_t mode)
{
    if (S_ISREG(mode))
        return NULL;
    return S_ISLNK(mode) ? "it is a symbolic link" : "it is no regular file";
}

/* A file that has gone again meanwhile is none; neither is a folder: done and failed may be here.
 */
static void add(struct spool_listing *listing, int folder, const char *name)
{
    struct stat st;

    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
        return;
    listing->files = mem_resize(listing->files, listing->count + 1, sizeof *listing->files);
    listing->files[listing->count++] = (struct spool_file){
        .name = mem_dup(name),
        .unfit = why_unfit(st.st_mode),
        .identity = identity_of(&st),
        .ok = has_companion(folder, name),
    };
}

static int by_name(const void *a, const void *b)
{
    const struct spool_file *x = a;
    const struct spool_file *y = b;

    return strcmp(x->name, y->name);
}

static int refuse(const char *folder, int errnum, struct error *err)
{
    error_system(err, ERR_SYSTEM, errnum, "the spool's folder \"%s\" cannot be read", folder);
    if (err->hint[0])
        return -(int)err->code;
    return error_hint(err,
                      "Make the folder, or let uid %d read it and write to it; it is tried again.",
                      (int)geteuid());
}

int spool_list(struct spool_listing *listing, const char *folder, const char *pattern,
               struct error *err)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;

    *listing = (struct spool_listing){0};
    if (!dir)
        return refuse(folder, errno, err);
    errno = 0;
    while ((entry = readdir(dir))) { /* each thread has a stream of its own */
        if (fnmatch(pattern, entry->d_name, FNM_PERIOD) == 0 && entry->d_name[0] != '.' &&
            !is_companion(entry->d_name))
            add(listing, dirfd(dir), entry->d_name);
        errno = 0;
    }
    int errnum = errno;
    closedir(dir);
    if (errnum) {
        spool_listing_fini(listing);
        return refuse(folder, errnum, err);
    }
    if (listing->count > 0)
        qsort(listing->files, listing->count, sizeof *listing->files, by_name);
    return 0;
}

void spool_listing_fini(struct spool_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->files[i].name);
    free(listing->files);
    *listing = (struct spool_listing){0};
}
