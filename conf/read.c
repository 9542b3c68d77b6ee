/* SPDX-License-Identifier: PostgreSQL */
#include "conf/read.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".conf"

static int refuse_file(int errnum, struct error *err)
{
    error_system(err, ERR_CONFIG, errnum, "cannot read the file");
    if (errnum == ENOENT || errnum == ENOTDIR)
        return error_hint(err, "write the file, or give the path of one that exists");
    if (errnum == EACCES)
        return error_hint(err, "let this user read it (with chmod or chown)");
    return error_hint(err, "give the path of a regular file");
}

/* Until the end, or until it is seen to be too long. One byte behind all stays free. */
static int fill(int fd, size_t max_bytes, char **data, size_t *size, struct error *err)
{
    size_t room = 4096;
    ssize_t n;

    *size = 0;
    *data = mem_new(room, 1);
    while (*size <= max_bytes && (n = read(fd, *data + *size, room - *size - 1)) != 0) {
        if (n < 0 && errno != EINTR)
            return refuse_file(errno, err);
        *size += n > 0 ? (size_t)n : 0;
        if (*size == room - 1)
            *data = mem_resize(*data, room *= 2, 1);
    }
    if (*size <= max_bytes)
        return 0;
    error_set(err, ERR_CONFIG, "the file is longer than %zu bytes", max_bytes);
    return error_hint(err, "write a shorter one, or divide it over files of conf.d");
}

static int check_kind(int fd, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return refuse_file(errno, err);
    if (S_ISDIR(st.st_mode))
        return refuse_file(EISDIR, err);
    if (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode))
        return 0;
    error_set(err, ERR_CONFIG, "not a regular file");
    return error_hint(err, "give the path of a regular file");
}

int read_whole(const char *path, size_t max_bytes, char **data, size_t *size, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int rc;

    *data = NULL;
    if (fd < 0)
        return refuse_file(errno, err);
    rc = check_kind(fd, err);
    if (rc == 0)
        rc = fill(fd, max_bytes, data, size, err);
    close(fd);
    if (rc < 0) {
        free(*data);
        *data = NULL;
    }
    return rc;
}

static int is_conf(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    size_t suffix = strlen(SUFFIX);

    return entry->d_name[0] != '.' && length > suffix &&
           strcmp(entry->d_name + length - suffix, SUFFIX) == 0;
}

/* By bytes: the order must not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int read_folder(const char *folder, char ***paths, size_t *count, struct error *err)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_conf, by_name);

    *paths = NULL;
    *count = 0;
    if (n < 0 && errno == ENOENT)
        return 0;
    if (n < 0) {
        error_system(err, ERR_CONFIG, errno, "cannot read the folder");
        return error_hint(err, "make it a folder that this user may read, or take it away");
    }
    *paths = mem_new((size_t)n, sizeof **paths);
    for (int i = 0; i < n; i++) {
        (*paths)[(*count)++] = mem_format("%s/%s", folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return 0;
}
