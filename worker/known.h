/* SPDX-License-Identifier: PostgreSQL */
/* What is said of a file that is known already, and therefore not loaded; each returns the negative
 * of its error's code. */
#ifndef WORKER_KNOWN_H
#define WORKER_KNOWN_H

#include "base/error.h"
#include "db/chunks.h"
#include "db/content.h"
#include "ipc/job.h"

/* ERR_FILE_CHANGED: at a resume, the file does not have the bytes of this chunk any more. */
int known_changed(const struct job *job, const struct checkpoint *differs, struct error *err);

/* ERR_ALREADY_UPLOADED, or ERR_GROWN when the file has more bytes than the upload before of its
 * path, whose last checkpoint this is. */
int known_before(const struct job *job, int64_t size, const struct checkpoint *last,
                 struct error *err);

/* ERR_ALREADY_UPLOADED, or ERR_DUPLICATE while that upload is not at its end: another upload has
 * the bytes. */
int known_elsewhere(const struct job *job, const struct owner_of_content *found, struct error *err);

#endif
