/* SPDX-License-Identifier: PostgreSQL */
#include "conf/who.h"

#include "base/mem.h"
#include "base/text.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRY_BYTES ((size_t)1024 * 1024) /* of a group with very many members */

static int64_t uid_of(const char *name, char *buffer)
{
    struct passwd entry;
    struct passwd *found = NULL;

    getpwnam_r(name, &entry, buffer, ENTRY_BYTES, &found);
    return found ? (int64_t)found->pw_uid : WHO_UNKNOWN;
}

static int64_t gid_of(const char *name, char *buffer)
{
    struct group entry;
    struct group *found = NULL;

    getgrnam_r(name, &entry, buffer, ENTRY_BYTES, &found);
    return found ? (int64_t)found->gr_gid : WHO_UNKNOWN;
}

/* The highest number is no id: calls of the system say "none" with it. */
static void look_up(struct who *who)
{
    char *buffer;

    if (text_to_int64(who->name, 0, UINT32_MAX - 1, &who->id))
        return;
    buffer = mem_new(ENTRY_BYTES, 1);
    who->id = who->group ? gid_of(who->name, buffer) : uid_of(who->name, buffer);
    free(buffer);
}

static int add(struct who_list *list, const char *text, size_t size, struct error *err)
{
    bool group = size > 0 && text[0] == '@';
    struct who who = {.group = group};

    if (size == group)
        return error_set(err, ERR_CONFIG, group ? "an @ without a name" : "a comma without a name");
    if (strcspn(text, " \t") < size)
        return error_set(err, ERR_CONFIG, "\"%.*s\" has a blank in it", (int)size, text);
    who.name = mem_format("%.*s", (int)(size - group), text + group);
    look_up(&who);
    list->items = mem_resize(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = who;
    return 0;
}

/* A comma at the end of a line is as good as none. */
static int add_line(struct who_list *list, const char *line, struct error *err)
{
    for (const char *s = line + strspn(line, " \t"); *s;) {
        size_t all = strcspn(s, ",");
        size_t size = all;
        while (size > 0 && (s[size - 1] == ' ' || s[size - 1] == '\t'))
            size--;
        int rc = add(list, s, size, err);
        if (rc < 0)
            return rc;
        s += all + (s[all] == ',');
        s += strspn(s, " \t");
    }
    return 0;
}

int who_parse(char **lines, size_t count, struct who_list *list, size_t *fault, struct error *err)
{
    int rc = 0;

    *list = (struct who_list){0};
    for (size_t i = 0; rc == 0 && i < count; i++) {
        *fault = i;
        rc = add_line(list, lines[i], err);
    }
    if (rc < 0)
        who_fini(list);
    return rc;
}

void who_fini(struct who_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].name);
    free(list->items);
    *list = (struct who_list){0};
}
