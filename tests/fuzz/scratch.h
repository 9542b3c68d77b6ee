/* SPDX-License-Identifier: PostgreSQL */
/* Files whose content is the input: in a folder of this process below TMPDIR, which whoever starts
 * a target takes away afterwards. */
#ifndef TESTS_FUZZ_SCRATCH_H
#define TESTS_FUZZ_SCRATCH_H

#include <stddef.h>

/* The folder, absolute and normal; made by the first call. Static. */
char *scratch_folder(void);

struct scratch {
    char *path;
    int fd;
};

/* A file of this name ("conf.d/a" makes the folder, too), to be kept for the whole run. */
struct scratch scratch_open(const char *name);

/* The file has these bytes now, and no others. */
void scratch_write(const struct scratch *scratch, const void *data, size_t size);

#endif
