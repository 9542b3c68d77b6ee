/* SPDX-License-Identifier: PostgreSQL */
#include "base/pause.h"

#ifdef UPLOADER_PAUSE

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pause_at(const char *point, const char *which)
{
    static int hits;
    const char *wanted = getenv("UPLOADER_PAUSE_AT");
    const char *file = getenv("UPLOADER_PAUSE_FILE");
    size_t length = strlen(point);

    if (!wanted || !file || strncmp(wanted, point, length) != 0)
        return;
    wanted += length;
    if (*wanted == '/') {
        length = which ? strlen(which) : 0;
        if (!which || strncmp(wanted + 1, which, length) != 0)
            return;
        wanted += 1 + length;
    }
    if (*wanted != '\0' && *wanted != ':')
        return;
    int nth = *wanted == ':' ? (int)strtol(wanted + 1, NULL, 10) : 1;
    if (++hits != nth)
        return;
    /* O_EXCL: of all processes that inherit the setting, one stops, once */
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    dprintf(fd, "%d %s\n", (int)getpid(), point);
    close(fd);
    raise(SIGSTOP);
}

#else
typedef int pause_is_not_built; /* ISO C wants a declaration */
#endif
