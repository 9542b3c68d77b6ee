/* SPDX-License-Identifier: PostgreSQL */
/* The header of a file against the columns of its profile: layout_read of csv/fields.h. */
#include "csv/fields.h"

#include "base/mem.h"
#include "base/text.h"
#include "csv/encoding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Space for the names in one message, and for one of them. */
#define LIST_BYTES 420
#define NAME_BYTES 100

struct header {
    const struct profile *profile;
    const struct field *names;
    size_t count;
};

/* Names in a row, as many as there is room for; there is always room for `more_names`. */
struct list {
    char text[LIST_BYTES];
    size_t used;
    size_t count;
    bool full;
};

static const char more_names[] = ", ...";

static void list_add(struct list *list, const char *name, size_t size)
{
    char raw[NAME_BYTES];
    char shown[NAME_BYTES];
    size_t left = sizeof list->text - list->used;
    const char *comma = list->used ? ", " : "";

    list->count++;
    if (list->full)
        return;
    snprintf(raw, sizeof raw, "%.*s", (int)(size < sizeof raw ? size : sizeof raw), name);
    raw[text_utf8_valid(raw, strlen(raw))] = '\0'; /* cut within a character, perhaps */
    text_escape(shown, sizeof shown, raw);
    list->full = strlen(comma) + strlen(shown) + sizeof more_names > left;
    if (list->full)
        memcpy(list->text + list->used, more_names, sizeof more_names);
    else
        list->used += (size_t)snprintf(list->text + list->used, left, "%s%s", comma, shown);
}

static bool is_named(const struct field *field, const char *name)
{
    return field->size == strlen(name) && memcmp(field->data, name, field->size) == 0;
}

static bool is_wanted(const struct profile *profile, const struct field *field)
{
    for (int i = 0; i < PROFILE_COLUMNS; i++)
        if (is_named(field, profile->columns[i]))
            return true;
    return false;
}

static int with_both_lists(const struct header *header, struct error *err)
{
    struct list wanted = {.used = 0};
    struct list there = {.used = 0};

    for (int i = 0; i < PROFILE_COLUMNS; i++)
        list_add(&wanted, header->profile->columns[i], strlen(header->profile->columns[i]));
    for (size_t i = 0; i < header->count; i++)
        list_add(&there, header->names[i].data, header->names[i].size);
    return error_detail(err, "The profile wants: %s; the file has: %s.", wanted.text, there.text);
}

/* The delimiter that a header of one column seems to have; 0 when it has none. */
static char other_delimiter(const struct header *header)
{
    static const char usual[] = ";\t|,";

    for (const char *c = usual; *c && header->count == 1; c++)
        if (memchr(header->names[0].data, *c, header->names[0].size))
            return *c;
    return 0;
}

static int hint_delimiter(const struct profile *profile, char delimiter, struct error *err)
{
    const char *word = profile_word_of(delimiter);
    const char as_is[] = {delimiter, '\0'};

    return error_hint(err,
                      "Its delimiter seems to be another one. Give the file a profile of its own: "
                      "a section [profile NAME] of the configuration, with delimiter = %s, and, "
                      "where the header has other names than %.40s and %.40s, with those under "
                      "columns, in the order of these two; " HINT_RELOAD ", and " HINT_PROFILE ".",
                      word ? word : as_is, profile->columns[0], profile->columns[1]);
}

static int refuse_missing(const struct header *header, const struct list *missing,
                          struct error *err)
{
    error_set(err, ERR_FILE_HEADER, "the header lacks the column%s: %s",
              missing->count == 1 ? "" : "s", missing->text);
    with_both_lists(header, err);
    char delimiter = other_delimiter(header);
    if (delimiter)
        return hint_delimiter(header->profile, delimiter, err);
    return error_hint(err,
                      "Give the file a profile of its own: a section [profile NAME] of the "
                      "configuration, with the header's names under columns: first that of the "
                      "name, then that of the email, capitals as they are in the header; or "
                      "with header = no if it has none; " HINT_RELOAD ", and " HINT_PROFILE ".");
}

static int refuse_surplus(const struct header *header, const struct list *surplus,
                          struct error *err)
{
    error_set(err, ERR_FILE_HEADER, "the header has %s: %s",
              surplus->count == 1 ? "a surplus column" : "surplus columns", surplus->text);
    with_both_lists(header, err);
    return error_hint(err,
                      "To leave further columns out, write surplus_columns = ignore in section "
                      "[profile %s] of the configuration, and " HINT_RELOAD ".",
                      header->profile->name);
}

