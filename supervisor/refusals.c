/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/refusals.h"

#include "base/advice.h"
#include "base/mem.h"
#include "base/profile.h"
#include "base/text.h"
#include "supervisor/database.h"
#include "supervisor/supervisor.h"
#include "supervisor/upload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A path as far as a message has room for it, cut at a whole character. */
struct shown {
    char text[400];
};

static struct shown shown(const char *path)
{
    struct shown shown;
    size_t size = strlen(path);
    size_t room = sizeof shown.text - 1;
    size_t used = size <= room ? size : text_utf8_valid(path, room - 3);

    memcpy(shown.text, path, used);
    memcpy(shown.text + used, "...", size <= room ? 0 : 3);
    shown.text[size <= room ? used : used + 3] = '\0';
    return shown;
}

/* "3,201,000 rows and 1 reject" */
struct counts {
    char text[2 * TEXT_COUNTED_BYTES + 8];
};

static struct counts counts_of(const struct upload *upload)
{
    char rows[TEXT_COUNTED_BYTES];
    char rejects[TEXT_COUNTED_BYTES];
    struct counts counts;

    snprintf(counts.text, sizeof counts.text, "%s and %s",
             text_counted(rows, upload->row.rows, "row"),
             text_counted(rejects, upload->row.rejects, "reject"));
    return counts;
}

/* ---- hints ---- */

/* What the upload command does, and the command, if it is short enough to be told whole. */
static int hint_upload(struct error *err, const char *what, const char *option,
                       const struct upload *upload)
{
    char *command = advice_upload(option, upload->profile, upload->path);

    if (command)
        error_hint(err, "%s with: %s", what, command);
    else
        error_hint(err, "%s with the command upload%s%s.", what, option ? " " : "",
                   option ? option : "");
    free(command);
    return -(int)err->code;
}

static int hint_forget(struct error *err, const struct upload *upload)
{
    return error_hint(err, "To take its rows out again: uploadctl forget --rows %" PRId64,
                      upload->row.id);
}

static int hint_status(struct error *err, const struct upload *upload)
{
    return error_hint(err, "See how it stands with: uploadctl status %" PRId64, upload->row.id);
}

/* ---- requests ---- */

int refusal_not_found(const struct request *request, struct error *err)
{
    if (!request->file) {
        error_set(err, ERR_NOT_FOUND, "there is no upload %" PRId64, request->id);
        return error_hint(err,
                          "A file whose name is a number is given as ./%" PRId64
                          ". See all uploads with: uploadctl list",
                          request->id);
    }
    error_set(err, ERR_NOT_FOUND, "there is no upload of \"%s\"", shown(request->file).text);
    error_detail(err, "An upload is found by the path it was given under, or by its id.");
    return error_hint(err, "See all uploads with: uploadctl list");
}

int refusal_file_name(const char *path, struct error *err)
{
    error_set(err, ERR_FILE_NAME, "\"%s\" is not the name of a file to the service",
              shown(path).text);
    error_detail(err, "A file is named by its absolute, normal path.");
    return error_hint(err, "Give an absolute path without . or .. parts, in UTF-8, without a line "
                           "break.");
}

int refusal_status_name(const char *name, struct error *err)
{
    error_set(err, ERR_USAGE, "no status is called \"%s\"", shown(name).text);
    error_detail(err,
                 "A status is INITIALIZING, PROCESSING, PROCESSED, STOPPED, KILLED or FAILED.");
    return error_hint(err, "See all uploads with: uploadctl list");
}

int refusal_profile(const struct request *request, const char *name, struct error *err)
{
    const struct conf *conf = &request->supervisor->conf;
    size_t used = 0;
    char names[512] = "";

    for (size_t i = 0; i < conf->profile_count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 conf->profiles[i].name);
    error_set(err, ERR_NO_PROFILE, "the configuration has no profile \"%s\"", shown(name).text);
    error_detail(err, "Its profiles are: %s.", shown(names).text);
    return error_hint(err,
                      "Give one of them with --profile, or add a section [profile %.64s] to "
                      "the configuration and " HINT_RELOAD ".",
                      name);
}

int refusal_settings(const struct request *request, const char *key, struct error *err)
{
    const struct upload *upload = request->upload;

    error_set(err, ERR_SETTINGS_CHANGED,
              "the setting \"%s\" of profile \"%s\" is not the one that the upload of \"%s\""
              " was begun with",
              key, upload->profile, shown(upload->path).text);
    char *then = profile_text_value(upload->row.profile_text, key);
    char *now = profile_text_value(request->profile_text, key);
    error_detail(err, "It was begun with %s; the profile has %s now.", shown(then).text,
                 shown(now).text);
    free(then);
    free(now);
    return hint_upload(err, "Take the setting back, or roll back what is in and begin anew",
                       "--restart", upload);
}

