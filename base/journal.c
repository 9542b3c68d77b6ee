/* SPDX-License-Identifier: PostgreSQL */
#include "base/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET "/run/systemd/journal/socket"
#define PATIENCE_MS 1000
#define STEP_MS 10

/* "NAME=", value, "\n" */
#define PIECES 3

static const char *const names[] = {
#define X(name, field) [name] = field "=",
    JOURNAL_FIELDS(X)
#undef X
};

static int journal = -1; /* the socket */

static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device;
    uintmax_t inode;
    struct stat st;

    return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 && fstat(fd, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

bool journal_open(void)
{
    if (is_journal(STDERR_FILENO))
        journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return journal >= 0;
}

static struct iovec piece(const char *text)
{
    return (struct iovec){(void *)(uintptr_t)text, strlen(text)}; /* it is only read */
}

static size_t gather(struct iovec *pieces, const char *const values[JOURNAL_FIELD_COUNT])
{
    size_t count = 0;

    for (size_t i = 0; i < JOURNAL_FIELD_COUNT; i++) {
        if (!values[i] || strchr(values[i], '\n'))
            continue;
        pieces[count++] = piece(names[i]);
        pieces[count++] = piece(values[i]);
        pieces[count++] = piece("\n");
    }
    return count;
}

/* Named anew each time: a journal that was started again is found. */
static bool try_send(struct iovec *pieces, size_t count)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = SOCKET};
    struct msghdr message = {
        .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = pieces, .msg_iovlen = count};

    return sendmsg(journal, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

bool journal_send(const char *const values[JOURNAL_FIELD_COUNT])
{
    static bool stuck;
    struct iovec pieces[JOURNAL_FIELD_COUNT * PIECES];
    size_t count = gather(pieces, values);
    int patience_ms = stuck ? 0 : PATIENCE_MS;
    bool sent = try_send(pieces, count);

    for (; !sent && errno == EAGAIN && patience_ms > 0; patience_ms -= STEP_MS) {
        poll(NULL, 0, STEP_MS);
        sent = try_send(pieces, count);
    }
    stuck = !sent && errno == EAGAIN;
    return sent || stuck;
}
