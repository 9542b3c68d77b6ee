/* SPDX-License-Identifier: PostgreSQL */
/* All uploads in memory: found by id and by (path, profile), queued for a worker (queue.h), and let
 * go of when nothing holds them any more. */
#ifndef SUPERVISOR_UPLOADS_H
#define SUPERVISOR_UPLOADS_H

#include "supervisor/upload.h"

#include <stddef.h>

struct supervisor;
struct uploads;

struct uploads *uploads_new(struct supervisor *supervisor);

/* After the loop has ended, and the connections are closed. NULL is allowed. */
void uploads_free(struct uploads *uploads);

/* The upload of this tracker; NULL when it is not in memory. */
struct upload *uploads_by_id(struct uploads *uploads, int64_t id);

/* The upload in memory that holds this place: any but a PROCESSED one; NULL. */
struct upload *uploads_by_place(struct uploads *uploads, const char *path, const char *profile);

/* The newest unfinished upload in memory of a path; NULL. For a kill that the database leaves
 * without an answer. */
struct upload *uploads_by_path(struct uploads *uploads, const char *path);

/* A new upload, absent (row NULL), or as its row says (upload_take_up). */
struct upload *uploads_add(struct uploads *uploads, const char *path, const char *profile,
                           const struct tracker *row);

/* Its row has another id or status now: it is found by them. Before another id, or none, it is
 * taken out. */
void uploads_index(struct upload *upload);
void uploads_unindex(struct upload *upload);

/* Its state was `before`: keeps count, takes it out of the queue, frees its slot. */
void uploads_moved(struct upload *upload, enum state before);

/* Lets go of the upload in the next turn of the loop, if nothing holds it. */
void uploads_reap_later(struct upload *upload);

/* Last in the queue for workers, of those of its priority. */
void uploads_enqueue(struct upload *upload);

/* What it waits for in the queue, for people; NULL when it is not in it. Static. */
const char *uploads_waits_for(const struct upload *upload);

/* How many in the queue come before it; UPLOADS_IN_FRONT_MOST also stands for more. */
#define UPLOADS_IN_FRONT_MOST 1000
size_t uploads_in_front(const struct upload *upload);

/* Gives free workers to the queue, in the next turn of the loop: after max_workers grew, or a
 * pause is over. */
void uploads_schedule(struct uploads *uploads);

/* The database is usable: what has to be read again is, and the queue gets workers. */
void uploads_database_open(struct uploads *uploads);

/* The connections are closed, and supervisor->open is false: statements that were under way will
 * not be answered any more, and count as lost. */
void uploads_database_lost(struct uploads *uploads);

/* The supervisor ends: every upload is brought to rest, those added later too. `but_queued`: those
 * in the queue are left as they are, for now: many are better interrupted together (shutdown.c). */
void uploads_shutdown(struct uploads *uploads, bool but_queued);

/* What has not come to rest is left to the next life: no worker or timer of it keeps the loop. */
void uploads_close(struct uploads *uploads);

/* For each upload, in no order; `each` may change states. */
void uploads_each(struct uploads *uploads, void (*each)(struct upload *upload, void *arg),
                  void *arg);

size_t uploads_running(const struct uploads *uploads);
size_t uploads_queued(const struct uploads *uploads);

/* Uploads that are not at rest: a shutdown waits for them. While the database is away, those
 * without a worker will not come to rest: uploads_working counts the others. */
size_t uploads_unrested(const struct uploads *uploads);
size_t uploads_working(const struct uploads *uploads);

#endif
