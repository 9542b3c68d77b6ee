/* SPDX-License-Identifier: PostgreSQL */
#include "conf/paths.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* "/a, /b" or "/a /b": a list as other programs have it, which would be one strange path. */
static bool has_two(const char *text)
{
    for (const char *slash = strchr(text + 1, '/'); slash; slash = strchr(slash + 1, '/'))
        if (strchr(", \t", slash[-1]))
            return true;
    return false;
}

static int check(const char *text, enum path_kind kind, const char *normal, struct error *err)
{
    bool root = strcmp(normal, "/") == 0;
    size_t size = strlen(text);

    if (kind == PATH_OF_FOLDER && size > 1 && text[size - 1] == '/')
        size--;
    if (root && kind == PATH_OF_FILE) {
        error_set(err, ERR_CONFIG, "\"%s\" is the root folder", text);
        return error_hint(err, "write the path of a file");
    }
    if (size == strlen(normal) && memcmp(text, normal, size) == 0)
        return 0;
    error_set(err, ERR_CONFIG, "\"%s\" is not a normal path", text);
    return error_hint(err, "write %s", normal);
}

int path_parse(const char *text, enum path_kind kind, char **path, struct error *err)
{
    *path = NULL;
    if (text[0] != '/') {
        error_set(err, ERR_CONFIG, "\"%s\" is not an absolute path", text);
        return error_hint(err, "write the whole path, which begins with /");
    }
    if (has_two(text)) {
        error_set(err, ERR_CONFIG, "more than one path on a line");
        return error_hint(err, "write each on an indented line of its own, without a comma");
    }
    char *normal = text_path_normal(text, "/");
    int rc = check(text, kind, normal, err);
    if (rc == 0)
        *path = normal;
    else
        free(normal);
    return rc;
}
