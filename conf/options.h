/* SPDX-License-Identifier: PostgreSQL */
/* Every option there is, as one table; docs/options.md and examples/uploader.conf are printed
 * from it. Only declares: how a value is written and stored is in values.h. */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* X(NAME, name in the file, may be there many times, each with a name behind, what it is for) */
#define OPTION_SECTIONS(X)                                                                         \
    X(SECTION_DATABASE, "database", false, "Where PostgreSQL is.")                                 \
    X(SECTION_SUPERVISOR, "supervisor", false, "The service itself.")                              \
    X(SECTION_FILES, "files", false, "What may be read.")                                          \
    X(SECTION_ACCESS, "access", false,                                                             \
      "Who may do what at the control socket. Root, and the user that uploaderd runs as, may do "  \
      "everything.")                                                                               \
    X(SECTION_UPLOAD, "upload", false, "How files are uploaded.")                                  \
    X(SECTION_PROFILE, "profile", true,                                                            \
      "How a file is read. Profile contacts is built in; a section of that name changes it.")      \
    X(SECTION_BATCH, "batch", true, "What uploaderd --batch uploads.")                             \
    X(SECTION_SPOOL, "spool", true,                                                                \
      "A folder whose files are uploaded as they arrive, and then moved out of it.")

enum option_section {
#define X(name, text, named, what) name,
    OPTION_SECTIONS(X)
#undef X
        OPTION_SECTION_COUNT
};

/* How a value is written, and what it is stored as. */
enum option_type {
    OPTION_TEXT,       /* char *, NULL when empty */
    OPTION_CONNINFO,   /* char *, never NULL */
    OPTION_SCHEMA,     /* char * */
    OPTION_PATH,       /* char *, NULL when empty, which may be where that is the default */
    OPTION_PROFILE,    /* char *: the name of a profile */
    OPTION_NUMBER,     /* int64_t */
    OPTION_SIZE,       /* int64_t, bytes */
    OPTION_TIME,       /* int64_t, milliseconds */
    OPTION_FLAG,       /* bool: one of two words */
    OPTION_LEVEL,      /* enum log_level */
    OPTION_DUPLICATES, /* enum duplicates */
    OPTION_CHAR,       /* char */
    OPTION_WHO,        /* struct who_list */
    OPTION_FOLDERS,    /* char **, and a size_t for their count */
    OPTION_PATTERNS,   /* char **, and a size_t for their count */
    OPTION_COLUMNS     /* char *[PROFILE_COLUMNS] */
};

struct option {
    enum option_section section;
    const char *key;
    enum option_type type;
    const char *fallback; /* the default as one would write it; NULL: there is none */
    int64_t min;          /* of numbers, sizes and times */
    int64_t max;          /* of these, and of the bytes of a text */
    const char *words[2]; /* of a flag: for false, for true */
    size_t at;            /* offset in struct conf, profile or conf_batch */
    size_t count_at;      /* of a list: the offset of its count */
    const char *example;  /* in the sample, where there is no default */
    const char *unsaid;   /* in the documents, in place of an empty or missing default */
    const char *help;     /* sentences */
};

extern const struct option options[];
extern const size_t option_count;

/* The section's name in the file; static. */
const char *option_section_name(enum option_section section);
bool option_section_is_named(enum option_section section);

/* What it is for, as sentences; static. */
const char *option_section_what(enum option_section section);

/* The section of this name; OPTION_SECTION_COUNT when there is none. */
enum option_section option_section_find(const char *name);

/* The option of this key; NULL when the section has none. Static. */
const struct option *option_find(enum option_section section, const char *key);

/* The option of this key in whichever section is first; NULL when there is none. Static. */
const struct option *option_find_anywhere(const char *key);

/* How the file is written, a rule each, in sentences; code stands between `backquotes`. Static. */
extern const char *const option_rules[];
extern const size_t option_rule_count;

/* Prints docs/options.md. */
void options_print_markdown(FILE *out);

/* Prints examples/uploader.conf: every key with its default, commented out ("#key = value"), under
 * its help ("# text"). */
void options_print_sample(FILE *out);

#endif