static int refuse_doubled(const struct header *header, const char *name, struct error *err)
{
    error_set(err, ERR_FILE_HEADER, "the header has the column \"%s\" more than once", name);
    with_both_lists(header, err);
    return error_hint(err, "Give all columns of the file different names.");
}

/* Places each wanted column; refuses a doubled or missing one. */
static int place_columns(struct layout *layout, const struct header *header, struct error *err)
{
    struct list missing = {.used = 0};

    for (int i = 0; i < PROFILE_COLUMNS; i++) {
        const char *name = header->profile->columns[i];
        int found = 0;
        for (size_t at = 0; at < header->count; at++) {
            if (!is_named(&header->names[at], name))
                continue;
            layout->index[i] = (int)at;
            found++;
        }
        if (found > 1)
            return refuse_doubled(header, name, err);
        if (found == 0)
            list_add(&missing, name, strlen(name));
    }
    return missing.count > 0 ? refuse_missing(header, &missing, err) : 0;
}

static int match(struct layout *layout, const struct header *header, struct error *err)
{
    struct list surplus = {.used = 0};
    int rc = place_columns(layout, header, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < header->count && !header->profile->surplus_ignore; i++)
        if (!is_wanted(header->profile, &header->names[i]))
            list_add(&surplus, header->names[i].data, header->names[i].size);
    if (surplus.count > 0)
        return refuse_surplus(header, &surplus, err);
    layout->count = (int)header->count;
    layout->more = false;
    return 0;
}

static int refuse_record(const struct source *source, const struct record *record,
                         const struct profile *profile, struct error *err)
{
    switch (record->fault) {
    case RECORD_TEXT_AFTER_QUOTE:
        error_set(err, ERR_FILE_HEADER, "the header cannot be read: text after a closing quote");
        break;
    case RECORD_TOO_LONG:
        error_set(err, ERR_FILE_HEADER, "the header is longer than max_record (%zu bytes)",
                  record->size);
        break;
    case RECORD_WELL_FORMED: /* its bytes are no text */
        return encoding_refuse(source->path, "the header", record->data, record->size, err);
    }
    return error_hint(err,
                      "Look at the first line of \"%s\"; without a header, write header = no in "
                      "section [profile %s] of the configuration, and " HINT_RELOAD ".",
                      source->path, profile->name);
}

static int refuse_none(const struct source *source, const struct profile *profile,
                       struct error *err)
{
    error_set(err, ERR_FILE_HEADER, "\"%s\" has no header", source->path);
    error_detail(err, "The file has empty lines only.");
    return error_hint(err, "Its first line has to name the columns: %s%c%s.", profile->columns[0],
                      profile->delimiter, profile->columns[1]);
}

static int from_header(struct layout *layout, const struct source *source,
                       const struct profile *profile, int64_t max_record, struct error *err)
{
    struct scanner *scanner =
        scanner_new(source, profile->delimiter, profile->quote, max_record, 0, -1);
    struct fields *fields = fields_new(profile->delimiter, profile->quote);
    struct header header = {.profile = profile};
    struct record record;
    int rc = scanner_next(scanner, &record, err);

    if (rc < 0)
        goto out;
    if (rc == 0) {
        rc = refuse_none(source, profile, err);
    } else if (record.fault != RECORD_WELL_FORMED ||
               text_utf8_valid(record.data, record.size) < record.size ||
               memchr(record.data, 0, record.size)) {
        rc = refuse_record(source, &record, profile, err);
    } else {
        header.count = fields_split(fields, &record, &header.names);
        rc = match(layout, &header, err);
    }
out:
    fields_free(fields);
    scanner_free(scanner);
    return rc;
}

/* Positions from 1, which the configuration has checked. */
static int from_positions(struct layout *layout, const struct profile *profile, struct error *err)
{
    layout->count = 0;
    layout->more = profile->surplus_ignore;
    for (int i = 0; i < PROFILE_COLUMNS; i++) {
        int64_t position;
        if (!text_to_int64(profile->columns[i], 1, INT32_MAX, &position))
            return error_set(err, ERR_CONFIG, "\"%s\" is no position of a column",
                             profile->columns[i]);
        layout->index[i] = (int)position - 1;
        if (layout->count < (int)position)
            layout->count = (int)position;
    }
    return 0;
}

int layout_read(struct layout *layout, const struct source *source, const struct profile *profile,
                int64_t max_record, struct error *err)
{
    if (profile->header)
        return from_header(layout, source, profile, max_record, err);
    return from_positions(layout, profile, err);
}
