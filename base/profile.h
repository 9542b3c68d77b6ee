/* SPDX-License-Identifier: PostgreSQL */
/* How a file is read. Declared by the configuration, carried to the worker, kept with the
 * tracker, used by the reader; so it stands below all of them. */
#ifndef BASE_PROFILE_H
#define BASE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

/* The name of the built-in profile, which commands need not name. */
#define PROFILE_BUILT_IN "contacts"

/* The columns of file_data that a file fills, in this order. */
#define PROFILE_COLUMNS 2
extern const char *const profile_targets[PROFILE_COLUMNS]; /* "name", "email" */

struct profile {
    char *name;
    char *columns[PROFILE_COLUMNS]; /* names in the header; without one positions, from 1 */
    bool header;                    /* the first record names the columns */
    bool surplus_ignore;            /* further columns are ignored, not refused */
    char delimiter;
    char quote;
    /* in force at the next start; not part of what a resume compares: */
    int64_t reject_limit;
    int64_t max_workers; /* 0: as many as the service has */
};

/* The word that a configuration has for a delimiter or quote that one cannot well write as a
 * character; NULL: there is none. Static. */
const char *profile_word_of(char byte);

/* The byte that such a word means; false when it is none. */
bool profile_word_parse(const char *word, char *byte);

/* A deep copy that the caller ends with profile_fini. */
void profile_copy(struct profile *to, const struct profile *from);

/* Frees what the profile owns, not the profile. */
void profile_fini(struct profile *profile);

/* The profile as resolved, one line of JSON without name and limits: what the tracker
 * keeps, and what a resume compares. The caller frees. */
char *profile_text(const struct profile *profile);

/* The way back: a profile of this name from its text; the caller ends it with profile_fini.
 * Its limits are left 0. False when the text is none (then there is nothing to end). */
bool profile_parse(struct profile *profile, const char *name, const char *text);

/* The key ("columns", "delimiter", ...) of the first setting in which two results of
 * profile_text differ; NULL when they are the same; "profile" when one cannot be read. Static. */
const char *profile_text_differs(const char *a, const char *b);

/* What such a text has under a key, as JSON ("[\"name\",\"email\"]", "true", "\";\""); an empty
 * text when it has nothing there. The caller frees. */
char *profile_text_value(const char *text, const char *key);

#endif