static int refuse_uploaded(const struct upload *upload, struct error *err)
{
    error_set(err, ERR_ALREADY_UPLOADED, "\"%s\" is uploaded already", shown(upload->path).text);
    if (upload->row.status == STATUS_PROCESSED)
        error_detail(err,
                     "Upload %" PRId64 " is PROCESSED with %s, and the file is as it was then.",
                     upload->row.id, counts_of(upload).text);
    else
        error_detail(err,
                     "Upload %" PRId64 " found its bytes in an earlier upload, "
                     "and the file is as it was then.",
                     upload->row.id);
    return hint_upload(err, "If its records are to be in once more, upload it", "--again", upload);
}

static int refuse_grown(const struct upload *upload, struct error *err)
{
    error_set(err, ERR_GROWN, "the beginning of \"%s\" is uploaded already",
              shown(upload->path).text);
    error_detail(err,
                 "Upload %" PRId64 " found that the file begins with the bytes of an earlier, "
                 "PROCESSED upload of this path, and has grown.",
                 upload->row.id);
    return hint_upload(err,
                       "Put the new records into a file of their own; or, if the old ones are "
                       "to be in once more, upload it whole",
                       "--again", upload);
}

static int refuse_processed(const struct upload *upload, struct error *err)
{
    error_set(err, ERR_PROCESSED, "the upload of \"%s\" is PROCESSED", shown(upload->path).text);
    error_detail(err,
                 "All of it is in, %s. What is PROCESSED cannot be stopped or killed any more.",
                 counts_of(upload).text);
    return hint_forget(err, upload);
}

static int refuse_stopping(const struct upload *upload, struct error *err)
{
    error_set(err, ERR_STOP_UNDER_WAY, "a stop of \"%s\" is under way", shown(upload->path).text);
    if (upload->trouble) { /* it may never end by itself */
        error_detail(err, "Its rows are being taken out, which is tried again because of: %s",
                     upload->trouble->message);
        return error_hint(err,
                          "See to that; or give the rollback up, and keep what is still in, with: "
                          "uploadctl kill %" PRId64,
                          upload->row.id);
    }
    error_detail(err, "Its rows are being taken out; after that it can be uploaded again.");
    return error_hint(err, "Wait for the end of the rollback with: uploadctl wait %" PRId64,
                      upload->row.id);
}

static int refuse_idle(const struct upload *upload, struct error *err)
{
    error_set(err, ERR_NOT_RUNNING, "the upload of \"%s\" does not run", shown(upload->path).text);
    error_detail(err, "It is %s.", status_name(upload->row.status));
    return hint_upload(err, "Begin it again", NULL, upload);
}

int refusal_of(const struct request *request, const struct transition *t, struct error *err)
{
    const struct upload *upload = request->upload;

    switch (t->refusal) {
    case ERR_NOT_FOUND:
        return refusal_not_found(request, err);
    case ERR_ALREADY_UPLOADED:
        return refuse_uploaded(upload, err);
    case ERR_GROWN:
        return refuse_grown(upload, err);
    case ERR_PROCESSED:
        return refuse_processed(upload, err);
    case ERR_STOP_UNDER_WAY:
        return refuse_stopping(upload, err);
    case ERR_NOT_RUNNING:
        return refuse_idle(upload, err);
    case ERR_SHUTTING_DOWN:
        return refusal_shutting_down(err);
    default: /* allowed: the table of states refuses with nothing else; a hole in it is a bug */
        error_set(err, ERR_INTERNAL, "the upload cannot be asked for that in state %s",
                  state_name(upload->state));
        return error_hint(err, "Please report this, with the supervisor's log.");
    }
}

static int superseded_by_end(const struct request *request, struct error *err)
{
    const struct upload *upload = request->upload;

    error_set(err, ERR_NOT_RUNNING, "another command came first: the upload of \"%s\" is %s",
              shown(upload->path).text, status_name(upload->row.status));
    error_detail(err, "Of it %s are in, up to record %" PRId64 ".", counts_of(upload).text,
                 upload->row.line);
    if (request->kind == IPC_STOP && upload->row.status != STATUS_STOPPED)
        return error_hint(err, "To roll them back, stop it again with: uploadctl stop %" PRId64,
                          upload->row.id);
    return hint_upload(err, "Go on with it", NULL, upload);
}

