/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/queue.h"

#include "base/mem.h"
#include "conf/conf.h"
#include "supervisor/upload.h"

#include <stdlib.h>
#include <string.h>

void queue_fini(struct queue *queue)
{
    for (size_t i = 0; i < queue->line_count; i++) {
        free(queue->lines[i]->profile);
        free(queue->lines[i]);
    }
    free(queue->lines);
    *queue = (struct queue){0};
}

static struct queue_line *line_of(struct queue *queue, const char *profile)
{
    for (size_t i = 0; i < queue->line_count; i++)
        if (strcmp(queue->lines[i]->profile, profile) == 0)
            return queue->lines[i];
    struct queue_line *line = NEW(struct queue_line);
    line->profile = mem_dup(profile);
    queue->lines = mem_resize(queue->lines, queue->line_count + 1, sizeof(struct queue_line *));
    queue->lines[queue->line_count++] = line;
    return line;
}

/* The priority as an index: what a row of another version may have is taken to the nearest. */
static size_t level_of(const struct upload *upload)
{
    int64_t priority = upload->row.priority;

    if (priority < PRIORITY_LEAST)
        priority = PRIORITY_LEAST;
    if (priority > PRIORITY_MOST)
        priority = PRIORITY_MOST;
    return (size_t)(priority - PRIORITY_LEAST);
}

void queue_add(struct queue *queue, struct upload *upload)
{
    size_t level = level_of(upload);
    struct queue_line *line = line_of(queue, upload->profile);

    upload->line = line;
    upload->level = level;
    upload->number = ++queue->number;
    upload->next_queued = NULL;
    upload->prev_queued = line->last[level];
    if (line->last[level])
        line->last[level]->next_queued = upload;
    else
        line->first[level] = upload;
    line->last[level] = upload;
    queue->count++;
}

void queue_remove(struct queue *queue, struct upload *upload)
{
    struct queue_line *line = upload->line;

    if (upload->prev_queued)
        upload->prev_queued->next_queued = upload->next_queued;
    else
        line->first[upload->level] = upload->next_queued;
    if (upload->next_queued)
        upload->next_queued->prev_queued = upload->prev_queued;
    else
        line->last[upload->level] = upload->prev_queued;
    queue->count--;
}

static bool is_full(const struct queue_line *line, const struct conf *conf)
{
    const struct profile *profile = conf_profile(conf, line->profile);

    return profile && profile->max_workers > 0 && line->running >= (size_t)profile->max_workers;
}

bool queue_is_full(const struct upload *upload, const struct conf *conf)
{
    return upload->line && is_full(upload->line, conf);
}

static struct upload *first_of(const struct queue_line *line)
{
    for (size_t level = PRIORITY_COUNT; level-- > 0;)
        if (line->first[level])
            return line->first[level];
    return NULL;
}

static bool is_before(const struct upload *a, const struct upload *b)
{
    return a->level != b->level ? a->level > b->level : a->number < b->number;
}

struct upload *queue_next(const struct queue *queue, const struct conf *conf)
{
    struct upload *next = NULL;

    for (size_t i = 0; i < queue->line_count; i++) {
        struct upload *first = is_full(queue->lines[i], conf) ? NULL : first_of(queue->lines[i]);
        if (first && (!next || is_before(first, next)))
            next = first;
    }
    return next;
}

size_t queue_in_front(const struct queue *queue, const struct upload *upload, size_t most)
{
    size_t count = 0;

    for (size_t i = 0; i < queue->line_count; i++)
        for (size_t level = PRIORITY_COUNT; level-- > upload->level;)
            for (const struct upload *other = queue->lines[i]->first[level];
                 other && count < most && is_before(other, upload); other = other->next_queued)
                count++;
    return count;
}
