/* SPDX-License-Identifier: PostgreSQL */
/* The table of options, and look-ups in it. */
#include "conf/options.h"

#include "base/limits.h"
#include "base/mem.h"
#include "conf/conf.h"

#include <string.h>

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND_MS INT64_C(1000)
#define REJECTS_MAX INT64_C(1000000000000)
#define IN_CONF(member) .at = offsetof(struct conf, member)
#define IN_PROFILE(member) .at = offsetof(struct profile, member)
#define IN_SPOOL(member) .at = offsetof(struct conf_spool, member)
#define IN_BATCH(member) .at = offsetof(struct conf_batch, member)

const struct option options[] = {
    {SECTION_DATABASE, "conninfo", OPTION_CONNINFO, "", IN_CONF(conninfo),
     .unsaid = "what libpq's environment, service file and password file say",
     .help = "Connection string or URI of libpq. Further lines are added with a blank between, "
             "those of a URI without one. A password is better kept in password_file."},
    {SECTION_DATABASE, "password_file", OPTION_PATH, "", .max = 4000, IN_CONF(password_file),
     .unsaid = "systemd's credential " CONF_CREDENTIAL ", where there is one",
     .help = "File whose first line is the password; others must not be able to read it. It takes "
             "the place of one in conninfo, and is read again with the configuration."},
    {SECTION_DATABASE, "schema", OPTION_SCHEMA, "uploader", .max = 63, IN_CONF(schema),
     .help = "Schema of the service's tables, created when it is missing."},

    {SECTION_SUPERVISOR, "socket", OPTION_PATH, CONF_DEFAULT_SOCKET, .max = CONF_SOCKET_MAX_BYTES,
     IN_CONF(socket), .help = "Control socket, where uploadctl finds the service."},
    {SECTION_SUPERVISOR, "name", OPTION_TEXT, "", .max = 128, IN_CONF(name),
     .unsaid = "host and socket",
     .help = "Name of this supervisor, the owner of its uploads. Two that share a database have "
             "two names. Keep it: what another name left behind is not recovered."},
    {SECTION_SUPERVISOR, "max_workers", OPTION_NUMBER, "4", .min = 1, .max = 256,
     IN_CONF(max_workers), .help = "Files uploaded at the same time; others wait their turn."},
    {SECTION_SUPERVISOR, "max_queued", OPTION_NUMBER, "100000", .min = 1, .max = 10000000,
     IN_CONF(max_queued),
     .help = "Uploads that may wait for a worker; a further one is refused, and can be asked for "
             "again later. What a crash or shutdown interrupted is never refused."},
    {SECTION_SUPERVISOR, "stop_timeout", OPTION_TIME, "30s", .min = 10, .max = 3600 * SECOND_MS,
     IN_CONF(stop_timeout_ms),
     .help = "How long a worker may take to begin a rollback, for each step of it (twice as long "
             "after one that was not done in time), and to end in a shutdown, before it is killed "
             "and replaced."},
    {SECTION_SUPERVISOR, "resume", OPTION_FLAG, "yes", .words = {"no", "yes"}, IN_CONF(resume),
     .help = "What a crash or a shutdown interrupted goes on by itself; never what a user killed."},
    {SECTION_SUPERVISOR, "confine", OPTION_FLAG, "yes", .words = {"no", "yes"}, IN_CONF(confine),
     .help =
         "A worker gives up by Landlock and seccomp what it does not need once its file is open "
         "and its connections are made. For the case that a library of this machine cannot "
         "live with it: workers then end by signal 31."},
    {SECTION_SUPERVISOR, "retry_limit", OPTION_NUMBER, "5", .min = 0, .max = 1000,
     IN_CONF(retry_limit),
     .help = "Tries in a row without progress, after which an upload is given up."},
    {SECTION_SUPERVISOR, "log_level", OPTION_LEVEL, "info", IN_CONF(log_level),
     .help = "Least important lines that are logged."},

    {SECTION_FILES, "allow", OPTION_FOLDERS, "", IN_CONF(allow),
     .count_at = offsetof(struct conf, allow_count), .unsaid = "none",
     .help = "Folders under which files may be read, with all below them. Without one, no file "
             "may be."},

    {SECTION_ACCESS, "read", OPTION_WHO, "", IN_CONF(access[RIGHT_READ]), .unsaid = "nobody else",
     .help = "Who may ask how uploads stand: ping, status, list, watch, wait, history, metrics."},
    {SECTION_ACCESS, "operate", OPTION_WHO, "@" CONF_DEFAULT_GROUP, IN_CONF(access[RIGHT_OPERATE]),
     .help = "Who may also upload, stop, kill, verify, pause and continue, and see rejects."},
    {SECTION_ACCESS, "admin", OPTION_WHO, "", IN_CONF(access[RIGHT_ADMIN]), .unsaid = "nobody else",
     .help = "Who may also forget uploads, and with them remove their rows."},

    {SECTION_UPLOAD, "chunk_bytes", OPTION_SIZE, "32M", .min = 4 * KIB, .max = GIB,
     IN_CONF(chunk_bytes), .help = "Input that is committed together, at most."},
    {SECTION_UPLOAD, "lanes", OPTION_NUMBER, "2", .min = 1, .max = 16, IN_CONF(lanes),
     .help = "Connections of one worker to PostgreSQL, each of which carries a chunk at a time, "
             "or takes chunks out again (stop)."},
    {SECTION_UPLOAD, "reject_limit", OPTION_NUMBER, "1000", .min = 0, .max = REJECTS_MAX,
     IN_CONF(reject_limit),
     .help = "Rejected records of one file; one more fails the upload: the chunk that "
             "crosses the limit is not committed, and its rejects are not kept."},
    {SECTION_UPLOAD, "max_record", OPTION_SIZE, "1M", .min = 16, .max = RECORD_MAX_BYTES,
     IN_CONF(max_record),
     .help = "Longest record. A longer one is rejected; one whose quote stays "
             "open for as long fails the upload."},
    {SECTION_UPLOAD, "duplicates", OPTION_DUPLICATES, "path", IN_CONF(duplicates),
     .help =
         "What is refused as uploaded already. path: the bytes, or the beginning, of the upload "
         "before of this path. content: also the bytes of an upload of any path under the same "
         "profile, for which each new file is read twice. allow: nothing. --again overrides "
         "it; a batch never uploads again what is as it was."},

    {SECTION_PROFILE, "columns", OPTION_COLUMNS, "name, email", IN_PROFILE(columns),
     .help = "Columns of the file that become name and email, in this order: their names in the "
             "header, capitals and all. Without a header, their positions from 1 on; the default "
             "is then 1, 2."},
    {SECTION_PROFILE, "header", OPTION_FLAG, "yes", .words = {"no", "yes"}, IN_PROFILE(header),
     .help = "The first record names the columns."},
    {SECTION_PROFILE, "surplus_columns", OPTION_FLAG, "refuse", .words = {"refuse", "ignore"},
     IN_PROFILE(surplus_ignore), .help = "What to do with a file that has further columns."},
    {SECTION_PROFILE, "delimiter", OPTION_CHAR, ",", IN_PROFILE(delimiter),
     .help = "Character between two fields."},
    {SECTION_PROFILE, "quote", OPTION_CHAR, "\"", IN_PROFILE(quote),
     .help = "Character around a field that holds delimiters, quotes or line breaks."},
    {SECTION_PROFILE, "reject_limit", OPTION_NUMBER, NULL, .min = 0, .max = REJECTS_MAX,
     IN_PROFILE(reject_limit), .unsaid = "reject_limit of section upload",
     .help = "Rejected records of one file of this profile; one more fails the upload."},

    {SECTION_PROFILE, "max_workers", OPTION_NUMBER, "0", .min = 0, .max = 256,
     IN_PROFILE(max_workers), .unsaid = "as many as section supervisor allows",
     .help = "Files of this profile uploaded at the same time; 0: as many as section supervisor "
             "allows. Those of other profiles pass by the ones that wait."},

    {SECTION_BATCH, "files", OPTION_PATTERNS, NULL, IN_BATCH(files),
     .count_at = offsetof(struct conf_batch, file_count), .unsaid = "none: it must be given",
     .example = "/srv/uploads/*.csv", .help = "Files, as patterns with *, ? and [...]."},
    {SECTION_BATCH, "profile", OPTION_PROFILE, PROFILE_BUILT_IN, IN_BATCH(profile),
     .help = "How they are read."},

    {SECTION_SPOOL, "path", OPTION_PATH, NULL, .max = 4000, IN_SPOOL(path),
     .unsaid = "none: it must be given", .example = "/srv/spool",
     .help = "The folder, which is no spool's done or failed; spools that share one have different "
             "patterns. Its files may be read without being named in section files."},
    {SECTION_SPOOL, "profile", OPTION_PROFILE, PROFILE_BUILT_IN, IN_SPOOL(profile),
     .help = "How its files are read."},
    {SECTION_SPOOL, "pattern", OPTION_TEXT, "*.csv", .max = 255, IN_SPOOL(pattern),
     .help = "Which of its files, by their names: with *, ? and [...]. Names that begin with a dot "
             "are never meant."},
    {SECTION_SPOOL, "settle", OPTION_TIME, "5s", .min = 0, .max = 3600 * SECOND_MS,
     IN_SPOOL(settle_ms),
     .help =
         "How long a file must stay as it is before it counts as complete; nobody that was "
         "seen writing may have it open then. One that is moved into the folder, and one beside "
         "which lies a file of its name with .ok behind it, are complete at once."},
    {SECTION_SPOOL, "done", OPTION_PATH, NULL, .max = 4000, IN_SPOOL(done),
     .unsaid = "done in the folder", .example = "/srv/spool/done",
     .help = "Where a file goes when its upload is PROCESSED, with a receipt and its rejects: a "
             "folder of the same file system."},
    {SECTION_SPOOL, "failed", OPTION_PATH, NULL, .max = 4000, IN_SPOOL(failed),
     .unsaid = "failed in the folder", .example = "/srv/spool/failed",
     .help = "Where a file goes that cannot be uploaded, with a receipt that says why: a folder of "
             "the same file system. Move it back to try again."},
};

const size_t option_count = COUNT_OF(options);

static const struct {
    const char *name;
    bool named;
    const char *what;
} sections[] = {
#define X(id, text, is_named, says) [id] = {text, is_named, says},
    OPTION_SECTIONS(X)
#undef X
};

const char *option_section_name(enum option_section section)
{
    return sections[section].name;
}

bool option_section_is_named(enum option_section section)
{
    return sections[section].named;
}

const char *option_section_what(enum option_section section)
{
    return sections[section].what;
}

enum option_section option_section_find(const char *name)
{
    enum option_section section = 0;

    while (section < OPTION_SECTION_COUNT && strcmp(sections[section].name, name) != 0)
        section++;
    return section;
}

const struct option *option_find(enum option_section section, const char *key)
{
    for (size_t i = 0; i < option_count; i++)
        if (options[i].section == section && strcmp(options[i].key, key) == 0)
            return &options[i];
    return NULL;
}

const struct option *option_find_anywhere(const char *key)
{
    for (size_t i = 0; i < option_count; i++)
        if (strcmp(options[i].key, key) == 0)
            return &options[i];
    return NULL;
}
