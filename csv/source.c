/* SPDX-License-Identifier: PostgreSQL */
#include "csv/source.h"

#include "base/mem.h"
#include "base/text.h"
#include "csv/beneath.h"
#include "csv/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_READ_BYTES ((size_t)256 * 1024)

/* The longest of the allowed folders that the path lies in; NULL when there is none. */
static const char *folder_of(const char *path, char *const *allow, size_t allow_count)
{
    const char *best = NULL;

    for (size_t i = 0; i < allow_count; i++)
        if (text_path_below(path, allow[i]) && (!best || strlen(allow[i]) > strlen(best)))
            best = allow[i];
    return best;
}

/* The file at the path is a regular one. It is not opened, for opening a device can do harm. */
static int check_kind(int root, const char *below, const char *path, const char *folder,
                      struct error *err)
{
    struct stat st;
    int fd = beneath_open(root, below, O_PATH);

    if (fd < 0)
        return refusal_open(path, folder, errno, err);
    int rc = fstat(fd, &st);
    int errnum = errno;
    close(fd);
    if (rc != 0 || S_ISLNK(st.st_mode))
        return refusal_open(path, folder, rc != 0 ? errnum : ELOOP, err);
    return S_ISREG(st.st_mode) ? 0 : refusal_kind(path, st.st_mode, err);
}

/* Looks at what was opened, which may be another file than check_kind saw. */
static int adopt(struct source *source, int fd, const char *path, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return error_system(err, ERR_FILE_READ, errno, "could not examine \"%s\"", path);
    if (!S_ISREG(st.st_mode))
        return refusal_kind(path, st.st_mode, err);
    if (st.st_size == 0) {
        error_set(err, ERR_FILE_EMPTY, "\"%s\" is empty", path);
        return error_hint(err, "Upload it when it has been written.");
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    *source = (struct source){.fd = fd, .path = mem_dup(path), .identity = identity_of(&st)};
    return 0;
}

static int open_below(struct source *source, int root, const char *path, const char *folder,
                      struct error *err)
{
    const char *below = path + strlen(folder);

    below += strspn(below, "/");
    if (*below == '\0')
        below = ".";
    int rc = check_kind(root, below, path, folder, err);
    if (rc < 0)
        return rc;
    int fd = beneath_open(root, below, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return refusal_open(path, folder, errno, err);
    if ((rc = adopt(source, fd, path, err)) < 0)
        close(fd);
    return rc;
}

int source_open(struct source *source, const char *path, char *const *allow, size_t allow_count,
                struct error *err)
{
    *source = (struct source){.fd = -1};
    if (!text_path_is_normal(path)) {
        error_set(err, ERR_FILE_NAME, "\"%s\" is no path that can be uploaded", path);
        return error_hint(err, "A path is absolute, without empty, \".\" and \"..\" parts, in "
                               "UTF-8, and without a line break.");
    }
    const char *folder = folder_of(path, allow, allow_count);
    if (!folder)
        return refusal_outside(path, allow, allow_count, err);
    int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return refusal_open(path, folder, errno, err);
    int rc = open_below(source, root, path, folder, err);
    close(root);
    return rc;
}

void source_close(struct source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    free(source->path);
    *source = (struct source){.fd = -1};
}

static int refuse_unstable(const struct source *source, struct error *err)
{
    error_set(err, ERR_FILE_UNSTABLE, "\"%s\" changed while it was read", source->path);
    return error_hint(err, "Upload it again when what writes to it has finished.");
}

static int refuse_shrunk(const struct source *source, int64_t size, struct error *err)
{
    refuse_unstable(source, err);
    return error_detail(err, "It shrank from %lld to %lld bytes.", (long long)source->identity.size,
                        (long long)size);
}

/* It has never, since it was opened, had the bytes that are asked for. */
static int refuse_short(const struct source *source, int64_t offset, struct error *err)
{
    refuse_unstable(source, err);
    return error_detail(err, "It ends at byte offset %lld, before byte offset %lld.",
                        (long long)source->identity.size, (long long)offset);
}

int source_read(const struct source *source, int64_t offset, char *buf, size_t size, size_t *got,
                struct error *err)
{
    int64_t left = source->identity.size - offset;

    *got = 0;
    if (left < 0)
        return refuse_short(source, offset, err);
    if ((int64_t)size > left)
        size = (size_t)left;
    while (*got < size) {
        ssize_t n = pread(source->fd, buf + *got, size - *got, offset + (int64_t)*got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_system(err, ERR_FILE_READ, errno, "could not read \"%s\" at byte %lld",
                                source->path, (long long)offset + (long long)*got);
        if (n == 0)
            return refuse_shrunk(source, offset + (int64_t)*got, err);
        *got += (size_t)n;
    }
    return 0;
}

/* What became of the file that was opened, told by how it is now. */
static int refuse_change(const struct source *source, const struct identity *now, struct error *err)
{
    const struct identity *then = &source->identity;

    if (now->size < then->size)
        return refuse_shrunk(source, now->size, err);
    refuse_unstable(source, err);
    if (now->size > then->size)
        return error_detail(err, "It grew from %lld to %lld bytes.", (long long)then->size,
                            (long long)now->size);
    if (now->mtime_ns != then->mtime_ns)
        return error_detail(err, "It was written to: its time of modification is another.");
    return error_detail(err, "Its name, owner or permissions were changed: its time of change "
                             "(ctime) is another.");
}

int source_check(const struct source *source, struct error *err)
{
    struct stat st;

    if (fstat(source->fd, &st) != 0)
        return error_system(err, ERR_FILE_READ, errno, "could not examine \"%s\"", source->path);
    struct identity here = identity_of(&st);
    if (lstat(source->path, &st) != 0) {
        int errnum = errno;
        refuse_unstable(source, err);
        return error_detail(err, "It cannot be found any more: %s.", strerror(errnum));
    }
    struct identity there = identity_of(&st);
    if (there.device != here.device || there.inode != here.inode) {
        refuse_unstable(source, err);
        return error_detail(err, "Another file has taken its place.");
    }
    return identity_same(&here, &source->identity) ? 0 : refuse_change(source, &here, err);
}

int source_digest(const struct source *source, int64_t start, int64_t end, struct digest *digest,
                  struct digest *whole, struct error *err)
{
    char *buf = mem_new(HASH_READ_BYTES, 1);
    int rc = 0;

    if (end > source->identity.size)
        rc = refuse_short(source, end, err);
    while (rc == 0 && start < end) {
        size_t got;
        size_t want =
            end - start < (int64_t)HASH_READ_BYTES ? (size_t)(end - start) : HASH_READ_BYTES;
        if ((rc = source_read(source, start, buf, want, &got, err)) < 0)
            break;
        digest_add(digest, buf, got);
        if (whole)
            digest_add(whole, buf, got);
        start += (int64_t)got;
    }
    free(buf);
    return rc;
}
