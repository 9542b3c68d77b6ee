/* SPDX-License-Identifier: PostgreSQL */
/* load echo SOCKET BYTES: answers every line with one of so many bytes, until it is killed.
 * load ask SOCKET RATE SECONDS LINE: sends the line so many times a second over one connection, as
 * far as no more than a window is unanswered, and prints how many were answered, and the 50th and
 * 99th percentile of the time until the answer in microseconds. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 256, CLIENTS = 64, BUF_BYTES = 1 << 16, TIMES_MAX = 1 << 21 };

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (snprintf(address.sun_path, sizeof address.sun_path, "%s", path) >=
        (int)sizeof address.sun_path)
        die("a path that is too long");
    return address;
}

/* 0: the other side has gone. */
static int send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0)
            return 0;
        data += n;
        size -= (size_t)n;
    }
    return 1;
}

/* ---- echo ---- */

/* False: the client has gone. */
static int answer_client(int fd, const char *line, size_t size)
{
    char buf[BUF_BYTES];
    ssize_t got = recv(fd, buf, sizeof buf, 0);

    for (ssize_t i = 0; i < got; i++)
        if (buf[i] == '\n' && !send_all(fd, line, size))
            return 0;
    return got > 0;
}

static void echo(const char *path, size_t size)
{
    struct sockaddr_un address = address_of(path);
    struct pollfd fds[CLIENTS + 1] = {{.fd = socket(AF_UNIX, SOCK_STREAM, 0), .events = POLLIN}};
    nfds_t count = 1;
    char *line = malloc(size);

    if (!line || bind(fds[0].fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fds[0].fd, CLIENTS) < 0)
        die(path);
    memset(line, 'x', size);
    line[size - 1] = '\n';
    while (poll(fds, count, -1) >= 0) {
        for (nfds_t i = count; i-- > 1;)
            if (fds[i].revents && !answer_client(fds[i].fd, line, size)) {
                close(fds[i].fd);
                fds[i] = fds[--count];
            }
        if (fds[0].revents && count <= CLIENTS)
            fds[count++] = (struct pollfd){.fd = accept(fds[0].fd, NULL, NULL), .events = POLLIN};
    }
    die("poll");
}

/* ---- ask ---- */

struct asking {
    int fd;
    int64_t sent_us[WINDOW];
    int64_t sent, answered;
    uint32_t *times_us;
};

static void take_answers(struct asking *a)
{
    static char buf[BUF_BYTES];
    ssize_t got = recv(a->fd, buf, sizeof buf, MSG_DONTWAIT);
    int64_t now = now_us();

    if (got == 0 || (got < 0 && errno != EAGAIN))
        die("recv");
    for (ssize_t i = 0; i < got; i++)
        if (buf[i] == '\n') {
            int64_t took = now - a->sent_us[a->answered % WINDOW];
            a->times_us[a->answered++ % TIMES_MAX] = (uint32_t)took;
        }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void print_times(struct asking *a)
{
    size_t count = (size_t)(a->answered < TIMES_MAX ? a->answered : TIMES_MAX);

    if (count == 0) {
        printf("0 0 0\n");
        return;
    }
    qsort(a->times_us, count, sizeof *a->times_us, by_size);
    printf("%lld %u %u\n", (long long)a->answered, a->times_us[count / 2],
           a->times_us[count - 1 - count / 100]);
}

static void ask(const char *path, double rate, double seconds, const char *line)
{
    struct sockaddr_un address = address_of(path);
    struct asking a = {.fd = socket(AF_UNIX, SOCK_STREAM, 0)};
    int64_t begin = now_us();
    int64_t end = begin + (int64_t)(seconds * 1e6);
    size_t size = strlen(line) + 1;
    char *whole = malloc(size + 1);

    a.times_us = malloc(TIMES_MAX * sizeof *a.times_us);
    if (!a.times_us || !whole || connect(a.fd, (struct sockaddr *)&address, sizeof address) < 0)
        die(path);
    snprintf(whole, size + 1, "%s\n", line);
    while (now_us() < end) {
        int64_t due = (int64_t)((double)(now_us() - begin) * rate / 1e6) + 1;
        while (a.sent < due && a.sent - a.answered < WINDOW) {
            a.sent_us[a.sent++ % WINDOW] = now_us();
            if (!send_all(a.fd, whole, size))
                die("send");
        }
        struct pollfd fd = {.fd = a.fd, .events = POLLIN};
        if (poll(&fd, 1, 1) > 0)
            take_answers(&a);
    }
    print_times(&a);
    free(whole);
    free(a.times_us);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 4 && strcmp(argv[1], "echo") == 0)
        echo(argv[2], strtoul(argv[3], NULL, 10));
    if (argc != 6 || strcmp(argv[1], "ask") != 0) {
        fprintf(stderr, "usage: load echo SOCKET BYTES | load ask SOCKET RATE SECONDS LINE\n");
        return 2;
    }
    ask(argv[2], strtod(argv[3], NULL), strtod(argv[4], NULL), argv[5]);
    return 0;
}
