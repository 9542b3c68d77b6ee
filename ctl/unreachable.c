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

#define NAME_BYTES 64

static void user_name(char out[NAME_BYTES], uid_t uid)
{
    const struct passwd *user = getpwuid(uid);

    if (user)
        snprintf(out, NAME_BYTES, "%s", user->pw_name);
    else
        snprintf(out, NAME_BYTES, "%u", (unsigned)uid);
}

static void group_name(char out[NAME_BYTES], gid_t gid)
{
    const struct group *group = getgrgid(gid);

    if (group)
        snprintf(out, NAME_BYTES, "%s", group->gr_name);
    else
        snprintf(out, NAME_BYTES, "%u", (unsigned)gid);
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

/* A folder is entered by its x, a socket connected to by its w. */
static void explain(const char *path, bool folder, const struct stat *st, struct error *err)
{
    mode_t way_of_group = folder ? S_IXGRP : S_IWGRP;
    char *word = named_word(path);
    char me[NAME_BYTES];
    char user[NAME_BYTES];
    char group[NAME_BYTES];

    user_name(me, geteuid());
    user_name(user, st->st_uid);
    group_name(group, st->st_gid);
    error_detail(err, "You are %s; %s belongs to user %s and group %s, with mode %04o.", me,
                 folder ? path : "it", user, group, (unsigned)st->st_mode & 07777);
    if (st->st_mode & way_of_group && st->st_gid != 0)
        error_hint(err, "Become a member of the group %s. Its rights are in: ls -ld %s", group,
                   word);
    else
        error_hint(err, "Do it as user %s. The rights are in: ls -ld %s", user, word);
    free(word);
}

static int no_permission(const char *socket, struct error *err)
{
    char *path = barrier(socket);
    struct stat st;

    error_set(err, ERR_NO_SUPERVISOR, "no permission to connect to the socket \"%s\"", socket);
    if (stat(path, &st) == 0)
        explain(path, strcmp(path, socket) != 0, &st, err);
    else
        error_hint(err, "Do it as a user who may enter the folder of the socket.");
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
