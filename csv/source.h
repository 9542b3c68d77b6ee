/* SPDX-License-Identifier: PostgreSQL */
/* An input file: opened under the allowed folders, read at offsets, watched for change.
 * Never mmap: a file truncated by another would raise SIGBUS. */
#ifndef CSV_SOURCE_H
#define CSV_SOURCE_H

#include "base/error.h"
#include "base/identity.h"
#include "csv/digest.h"

#include <stddef.h>
#include <stdint.h>

struct source {
    int fd;
    char *path;
    struct identity identity; /* when it was opened; size is where reading ends */
};

/* Opens a regular file below one of the folders (openat2 beneath it, no symbolic link on the
 * way, non-blocking). Errors: ERR_FILE_NAME, _OUTSIDE, _MISSING, _ACCESS, _KIND, _EMPTY, _READ;
 * each with a hint. On error there is nothing to close. */
int source_open(struct source *source, const char *path, char *const *allow, size_t allow_count,
                struct error *err) MUST_USE;

void source_close(struct source *source);

/* Reads up to `size` bytes at `offset`; *got is less only at the end that the file had when it
 * was opened. An end of file before that: ERR_FILE_UNSTABLE. Else ERR_FILE_READ. */
int source_read(const struct source *source, int64_t offset, char *buf, size_t size, size_t *got,
                struct error *err) MUST_USE;

/* The file at the path is still what was opened: identity of descriptor and of path.
 * ERR_FILE_UNSTABLE names what changed (size, times, replaced, removed). */
int source_check(const struct source *source, struct error *err) MUST_USE;

/* Adds the bytes [start, end) to the digest, and to `whole` unless that is NULL. Of a chunk's bytes
 * it is the hash of file_checkpoint. Errors as source_read. */
int source_digest(const struct source *source, int64_t start, int64_t end, struct digest *digest,
                  struct digest *whole, struct error *err) MUST_USE;

#define SOURCE_HASH_BYTES DIGEST_BYTES

#endif
