/* SPDX-License-Identifier: PostgreSQL */
/* openat2.so, to be preloaded: the system call openat2 is missing, as it is for a service under
 * systemd's RestrictSUIDSGID=, and in valgrind itself (3.19, as Debian 12 has it). */
#include <dlfcn.h>
#include <errno.h>
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
    long rc = -1;

    if (number == SYS_openat2) {
        errno = ENOSYS;
        return rc;
    }
    va_start(args, number);
    rc = forward(number, args);
    va_end(args);
    return rc;
}
