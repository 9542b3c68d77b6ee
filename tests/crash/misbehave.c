/* SPDX-License-Identifier: PostgreSQL */
/* misbehave.so, to be preloaded: a worker that a file has taken over. At the byte MISBEHAVE_AT of
 * the file it does what MISBEHAVE names, by a system call of its own, and says what came of it. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef ssize_t (*pread_call)(int, void *, size_t, off_t);

static char *const nothing[] = {NULL};

static long do_open(void)
{
    return syscall(SYS_open, "/etc/passwd", O_RDONLY);
}

static long do_openat(void)
{
    return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static long do_write(void)
{
    return syscall(SYS_openat, AT_FDCWD, "/tmp/misbehaved", O_WRONLY | O_CREAT, 0600);
}

static long do_socket(void)
{
    return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

/* Of a descriptor that is there, the connection to the database as good as any. */
static long do_connect(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return syscall(SYS_connect, 3, &to, sizeof to);
}

static long do_execve(void)
{
    return syscall(SYS_execve, "/bin/true", nothing, nothing);
}

static long do_fork(void)
{
    return syscall(SYS_fork);
}

static long do_kill(void)
{
    return syscall(SYS_kill, getppid(), SIGKILL);
}

static long do_ptrace(void)
{
    return syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), 0, 0);
}

static long do_unlink(void)
{
    return syscall(SYS_unlink, "/tmp/misbehaved");
}

static long do_dup(void)
{
    return syscall(SYS_dup, 2);
}

static long do_executable(void)
{
    return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long do_type(void)
{
    return syscall(SYS_ioctl, 2, TIOCSTI, "x");
}

static const struct {
    const char *name;
    long (*act)(void);
} acts[] = {
    {"open", do_open},     {"openat", do_openat},   {"write", do_write},
    {"socket", do_socket}, {"connect", do_connect}, {"execve", do_execve},
    {"fork", do_fork},     {"kill", do_kill},       {"ptrace", do_ptrace},
    {"unlink", do_unlink}, {"dup", do_dup},         {"executable", do_executable},
    {"type", do_type},
};

static void misbehave(void)
{
    const char *wanted = getenv("MISBEHAVE");

    for (size_t i = 0; wanted && i < sizeof acts / sizeof acts[0]; i++)
        if (strcmp(acts[i].name, wanted) == 0) {
            long rc = acts[i].act();
            dprintf(2, "misbehave: %s: %s\n", wanted, rc < 0 ? strerror(errno) : "SUCCEEDED");
        }
}

ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
    static pread_call next;
    static int done;
    const char *at = getenv("MISBEHAVE_AT");

    if (!next) {
        void *found = dlsym(RTLD_NEXT, "pread");
        memcpy(&next, &found, sizeof next); /* ISO C has no cast from an object to a function */
    }
    if (at && !done && offset + (off_t)size > strtoll(at, NULL, 10)) {
        done = 1;
        misbehave();
    }
    return next(fd, buf, size, offset);
}
