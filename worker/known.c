/* SPDX-License-Identifier: PostgreSQL */
#include "worker/known.h"

#include "worker/outcome.h"

#include <stdlib.h>

int known_changed(const struct job *job, const struct checkpoint *differs, struct error *err)
{
    char *command = outcome_command(job, "--restart");

    error_set(err, ERR_FILE_CHANGED, "\"%s\" has changed in what was uploaded of it before",
              job->path);
    error_detail(err,
                 "The first chunk that differs is chunk %lld: records %lld to %lld, bytes %lld to "
                 "%lld.",
                 (long long)differs->chunk_no, (long long)differs->first_line,
                 (long long)differs->last_line, (long long)differs->start_offset,
                 (long long)differs->end_offset);
    error_hint(err, "To roll back what is in and begin anew: %s", command);
    free(command);
    return -(int)err->code;
}

int known_before(const struct job *job, int64_t size, const struct checkpoint *last,
                 struct error *err)
{
    const char *path = job->path;
    char *command = outcome_command(job, "--again");

    if (size == last->end_offset) {
        error_set(err, ERR_ALREADY_UPLOADED, "\"%s\" is in already", path);
        error_detail(err, "Its bytes are those of upload %lld.", (long long)job->earlier);
        error_hint(err, "To upload it once more: %s", command);
    } else {
        error_set(err, ERR_GROWN, "\"%s\" has grown: its beginning is in already", path);
        error_detail(err, "Its first %lld of %lld bytes, %lld record%s, are those of upload %lld.",
                     (long long)last->end_offset, (long long)size, (long long)last->last_line,
                     last->last_line == 1 ? "" : "s", (long long)job->earlier);
        error_hint(err,
                   "Put what is new into a file of its own and upload that; or, to upload all of "
                   "it once more: %s",
                   command);
    }
    free(command);
    return -(int)err->code;
}

int known_elsewhere(const struct job *job, const struct owner_of_content *found, struct error *err)
{
    const char *path = job->path;
    char *command = outcome_command(job, found->processed ? "--again" : NULL);

    if (found->processed) {
        error_set(err, ERR_ALREADY_UPLOADED, "\"%s\" is in already, under another name", path);
        error_detail(err, "Its bytes are those of upload %lld, of \"%s\".",
                     (long long)found->tracker, found->path);
        error_hint(err, "To upload it once more: %s", command);
    } else {
        error_set(err, ERR_DUPLICATE, "\"%s\" has the bytes of an upload that is not at its end",
                  path);
        error_detail(err, "They are those of upload %lld, of \"%s\".", (long long)found->tracker,
                     found->path);
        error_hint(err,
                   "Finish that one, or stop it and upload this one: uploadctl stop %lld && %s",
                   (long long)found->tracker, command);
    }
    free(command);
    return -(int)err->code;
}
