/* SPDX-License-Identifier: PostgreSQL */
/* nth [-f] N FILE PROGRAM [ARGUMENT...]: becomes PROGRAM, which gets SIGKILL at the entry of its
 * N-th system call, of all its threads together; 0: never. With -f those of processes that it forks
 * count, too, and the one that makes the call is killed. The number of calls is in FILE at the end.
 * Only once: when FILE is there already, PROGRAM runs as it is. The tracer is a child, so that the
 * program keeps its pid and its parent. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)
#define SYSCALL_STOP (SIGTRAP | 0x80)

static void die(const char *what)
{
    fprintf(stderr, "nth: %s: %s\n", what, strerror(errno));
    _exit(99);
}

/* The process that a thread is of. */
static pid_t process_of(pid_t thread)
{
    char path[64], line[256];
    int process = 0;

    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    FILE *file = fopen(path, "re");
    while (file && process == 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "Tgid: %d", &process) == 1)
            break;
    if (file)
        fclose(file);
    if (process == 0)
        die(path);
    return process;
}

/* Is this stop of a thread the entry of a system call? */
static int is_entry(pid_t thread)
{
    struct __ptrace_syscall_info info = {0};

    return ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof info, &info) > 0 &&
           info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

/* Lets a stopped thread go on, with the signal that it stopped for, unless that was the tracer's.
 */
static void go_on(pid_t thread, int status)
{
    int event = status >> 16;
    int number = WSTOPSIG(status);
    int group = event == PTRACE_EVENT_STOP && number != SIGTRAP;
    intptr_t given = event || number == SYSCALL_STOP || number == SIGTRAP ? 0 : number;

    ptrace(group ? PTRACE_LISTEN : PTRACE_SYSCALL, thread, NULL, (void *)given);
}

/* Counts until the program has ended, or is to end. */
static long trace(pid_t program, long wanted)
{
    int counts = 0; /* not before it is the program */
    long count = 0;
    int status;

    for (pid_t thread; (thread = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) {
            if (thread == program)
                break;
            continue;
        }
        if (status >> 16 == PTRACE_EVENT_EXEC && count == 0)
            counts = 1;
        if (counts && WSTOPSIG(status) == SYSCALL_STOP && is_entry(thread) && ++count == wanted) {
            kill(process_of(thread), SIGKILL);
            counts = 0; /* what its forker calls at its own end does not */
        }
        go_on(thread, status);
    }
    return count;
}

static void be_tracer(pid_t program, int ready, int options, long wanted, const char *path)
{
    char text[32];

    if (ptrace(PTRACE_SEIZE, program, NULL, (void *)(intptr_t)options) != 0 ||
        ptrace(PTRACE_INTERRUPT, program, NULL, NULL) != 0)
        die("ptrace");
    close(ready);
    long count = trace(program, wanted);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)snprintf(text, sizeof text, "%ld\n", count)) < 0)
        die(path);
    _exit(0);
}

int main(int argc, char **argv)
{
    int options = OPTIONS;
    int ready[2];
    char byte;

    if (argc > 1 && strcmp(argv[1], "-f") == 0) {
        options |= PTRACE_O_TRACEFORK;
        argc--;
        argv++;
    }
    if (argc < 4 || pipe2(ready, O_CLOEXEC) != 0)
        die("usage: nth [-f] N FILE PROGRAM [ARGUMENT...]");
    int fd = open(argv[2], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        goto run; /* it was done once */
    close(fd);
    pid_t program = getpid();
    pid_t tracer = fork();
    if (tracer < 0)
        die("fork");
    if (tracer == 0) { /* it holds nothing of the program's open but its end of this pipe */
        dup2(ready[1], STDERR_FILENO + 1);
        closefrom(STDERR_FILENO + 2);
        be_tracer(program, STDERR_FILENO + 1, options, strtol(argv[1], NULL, 10), argv[2]);
    }
    prctl(PR_SET_PTRACER, tracer);
    close(ready[1]);
    if (read(ready[0], &byte, 1) < 0) /* its end: the tracer is there */
        die("read");
run:
    execv(argv[3], argv + 3);
    die(argv[3]);
}
