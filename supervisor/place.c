/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/place.h"

#include "base/mem.h"
#include "base/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NEW_SUFFIX ".new"
#define SOCKET_MODE 0666 /* who may do what is asked at every request (access.h) */

static int check_length(const char *path, struct error *err)
{
    struct sockaddr_un address;
    size_t most = sizeof address.sun_path - sizeof NEW_SUFFIX;

    if (strlen(path) <= most)
        return 0;
    error_set(err, ERR_SYSTEM, "the path of the socket, \"%s\", is longer than %zu bytes", path,
              most);
    return error_hint(err, "Write a shorter one under socket in section [supervisor].");
}

static int refuse_to_create(const char *path, int errnum, struct error *err)
{
    error_system(err, ERR_SYSTEM, errnum, "could not create \"%s\"", path);
    return error_hint(err,
                      "Its folder has to be there, and uid %d has to be allowed to write to it; or "
                      "write another path under socket in section [supervisor].",
                      (int)geteuid());
}

/* The lock file is never unlinked: who opens the next would lock another file. */
static int take_lock(struct place *place, struct error *err)
{
    place->lock_fd = open(place->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (place->lock_fd < 0)
        return refuse_to_create(place->lock_path, errno, err);
    if (flock(place->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return error_system(err, ERR_SYSTEM, errno, "could not lock \"%s\"", place->lock_path);
    error_set(err, ERR_ANOTHER_SUPERVISOR, "a supervisor at the socket \"%s\" lives already",
              place->socket_path);
    char *word = shell_word(place->socket_path);
    error_hint(err,
               "If that is the one you want, it runs already: uploadctl --socket %s ping; else "
               "write another path under socket in section [supervisor].",
               word);
    free(word);
    return -(int)err->code;
}

static void read_lives(struct place *place)
{
    char text[PLACE_LIVES * PLACE_START_BYTES + 1];
    ssize_t size = pread(place->lock_fd, text, sizeof text - 1, 0);

    text[size > 0 ? size : 0] = '\0';
    for (const char *line = text; place->life_count < PLACE_LIVES;) {
        size_t length = strcspn(line, "\n");
        if (line[length] == '\0')
            break;
        if (length == PLACE_START_BYTES - 1)
            snprintf(place->lives[place->life_count++], PLACE_START_BYTES, "%.*s", (int)length,
                     line);
        line += length + 1;
    }
}

/* pwrite(2) at 0 until all is written: only a write that fails says why. */
static int write_all(int fd, const char *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pwrite(fd, bytes + done, size - done, (off_t)done);
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

/* The earlier lives but the oldest, and this one. */
static int write_lives(const struct place *place, const char *start, struct error *err)
{
    char text[PLACE_LIVES * PLACE_START_BYTES + 1];
    size_t used = 0;
    size_t first = place->life_count == PLACE_LIVES ? 1 : 0;

    for (size_t i = first; i < place->life_count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\n", place->lives[i]);
    used += (size_t)snprintf(text + used, sizeof text - used, "%s\n", start);
    if (write_all(place->lock_fd, text, used) != 0 || ftruncate(place->lock_fd, (off_t)used) != 0)
        return error_system(err, ERR_SYSTEM, errno, "could not write \"%s\"", place->lock_path);
    return 0;
}

/* What is no socket is somebody's, and is not replaced. */
static int check_kind(const char *path, struct error *err)
{
    struct stat there;

    if (lstat(path, &there) != 0 || S_ISSOCK(there.st_mode))
        return 0;
    error_set(err, ERR_SYSTEM, "\"%s\" is there, and is not a socket", path);
    return error_hint(err, "Write another path under socket in section [supervisor].");
}

/* Bound to a temporary name with its rights set, and only then put in place: nobody can connect to
 * it before, and a stale socket is replaced in one step. */
static int bind_socket(struct place *place, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = 0;

    if (fd < 0)
        return error_system(err, ERR_SYSTEM, errno, "could not make a socket");
    snprintf(address.sun_path, sizeof address.sun_path, "%s" NEW_SUFFIX, place->socket_path);
    unlink(address.sun_path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        rc = refuse_to_create(place->socket_path, errno, err);
    else if (chmod(address.sun_path, SOCKET_MODE) != 0 || listen(fd, SOMAXCONN) != 0 ||
             rename(address.sun_path, place->socket_path) != 0)
        rc = error_system(err, ERR_SYSTEM, errno, "could not put the socket \"%s\" in its place",
                          place->socket_path);
    if (rc < 0) {
        unlink(address.sun_path);
        close(fd);
        return rc;
    }
    place->listen_fd = fd;
    return 0;
}

static void let_go(struct place *place)
{
    if (place->listen_fd >= 0)
        close(place->listen_fd);
    if (place->lock_fd >= 0)
        close(place->lock_fd);
    free(place->socket_path);
    free(place->lock_path);
    *place = (struct place){.lock_fd = -1, .listen_fd = -1};
}

int place_take(struct place *place, const char *socket_path, int given_fd, const char *start,
               struct error *err)
{
    *place = (struct place){
        .socket_path = mem_dup(socket_path),
        .lock_path = mem_format("%s.lock", socket_path),
        .lock_fd = -1,
        .listen_fd = given_fd,
        .given = given_fd >= 0,
    };
    int rc = check_length(socket_path, err);
    if (rc == 0)
        rc = check_kind(socket_path, err);
    if (rc == 0)
        rc = take_lock(place, err);
    if (rc == 0) {
        read_lives(place);
        rc = write_lives(place, start, err);
    }
    if (rc == 0 && !place->given)
        rc = bind_socket(place, err);
    if (rc < 0)
        let_go(place);
    return rc;
}

bool place_was_ours(const struct place *place, const char *start)
{
    for (size_t i = 0; i < place->life_count; i++)
        if (strcmp(place->lives[i], start) == 0)
            return true;
    return false;
}

void place_leave(struct place *place)
{
    if (!place->given)
        unlink(place->socket_path);
    let_go(place);
}
