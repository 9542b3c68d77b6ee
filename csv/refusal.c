/* SPDX-License-Identifier: PostgreSQL */
#include "csv/refusal.h"

#include "base/mem.h"
#include "base/shell.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USER_BYTES 64
#define GROUPS_MAX 256

int refusal_outside(const char *path, char *const *allow, size_t allow_count, struct error *err)
{
    char list[512] = "";
    size_t used = 0;

    for (size_t i = 0; i < allow_count && used < sizeof list; i++) {
        int n = snprintf(list + used, sizeof list - used, "%s\"%s\"", i ? ", " : "", allow[i]);
        used += (size_t)n;
    }
    list[text_utf8_valid(list, strlen(list))] = '\0'; /* cut within a character, perhaps */
    error_set(err, ERR_FILE_OUTSIDE, "\"%s\" lies outside the allowed folders", path);
    if (allow_count == 0) {
        error_detail(err, "No folder is allowed.");
        return error_hint(err,
                          "Name the folder of the files under allow, in section [files] of the "
                          "configuration, and " HINT_RELOAD ".");
    }
    error_detail(err, "Allowed are: %s.", list);
    return error_hint(err,
                      "Put the file into one of them; or add the folder of the files to allow, in "
                      "section [files] of the configuration, and " HINT_RELOAD ".");
}

/* The next prefix of the path that ends before a slash or at the end, from "/" on: false when
 * `prefix` was the whole of it. */
static bool lengthen(char *prefix, const char *path)
{
    size_t size = strlen(prefix);

    if (path[size] == '\0')
        return false;
    if (size > 1)
        size++;
    size += strcspn(path + size, "/");
    memcpy(prefix, path, size);
    prefix[size] = '\0';
    return true;
}

/* Who the service runs as. */
static const char *user_name(char name[USER_BYTES])
{
    char buf[1024];
    struct passwd entry;
    struct passwd *found = NULL;

    if (getpwuid_r(geteuid(), &entry, buf, sizeof buf, &found) == 0 && found)
        snprintf(name, USER_BYTES, "%s", found->pw_name);
    else
        snprintf(name, USER_BYTES, "%u", (unsigned)geteuid());
    return name;
}

/* Whose permission bits count for this process: "u", "g" or "o", as chmod has them. */
static const char *permission_class(const struct stat *st)
{
    gid_t groups[GROUPS_MAX];
    int count = getgroups(GROUPS_MAX, groups);

    if (st->st_uid == geteuid())
        return "u";
    if (st->st_gid == getegid())
        return "g";
    for (int i = 0; i < count; i++)
        if (groups[i] == st->st_gid)
            return "g";
    return "o";
}

/* One component of the path is closed to the service's user. */
static int refuse_access(const char *path, const char *component, bool folder, struct error *err)
{
    char name[USER_BYTES];
    struct stat st;

    error_set(err, ERR_FILE_ACCESS, "no permission to read \"%s\"", path);
    error_detail(err, "User \"%s\", whom the service runs as, may not %s \"%s\".", user_name(name),
                 folder ? "search the folder" : "read the file", component);
    if (stat(component, &st) != 0)
        return -(int)err->code;
    char *word = shell_word(component);
    error_hint(err, "Give that right, for example with: chmod %s+%s %s", permission_class(&st),
               folder ? "x" : "r", word);
    free(word);
    return -(int)err->code;
}

static int explain_access(const char *path, struct error *err)
{
    char *prefix = mem_new(strlen(path) + 2, 1);
    struct stat st;
    bool folder = false;

    prefix[0] = '/';
    do {
        folder = strcmp(prefix, path) != 0 || (stat(prefix, &st) == 0 && S_ISDIR(st.st_mode));
        if (faccessat(AT_FDCWD, prefix, folder ? X_OK : R_OK, AT_EACCESS) != 0)
            break;
    } while (lengthen(prefix, path));
    refuse_access(path, prefix, folder, err);
    free(prefix);
    return -(int)err->code;
}

static int explain_missing(const char *path, const char *folder, struct error *err)
{
    char *prefix = mem_new(strlen(path) + 2, 1);
    struct stat st;
    int rc = 0;

    prefix[0] = '/';
    while ((rc = lstat(prefix, &st)) == 0 && lengthen(prefix, path))
        ;
    error_set(err, ERR_FILE_MISSING, "there is no file \"%s\"", path);
    if (rc != 0 && errno == ENOTDIR) {
        *strrchr(prefix, '/') = '\0';
        error_detail(err, "\"%s\" is no folder.", prefix);
    } else if (rc != 0 && strcmp(prefix, path) != 0) {
        error_detail(err, "There is no folder \"%s\".", prefix);
    } else if (rc == 0) {
        error_detail(err, "The allowed folder \"%s\" is no folder.", folder);
    }
    error_hint(err, "The path is one of the machine that the service runs on; check how it is "
                    "written.");
    free(prefix);
    return -(int)err->code;
}

/* The first symbolic link below the allowed folder, which itself may lead over some. */
static int explain_link(const char *path, const char *folder, struct error *err)
{
    char *prefix = mem_new(strlen(path) + 2, 1);
    char *word = shell_word(path);
    struct stat st;
    bool found = false;

    memcpy(prefix, path, strlen(folder));
    while (!found && lengthen(prefix, path))
        found = lstat(prefix, &st) == 0 && S_ISLNK(st.st_mode);
    if (found && strcmp(prefix, path) != 0)
        error_set(err, ERR_FILE_KIND, "\"%s\", on the way to \"%s\", is a symbolic link", prefix,
                  path);
    else
        error_set(err, ERR_FILE_KIND, "\"%s\" is a symbolic link", path);
    error_hint(err, "Upload the file by its real path, which this command prints: realpath %s",
               word);
    free(word);
    free(prefix);
    return -(int)err->code;
}

int refusal_open(const char *path, const char *folder, int errnum, struct error *err)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        return explain_missing(path, folder, err);
    case EACCES:
        return explain_access(path, err);
    case ELOOP:
    case EXDEV: /* a link replaced a component meanwhile */
        return explain_link(path, folder, err);
    case ENAMETOOLONG:
        error_set(err, ERR_FILE_NAME, "the path has a part that is too long: \"%.200s\"", path);
        return error_hint(err, "A part of a path has 255 bytes at most, the whole 4095.");
    default: /* allowed: a mode is no enum */
        return error_system(err, ERR_FILE_READ, errnum, "could not open \"%s\"", path);
    }
}

int refusal_kind(const char *path, mode_t mode, struct error *err)
{
    static const struct {
        mode_t kind;
        const char *text;
        const char *hint;
    } kinds[] = {
        {S_IFDIR, "a directory", "Name the files in it."},
        {S_IFIFO, "a FIFO", "Write what comes through it to a file, and upload that."},
        {S_IFCHR, "a character device", "Only regular files can be uploaded."},
        {S_IFBLK, "a block device", "Only regular files can be uploaded."},
        {S_IFSOCK, "a socket", "Only regular files can be uploaded."},
        {S_IFLNK, "a symbolic link", "Upload the file by its real path."},
    };

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if ((mode & S_IFMT) != kinds[i].kind)
            continue;
        error_set(err, ERR_FILE_KIND, "\"%s\" is %s", path, kinds[i].text);
        return error_hint(err, "%s", kinds[i].hint);
    }
    return error_set(err, ERR_FILE_KIND, "\"%s\" is no regular file", path);
}
