/* SPDX-License-Identifier: PostgreSQL */
/* The supervisor as a whole: what its parts find each other by. Owned by main. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "conf/conf.h"
#include "supervisor/command_line.h"
#include "supervisor/metrics.h"

#include <stdbool.h>
#include <uv.h>

struct batch;
struct control;
struct database;
struct forget;
struct place;
struct proving;
struct requests;
struct shutdown;
struct spools;
struct systemd;
struct uploads;
struct workers;

struct supervisor {
    uv_loop_t *loop;
    struct conf conf;
    const char *conf_path; /* NULL: defaults alone */
    char *name;            /* the owner of its uploads */
    char start[17];        /* random: tells this life from earlier ones */
    struct place *place;
    struct database *database;
    struct uploads *uploads;
    struct workers *workers;
    struct requests *requests;
    struct control *control;
    struct shutdown *shutdown;
    struct systemd *systemd;
    struct forget *forgets;   /* the first is under way, the others wait for it */
    struct proving *provings; /* under way */
    struct batch *batch;      /* NULL: it is the service, which has: */
    struct spools *spools;
    bool open;      /* the database is connected, migrated and recovered */
    bool recovered; /* once in a life */
    bool paused;    /* no upload is begun */
    bool ending;    /* a signal has come, or the batch is done */
    bool closed;    /* the parts are closing; the loop ends by itself */
    struct metrics metrics;
    int exit_code;
    uint64_t away_since_ms; /* uv_now when the database was lost; of the start until it was there */
    uv_signal_t signals[UPLOADERD_SIGNAL_COUNT];
};

/* Builds the parts and starts them: the socket listens, the database is being connected. Errors:
 * ERR_ANOTHER_SUPERVISOR, ERR_SYSTEM; then only supervisor_fini is left to call. `supervisor` has
 * loop, conf and conf_path set, and all else 0. */
int supervisor_start(struct supervisor *supervisor, bool batch, bool include_stopped,
                     struct error *err) MUST_USE;

/* The database became usable, or was lost: what waits for it goes on. */
void supervisor_database_open(struct supervisor *supervisor);
void supervisor_database_lost(struct supervisor *supervisor);

/* Ends in order: files in progress reach a recovery point, then the loop has nothing left. What
 * does not come to rest in stop_timeout and some seconds is left to the next life. */
void supervisor_end(struct supervisor *supervisor, int exit_code, const char *why);

/* What only the database could show makes it impossible to go on: one line, and EXIT_FAILED. The
 * workers die with the process. */
NO_RETURN void supervisor_give_up(struct supervisor *supervisor, const struct error *err);

/* Ends the process at once, and in order only in this: the socket is gone, and a batch has printed
 * what it knows. Waits for no thread. */
NO_RETURN void supervisor_leave(struct supervisor *supervisor, int exit_code);

/* Reads the configuration again; keeps the old one when the new one is wrong. */
void supervisor_reload(struct supervisor *supervisor);

/* Called when an upload came to rest: the last one lets an ending supervisor go. */
void supervisor_upload_rested(struct supervisor *supervisor);

/* Frees everything after the loop has ended, or after supervisor_start has failed. The loop is to
 * run once more, for the handles that are closed here; supervisor->exit_code stays. */
void supervisor_fini(struct supervisor *supervisor);

#endif
