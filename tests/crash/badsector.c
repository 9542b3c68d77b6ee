/* SPDX-License-Identifier: PostgreSQL */
/* badsector.so, to be preloaded: a file has a byte that cannot be read. Which file and byte is in
 * the file that the variable BADSECTOR names, "OFFSET PATH"; while that is not there, all reads go
 * well. As of a disk, what lies before that byte is read, and every read from it on fails: EIO. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef ssize_t (*pread_call)(int, void *, size_t, off_t);

static pread_call next;

__attribute__((constructor)) static void find_next(void)
{
    void *found = dlsym(RTLD_NEXT, "pread");

    memcpy(&next, &found, sizeof next); /* ISO C has no cast from an object to a function */
}

/* The byte of this file that cannot be read; -1: there is none. */
static off_t bad_byte_of(int fd)
{
    const char *where = getenv("BADSECTOR");
    char text[PATH_MAX + 32] = "";
    char link[32];
    char path[PATH_MAX] = "";
    char *end;

    int told = where ? open(where, O_RDONLY | O_CLOEXEC) : -1;
    if (told < 0)
        return -1;
    ssize_t size = read(told, text, sizeof text - 1);
    close(told);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (size <= 0 || readlink(link, path, sizeof path - 1) < 0)
        return -1;
    off_t byte = (off_t)strtoll(text, &end, 10);
    return *end == ' ' && strcmp(end + 1, path) == 0 ? byte : -1;
}

ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
    int before = errno;
    off_t bad = bad_byte_of(fd);

    errno = before;
    if (bad < 0 || offset + (off_t)size <= bad)
        return next(fd, buf, size, offset);
    if (offset < bad)
        return next(fd, buf, (size_t)(bad - offset), offset);
    errno = EIO;
    return -1;
}
