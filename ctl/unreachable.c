/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/unreachable.h"

#include "base/mem.h"
#include "base/text.h"
#include "ctl/arguments.h"
#include "ctl/named.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int no_socket(const char *socket, struct error *err)
{
    error_set(err, ERR_NO_SUPERVISOR, "there is no socket \"%s\"", socket);
    error_detail(err, "The supervisor is not started, or listens elsewhere.");
    return error_hint(err,
                      "Start uploaderd, or name its socket: --socket PATH or " SOCKET_VARIABLE ".");
}

static int no_one_listens(const char *socket, struct error *err)
{
    struct stat st;

    if (stat(socket, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        error_set(err, ERR_NO_SUPERVISOR, "\"%s\" is not a socket", socket);
        return error_hint(err,
                          "Name the supervisor's socket: --socket PATH or " SOCKET_VARIABLE ".");
    }
    error_set(err, ERR_NO_SUPERVISOR, "no one listens at the socket \"%s\"", socket);
    error_detail(err, "The supervisor that made it has ended.");
    return error_hint(err, "Start uploaderd again: it replaces the socket.");
}

static const char *user_name(uid_t uid, char number[32])
{
    const struct passwd *user = getpwuid(uid);

    snprintf(number, 32, "%u", (unsigned)uid);
    return user ? user->pw_name : number;
}

static const char *group_name(gid_t gid, char number[32])
{
    const struct group *group = getgrgid(gid);

    snprintf(number, 32, "%u", (unsigned)gid);
    return group ? group->gr_name : number;
}

/* What keeps the user out: the socket, or the first folder above it that may not be entered. The
 * caller frees. */
static char *barrier(const char *socket)
{
    char *path = mem_dup(socket);
    struct stat st;

    while (stat(path, &st) != 0) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path)
            break;
        *slash = '\0';
    }
    return path;
}

static int no_permission(const char *socket, struct error *err)
{
    char *path = barrier(socket);
    char *word = named_word(path);
    bool folder = strcmp(path, socket) != 0;
    char numbers[3][32];
    struct stat st;

    error_set(err, ERR_NO_SUPERVISOR, "no permission to connect to the socket \"%s\"", socket);
    if (stat(path, &st) == 0) {
        error_detail(err, "You are %s; %s belongs to user %s and group %s, with mode %04o.",
                     user_name(geteuid(), numbers[0]), folder ? path : "it",
                     user_name(st.st_uid, numbers[1]), group_name(st.st_gid, numbers[2]),
                     (unsigned)st.st_mode & 07777);
        error_hint(err, "Be a member of the group %s. See: ls -ld %s",
                   group_name(st.st_gid, numbers[2]), word);
    } else {
        error_hint(err, "See: ls -ld %s", word);
    }
    free(word);
    free(path);
    return -ERR_NO_SUPERVISOR;
}

int unreachable(const char *socket, int errnum, struct error *err)
{
    char escaped[256];

    text_escape(escaped, sizeof escaped, socket);
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        return no_socket(escaped, err);
    case ECONNREFUSED:
    case ENOTSOCK:
        return no_one_listens(escaped, err);
    case EACCES:
    case EPERM:
        return no_permission(socket, err);
    case EAGAIN:
    case ETIMEDOUT:
        error_set(err, ERR_NO_SUPERVISOR, "the supervisor at \"%s\" does not answer", escaped);
        error_detail(err, "It takes no connection, or does not say that it is there.");
        return error_hint(err, "Try again; if it stays so, look at the log of uploaderd.");
    case ENAMETOOLONG:
        error_set(err, ERR_NO_SUPERVISOR, "the socket's path is longer than 107 bytes: \"%s\"",
                  escaped);
        return error_hint(err, "Name it by a shorter path, for instance a relative one.");
    }
    error_system(err, ERR_NO_SUPERVISOR, errnum, "cannot connect to the socket \"%s\"", escaped);
    return error_hint(err, "Is uploaderd started?");
}
