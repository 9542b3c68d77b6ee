/* SPDX-License-Identifier: PostgreSQL */
#include "csv/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2 gives up with EAGAIN when folders are renamed while it walks. */
#define OPEN_TRIES 20

static bool is_link(int folder, const char *name)
{
    struct stat st;

    return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

/* One folder further down; the one before is closed, unless it is the caller's. -1 with errno. */
static int step(int folder, bool own, const char *name)
{
    int next = openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int errnum = errno;

    if (next < 0 && errnum == ENOTDIR && is_link(folder, name))
        errnum = ELOOP;
    if (own)
        close(folder);
    errno = errnum;
    return next;
}

/* A part at a time, none of which may be a link, or lead up. */
static int walk(int folder, const char *path, int flags)
{
    char name[NAME_MAX + 1];
    int at = folder;

    for (const char *slash; (slash = strchr(path, '/')); path = slash + 1) {
        size_t length = (size_t)(slash - path);
        if (length > NAME_MAX) {
            if (at != folder)
                close(at);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, path, length);
        name[length] = '\0';
        at = step(at, at != folder, name);
        if (at < 0)
            return -1;
    }
    int fd = openat(at, path, flags);
    int errnum = errno;
    if (at != folder)
        close(at);
    errno = errnum;
    return fd;
}

int beneath_open(int folder, const char *path, int flags)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd = -1;

    for (int i = 0; i < OPEN_TRIES; i++) {
        fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return walk(folder, path, (int)how.flags);
    return (int)fd;
}
