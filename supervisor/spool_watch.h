/* SPDX-License-Identifier: PostgreSQL */
/* What inotify(7) tells of a spool's folder. It may miss things (a full queue, a folder that came
 * later, a network file system): the folder is looked at from time to time as well. */
#ifndef SUPERVISOR_SPOOL_WATCH_H
#define SUPERVISOR_SPOOL_WATCH_H

#include <uv.h>

struct spool_watch;

enum spool_news {
    SPOOL_MADE,    /* the file is new: empty as yet, or linked and whole; nobody has to close it */
    SPOOL_WRITTEN, /* somebody writes to the file, and has it open */
    SPOOL_CLOSED,  /* who wrote has closed it */
    SPOOL_MOVED_IN,
    SPOOL_MISSED /* anything may have happened; no name */
};

/* `name` is borrowed, and NULL when there is none. */
typedef void (*on_spool_news)(void *arg, enum spool_news news, const char *name);

/* Watches nothing yet; NULL when that cannot be done now. */
struct spool_watch *spool_watch_new(uv_loop_t *loop, on_spool_news tell, void *arg);

/* Watches what the path leads to now: the folder may have come since, or be another. What cannot be
 * watched tells nothing. */
void spool_watch_renew(struct spool_watch *watch, const char *folder);

/* NULL is allowed. */
void spool_watch_close(struct spool_watch *watch);

#endif
