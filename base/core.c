/* SPDX-License-Identifier: PostgreSQL */
#include "base/core.h"

#include <sys/resource.h>

/* A limit of 0 is for files only; 1 also keeps the kernel from starting the program that
 * /proc/sys/kernel/core_pattern may name (fs/coredump.c). */
#define NO_CORE 1

void core_forbid(void)
{
    const struct rlimit none = {NO_CORE, NO_CORE};

    setrlimit(RLIMIT_CORE, &none);
}
