/* SPDX-License-Identifier: PostgreSQL */
/* The uploads that wait for a worker: those of higher priority first, then as they came; those of a
 * profile that has its limit of workers are passed over. Adding, taking out and finding the next
 * take as long however many there are: the queue is a list for each profile and priority. */
#ifndef SUPERVISOR_QUEUE_H
#define SUPERVISOR_QUEUE_H

#include "base/priority.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct upload;

/* The uploads of one profile. */
struct queue_line {
    char *profile;
    struct upload *first[PRIORITY_COUNT], *last[PRIORITY_COUNT];
    size_t running; /* of its uploads have a worker's slot */
};

struct queue {
    struct queue_line **lines; /* one for each profile that ever had an upload */
    size_t line_count;
    size_t count;    /* of uploads that wait */
    uint64_t number; /* of the last that was added */
};

/* Frees the lines; what waits in them is the caller's. */
void queue_fini(struct queue *queue);

/* Last of its profile and priority. */
void queue_add(struct queue *queue, struct upload *upload);
void queue_remove(struct queue *queue, struct upload *upload);

/* Who is next, of those whose profile has not as many workers as `conf` allows; NULL: nobody. */
struct upload *queue_next(const struct queue *queue, const struct conf *conf);

/* Has the upload's profile as many workers as it may? */
bool queue_is_full(const struct upload *upload, const struct conf *conf);

/* How many are in front of it, whatever their profiles; counts at most `most`. */
size_t queue_in_front(const struct queue *queue, const struct upload *upload, size_t most);

#endif
