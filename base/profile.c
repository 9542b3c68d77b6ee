/* SPDX-License-Identifier: PostgreSQL */
#include "base/profile.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char *const profile_targets[PROFILE_COLUMNS] = {"name", "email"};

static const char *const keys[] = {"columns", "header", "surplus_columns", "delimiter", "quote"};

/* The first word of a byte is the one that is shown. */
static const struct {
    const char *word;
    char byte;
} words[] = {{"tab", '\t'}, {"\\t", '\t'}, {"space", ' '}, {"semicolon", ';'}, {"comma", ','}};

const char *profile_word_of(char byte)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (words[i].byte == byte)
            return words[i].word;
    return NULL;
}

bool profile_word_parse(const char *word, char *byte)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(word, words[i].word) == 0) {
            *byte = words[i].byte;
            return true;
        }
    return false;
}

void profile_copy(struct profile *to, const struct profile *from)
{
    *to = *from;
    to->name = mem_dup(from->name);
    for (int i = 0; i < PROFILE_COLUMNS; i++)
        to->columns[i] = mem_dup(from->columns[i]);
}

void profile_fini(struct profile *profile)
{
    free(profile->name);
    for (int i = 0; i < PROFILE_COLUMNS; i++)
        free(profile->columns[i]);
    *profile = (struct profile){0};
}

char *profile_text(const struct profile *profile)
{
    json_t *columns = json_array();

    for (int i = 0; i < PROFILE_COLUMNS; i++)
        json_array_append_new(columns, json_string(profile->columns[i]));
    json_t *all =
        json_pack("{s:o, s:b, s:s, s:s#, s:s#}", "columns", columns, "header", profile->header,
                  "surplus_columns", profile->surplus_ignore ? "ignore" : "refuse", "delimiter",
                  &profile->delimiter, (size_t)1, "quote", &profile->quote, (size_t)1);
    char *text = all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(all);
    return text ? text : mem_dup("{}");
}

static bool one_char(const json_t *all, const char *key, char *value)
{
    const json_t *text = json_object_get(all, key);

    if (json_string_length(text) != 1)
        return false;
    *value = json_string_value(text)[0];
    return true;
}

bool profile_parse(struct profile *profile, const char *name, const char *text)
{
    json_t *all = json_loads(text, 0, NULL);
    const json_t *columns = json_object_get(all, "columns");
    const char *surplus = json_string_value(json_object_get(all, "surplus_columns"));
    bool good = surplus && json_array_size(columns) == PROFILE_COLUMNS;

    *profile = (struct profile){.name = mem_dup(name)};
    for (size_t i = 0; i < PROFILE_COLUMNS; i++) {
        profile->columns[i] = mem_dup(json_string_value(json_array_get(columns, i)));
        good = good && profile->columns[i];
    }
    good = one_char(all, "delimiter", &profile->delimiter) && good;
    good = one_char(all, "quote", &profile->quote) && good;
    profile->header = json_is_true(json_object_get(all, "header"));
    profile->surplus_ignore = surplus && strcmp(surplus, "ignore") == 0;
    json_decref(all);
    if (!good)
        profile_fini(profile);
    return good;
}

const char *profile_text_differs(const char *a, const char *b)
{
    json_t *x = json_loads(a, 0, NULL);
    json_t *y = json_loads(b, 0, NULL);
    const char *key = x && y ? NULL : "profile";

    for (size_t i = 0; !key && i < COUNT_OF(keys); i++)
        if (!json_equal(json_object_get(x, keys[i]), json_object_get(y, keys[i])))
            key = keys[i];
    json_decref(x);
    json_decref(y);
    return key;
}

char *profile_text_value(const char *text, const char *key)
{
    json_t *all = json_loads(text, 0, NULL);
    char *value = json_dumps(json_object_get(all, key), JSON_COMPACT | JSON_ENCODE_ANY);

    json_decref(all);
    return value ? value : mem_dup("");
}
