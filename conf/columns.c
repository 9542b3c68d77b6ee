/* SPDX-License-Identifier: PostgreSQL */
#include "conf/columns.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

struct list {
    char **names;
    size_t count;
};

static void list_add(struct list *list, const char *data, size_t size)
{
    list->names = mem_resize(list->names, list->count + 1, sizeof *list->names);
    list->names[list->count++] = mem_format("%.*s", (int)size, data);
}

static void list_fini(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
}

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " \t");
}

/* From behind the opening quote to behind the closing one; NULL when it is not closed. */
static const char *take_quoted(struct list *list, const char *s)
{
    char *name = mem_new(strlen(s) + 1, 1);
    size_t used = 0;

    while (*s && !(s[0] == '"' && s[1] != '"')) {
        if (*s == '"')
            s++;
        name[used++] = *s++;
    }
    if (*s)
        list_add(list, name, used);
    free(name);
    return *s ? s + 1 : NULL;
}

static const char *take_plain(struct list *list, const char *s)
{
    size_t all = strcspn(s, ",");
    size_t size = all;

    while (size > 0 && (s[size - 1] == ' ' || s[size - 1] == '\t'))
        size--;
    list_add(list, s, size);
    return s + all;
}

/* A comma at the end of a line is as good as none. */
static int take_line(struct list *list, const char *line, struct error *err)
{
    const char *s = skip_blanks(line);

    while (*s) {
        s = *s == '"' ? take_quoted(list, s + 1) : take_plain(list, s);
        if (!s)
            return error_set(err, ERR_CONFIG, "a double quote is not closed on its line");
        if (list->names[list->count - 1][0] == '\0')
            return error_set(err, ERR_CONFIG, "a column without a name");
        s = skip_blanks(s);
        if (*s && *s != ',')
            return error_set(err, ERR_CONFIG, "text behind a closing quote");
        if (*s)
            s = skip_blanks(s + 1);
    }
    return 0;
}

/* NULL when all are different. */
static const char *find_doubled(char *const columns[PROFILE_COLUMNS])
{
    for (int i = 1; i < PROFILE_COLUMNS; i++)
        for (int k = 0; k < i; k++)
            if (strcmp(columns[i], columns[k]) == 0)
                return columns[i];
    return NULL;
}

static int check_names(const struct list *list, struct error *err)
{
    if (list->count != PROFILE_COLUMNS)
        return error_set(err, ERR_CONFIG, "%zu column%s, where %d are wanted (for name and email)",
                         list->count, list->count == 1 ? "" : "s", PROFILE_COLUMNS);
    const char *doubled = find_doubled(list->names);
    return doubled ? error_set(err, ERR_CONFIG, "\"%s\" is there twice", doubled) : 0;
}

int columns_parse(char *const *lines, size_t count, char *columns[PROFILE_COLUMNS], size_t *fault,
                  struct error *err)
{
    struct list list = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = take_line(&list, lines[i], err);
        *fault = rc < 0 ? i : 0;
    }
    if (rc == 0)
        rc = check_names(&list, err);
    for (size_t i = 0; rc == 0 && i < list.count; i++)
        columns[i] = mem_dup(list.names[i]);
    list_fini(&list);
    return rc;
}

int columns_to_positions(char *columns[PROFILE_COLUMNS], struct error *err)
{
    for (int i = 0; i < PROFILE_COLUMNS; i++) {
        int64_t position;
        if (!text_to_int64(columns[i], 1, COLUMNS_POSITION_MAX, &position)) {
            error_set(err, ERR_CONFIG, "\"%s\" is not a position, and there is no header",
                      columns[i]);
            return error_hint(err, "write positions from 1 to %d, as 1, 2, or header = yes",
                              COLUMNS_POSITION_MAX);
        }
        free(columns[i]);
        columns[i] = mem_format("%lld", (long long)position);
    }
    const char *doubled = find_doubled(columns);
    if (!doubled)
        return 0;
    error_set(err, ERR_CONFIG, "position %s is there twice", doubled);
    return error_hint(err, "write different positions, as 1, 2");
}