int refusal_superseded(const struct request *request, struct error *err)
{
    const struct upload *upload = request->upload;

    if (upload->state == ST_PROCESSED) {
        error_set(err, ERR_PROCESSED, "the last record of \"%s\" was in before: it is PROCESSED",
                  shown(upload->path).text);
        error_detail(err, "All of it is kept, %s.", counts_of(upload).text);
        return hint_forget(err, upload);
    }
    if (upload->state == ST_LEFT) {
        refusal_shutting_down(err);
        return error_detail(err, "The stop is durable: the rollback goes on when the supervisor is "
                                 "started again.");
    }
    if (upload->state == ST_FOREIGN || upload->state == ST_FOREIGN_STOP) {
        error_set(err, ERR_NOT_RUNNING, "another supervisor has taken the upload of \"%s\"",
                  shown(upload->path).text);
        error_detail(err, "Its owner is now \"%s\".", shown(upload->row.owner).text);
        return hint_status(err, upload);
    }
    return superseded_by_end(request, err);
}

int refusal_away(const struct request *request, struct error *err)
{
    bool killed = request->kind == IPC_KILL && request->upload;
    const struct error *trouble = database_trouble(request->supervisor->database);
    bool blocked = request->supervisor->open && request->upload && request->upload->blocked_ms > 0;

    error_set(err, ERR_DATABASE_AWAY, "%s",
              blocked ? "another session of the database has the upload's row locked"
                      : "the database cannot be reached");
    if (killed)
        error_detail(err, "The upload's process is killed. That it is KILLED is recorded when the "
                          "database answers, if this supervisor lives until then.");
    else
        error_detail(err,
                     "It has given no answer for %d s; the command was not carried out, as "
                     "far as is known. The supervisor goes on trying.%s%s",
                     REQUEST_PATIENCE_MS / 1000, trouble ? " The last try: " : "",
                     trouble ? trouble->message : "");
    return error_hint(err, "Check the server and the supervisor's log; whether it is back says: "
                           "uploadctl ping");
}

int refusal_in_progress(const struct tracker *row, struct error *err)
{
    error_set(err, ERR_IN_PROGRESS, "the upload of \"%s\" has not ended", shown(row->path).text);
    return error_hint(err,
                      "Wait for its end with: uploadctl wait %" PRId64 "; or take it back with: "
                      "uploadctl stop %" PRId64,
                      row->id, row->id);
}

int refusal_not_there(const struct tracker *row, struct error *err)
{
    error_set(err, ERR_FILE_MISSING, "the file \"%s\" is not there any more",
              shown(row->path).text);
    return error_hint(
        err,
        "If it was moved (out of a spool, say), name the place where it lies now, within "
        "the folders of [files] allow: uploadctl verify %" PRId64 " --at PATH",
        row->id);
}

int refusal_provings(int64_t count, struct error *err)
{
    error_set(err, ERR_BUSY, "%" PRId64 " upload%s being verified already", count,
              count == 1 ? " is" : "s are");
    return error_hint(err, "Give the command again when one of them has ended.");
}

int refusal_moved_on(const struct tracker *row, struct error *err)
{
    error_set(err, ERR_IN_PROGRESS, "the upload of \"%s\" was changed meanwhile",
              shown(row->path).text);
    return error_hint(err, "See how it stands with: uploadctl status %" PRId64, row->id);
}

int refusal_shutting_down(struct error *err)
{
    error_set(err, ERR_SHUTTING_DOWN, "the supervisor is shutting down");
    error_detail(err, "It takes no further commands.");
    return error_hint(err, "Give the command again when it has been started again.");
}

int refusal_busy(size_t limit, struct error *err)
{
    error_set(err, ERR_BUSY, "too many clients");
    error_detail(err, "There are %zu connections to the control socket already.", limit);
    return error_hint(err, "Try again when some of them have ended.");
}

static int hint_access(struct error *err)
{
    return error_hint(err, "Who runs the service can add it there, or to one of these groups (by "
                           "default uploader). Who is added to a group has to log in again.");
}

int refusal_denied(int64_t uid, const char *kind, const char *option, struct error *err)
{
    error_set(err, ERR_DENIED, "uid %" PRId64 " may not give the command %s", uid, kind);
    error_detail(err,
                 "It is not among those that \"%s\" of section [access] names, itself or by a "
                 "group that it had when it connected.",
                 option);
    return hint_access(err);
}

int refusal_stranger(int64_t uid, struct error *err)
{
    error_set(err, ERR_DENIED, "uid %" PRId64 " may not use this service", uid);
    error_detail(err, "Section [access] does not name it, itself or by a group that it had when it "
                      "connected: under \"read\" for status and list, \"operate\" for upload, stop "
                      "and kill, \"admin\" for forget.");
    return hint_access(err);
}

int refusal_queue_full(int64_t limit, struct error *err)
{
    error_set(err, ERR_QUEUE_FULL, "%" PRId64 " uploads wait for a worker already", limit);
    return error_hint(err, "Ask again when some of them have begun; or raise max_queued in section "
                           "[supervisor].");
}
