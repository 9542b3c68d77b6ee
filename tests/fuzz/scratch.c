/* SPDX-License-Identifier: PostgreSQL */
#include "tests/fuzz/scratch.h"

#include "base/mem.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *scratch_folder(void)
{
    static char *folder;
    const char *tmp = getenv("TMPDIR");

    if (!folder) {
        char *template = mem_format("%s/fuzz.XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
        DEMAND(mkdtemp(template));
        folder = text_path_normal(template, "/");
        free(template);
    }
    return folder;
}

struct scratch scratch_open(const char *name)
{
    struct scratch scratch = {.path = mem_format("%s/%s", scratch_folder(), name)};
    char *slash = strrchr(scratch.path, '/');

    *slash = '\0';
    mkdir(scratch.path, 0700); /* it may be there */
    *slash = '/';
    scratch.fd = open(scratch.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    DEMAND(scratch.fd >= 0);
    return scratch;
}

void scratch_write(const struct scratch *scratch, const void *data, size_t size)
{
    DEMAND(ftruncate(scratch->fd, (off_t)size) == 0);
    DEMAND(pwrite(scratch->fd, data, size, 0) == (ssize_t)size);
}
