/* SPDX-License-Identifier: PostgreSQL */
/* The configuration: an INI file and the *.conf files of the folder conf.d beside it, read by inih
 * against one table that declares every option (options.h). Knows nothing of who uses it. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/error.h"
#include "base/log.h"
#include "base/profile.h"
#include "conf/who.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONF_DEFAULT_SOCKET "/run/uploader/control.sock"
#define CONF_DEFAULT_GROUP "uploader"
#define CONF_CREDENTIAL "uploader.password" /* of systemd */

/* The name of a Unix socket ends at 107 bytes; so much is left for what is put behind it (.batch, a
 * temporary name). */
#define CONF_SOCKET_MAX_BYTES 96

struct conf_batch {
    char *name;
    char **files; /* glob patterns */
    size_t file_count;
    char *profile; /* a profile that there is */
};

/* A folder in which files arrive. */
struct conf_spool {
    char *name;
    char *path;          /* never NULL once the configuration is read; nor are the next two */
    char *done, *failed; /* folders for what was uploaded, and for what cannot be */
    char *profile;       /* a profile that there is */
    char *pattern;       /* of the names of its files, as fnmatch(3) has it */
    int64_t settle_ms;
};

bool conf_spool_same(const struct conf_spool *a, const struct conf_spool *b);

/* What is refused as uploaded already. X(NAME, word) */
#define DUPLICATES(X)                                                                              \
    X(DUPLICATES_PATH, "path")       /* the bytes, or the beginning, of the path's last upload */  \
    X(DUPLICATES_CONTENT, "content") /* also the bytes of any other upload of the profile */       \
    X(DUPLICATES_ALLOW, "allow")     /* nothing */

enum duplicates {
#define X(name, word) name,
    DUPLICATES(X)
#undef X
};

/* What somebody may do; each includes those before it. X(NAME, key of section [access]) */
#define RIGHTS(X)                                                                                  \
    X(RIGHT_NONE, "nothing")                                                                       \
    X(RIGHT_READ, "read")                                                                          \
    X(RIGHT_OPERATE, "operate")                                                                    \
    X(RIGHT_ADMIN, "admin")

enum right {
#define X(name, word) name,
    RIGHTS(X)
#undef X
        RIGHT_COUNT
};

/* Its key; static. */
const char *right_name(enum right right);

struct conf {
    /* [database] */
    char *conninfo; /* may hold a password: never logged */
    char *password_file;
    char *password; /* its first line, or the credential's; NULL: none. Never logged */
    char *schema;
    /* [supervisor] */
    char *socket;
    char *name; /* NULL: host and socket */
    int64_t max_workers;
    int64_t max_queued;
    int64_t stop_timeout_ms;
    bool resume;
    bool confine;
    int64_t retry_limit;
    enum log_level log_level;
    /* [files] */
    char **allow; /* folders, absolute and normal */
    size_t allow_count;
    /* [access] */
    struct who_list access[RIGHT_COUNT]; /* who has this right, beside root and the own user */
    /* [upload] */
    int64_t chunk_bytes;
    int64_t lanes;
    int64_t reject_limit;
    int64_t max_record; /* bytes */
    enum duplicates duplicates;
    /* [profile NAME]: contacts is always among them */
    struct profile *profiles;
    size_t profile_count;
    /* [batch NAME], in the file's order */
    struct conf_batch *batches;
    size_t batch_count;
    /* [spool NAME]: their paths are among `allow`, too */
    struct conf_spool *spools;
    size_t spool_count;
};

/* Judges a conninfo, which needs a library that is not known here: 0, or what is wrong, and what to
 * write, never with a part that could be of a password. */
typedef int conf_check_conninfo(const char *conninfo, struct error *err);

/* Reads the file (NULL: defaults alone), then *.conf of conf.d beside it in the order of their
 * names: a value takes the place of an earlier file's, a list as a whole. Every error in them is
 * written to `errors`, a line each: "FILE:LINE: section.key: what is wrong; what to write", without
 * LINE when it is about the file as a whole, without section and key where there are none; the
 * value of conninfo, which `check` judges (NULL: nobody does), is never shown. What is a warning
 * says so, and is no error: a folder of `allow` that is not there (it may be mounted later), a
 * folder of a spool on another file system than its path, a user or group of `access` that the
 * system does not know. Blocks only as long as reading the files and looking up users takes.
 * Returns 0, or -ERR_CONFIG (then *conf is empty). The caller ends it with conf_fini. */
int conf_load(struct conf *conf, const char *path, conf_check_conninfo *check,
              FILE *errors) MUST_USE;

/* `now`, which was read later, has the spools of `then` instead of its own: their folders may be
 * read, and a profile that one of them names is that of `then` where `now` has none of that name.
 * What points to a spool of `then` stays good. `then` gets those of `now`, and is to be ended. */
void conf_keep_spools(struct conf *now, struct conf *then);

void conf_fini(struct conf *conf);

/* The profile of this name; NULL when there is none. Borrowed. */
const struct profile *conf_profile(const struct conf *conf, const char *name);

#endif
