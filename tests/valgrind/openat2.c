/* SPDX-License-Identifier: PostgreSQL */
/* openat2.so, to be preloaded under valgrind, which does not know the system call openat2 (3.19, as
 * Debian 12 has it) and lets it fail with ENOSYS: it is made with openat instead. That a path leads
 * over no symbolic link is not asked here; what is opened, read and freed is the same. */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef long (*syscall_call)(long, ...);

/* Of glibc, with as many arguments as any system call has. */
static long forward(long number, va_list args)
{
    void *found = dlsym(RTLD_NEXT, "syscall");
    syscall_call next;
    long a[6];

    memcpy(&next, &found, sizeof next); /* ISO C has no cast from an object to a function */
    for (size_t i = 0; i < sizeof a / sizeof *a; i++)
        a[i] = va_arg(args, long);
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

long syscall(long number, ...)
{
    va_list args;
    long rc;

    va_start(args, number);
    if (number == SYS_openat2) {
        int folder = va_arg(args, int);
        const char *path = va_arg(args, const char *);
        const struct open_how *how = va_arg(args, const struct open_how *);
        rc = openat(folder, path, (int)how->flags);
    } else {
        rc = forward(number, args);
    }
    va_end(args);
    return rc;
}
