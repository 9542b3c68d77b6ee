/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/named.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool named_is_id(const char *argument)
{
    return argument[0] && argument[strspn(argument, "0123456789")] == '\0';
}

static int parse_id(struct named *named, const char *argument, struct error *err)
{
    if (text_to_int64(argument, 1, INT64_MAX, &named->id))
        return 0;
    error_set(err, ERR_NOT_FOUND, "there is no upload %.64s", argument);
    return error_hint(err, "IDs are in: uploadctl list");
}

int named_path(char **path, const char *argument, struct error *err)
{
    char escaped[512];
    char *cwd = NULL;

    *path = NULL;
    if (!argument[0]) {
        error_set(err, ERR_FILE_NAME, "the name of a file is empty");
        return error_hint(err, "Give the path of a file; uploads are in: uploadctl list");
    }
    if (argument[0] != '/' && !(cwd = getcwd(NULL, 0)))
        return error_system(err, ERR_SYSTEM, errno, "cannot find out the current directory");
    *path = text_path_normal(argument, cwd ? cwd : "/");
    free(cwd);
    if (text_path_is_normal(*path))
        return 0;
    free(*path);
    *path = NULL;
    text_escape(escaped, sizeof escaped, argument);
    error_set(err, ERR_FILE_NAME, "\"%s\" cannot be the name of a file to upload", escaped);
    return error_hint(err, "Rename the file: its path must be UTF-8, without a line break.");
}

int named_init(struct named *named, const char *argument, struct error *err)
{
    *named = (struct named){.given = argument};
    return named_is_id(argument) ? parse_id(named, argument, err)
                                 : named_path(&named->file, argument, err);
}

void named_fini(struct named *named)
{
    free(named->file);
}

void named_put(const struct named *named, json_t *request)
{
    if (named->file)
        json_object_set_new(request, "file", json_string(named->file));
    else
        json_object_set_new(request, "id", json_integer(named->id));
}

/* Characters that no shell gives a meaning to, wherever they stand. */
static const char plain[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,@%:=";

char *named_word(const char *text)
{
    const char *before = text[0] == '-' ? "./" : "";

    if (text[0] && text[strspn(text, plain)] == '\0')
        return mem_format("%s%s", before, text);
    char *word = mem_new(strlen(text) * 4 + 5, 1);
    char *to = stpcpy(stpcpy(word, "'"), before);
    for (; *text; text++) {
        if (*text == '\'')
            to = stpcpy(to, "'\\''");
        else
            *to++ = *text;
    }
    *to = '\'';
    return word;
}
