/* SPDX-License-Identifier: PostgreSQL */
/* One file of a spool: it settles, is uploaded, and is moved out, or left to whom stopped or killed
 * it. What is to be done is read from its tracker each time. */
#ifndef SUPERVISOR_SPOOL_ARRIVAL_H
#define SUPERVISOR_SPOOL_ARRIVAL_H

#include "base/error.h"
#include "base/identity.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stdint.h>

struct arrival;
struct spool_out;
struct spool_file;
struct supervisor;

/* Asked: the database for its tracker. Left: to whom stopped or killed it, or as nothing that can
 * be uploaded. */
enum arrival_step { ARRIVAL_SETTLES, ARRIVAL_ASKED, ARRIVAL_UPLOADED, ARRIVAL_MOVES, ARRIVAL_LEFT };

/* What all files of a spool share; it outlives them. */
struct arrival_spool {
    struct supervisor *supervisor;
    const struct conf_spool *conf;
    /* Nobody works on it any more; it is worth a look in so many milliseconds. */
    void (*on_rest)(void *arg, struct arrival *arrival, uint64_t ms);
    void *arg;
};

struct arrival {
    const struct arrival_spool *spool;
    char *name, *path;
    const char *unfit;        /* why it cannot be uploaded, static, or NULL */
    struct identity identity; /* as last seen; all 0: it was only told of */
    enum arrival_step step;
    bool writing, complete; /* by what inotify tells; by its companion, or moved in */
    bool listed, told;      /* why it is left, that is */
    uint64_t born;          /* the look that was the last when it was first heard of */
    uint64_t since_ms;      /* it has been as it is */
    uint64_t not_before_ms;
    struct error refusal; /* that its tracker was asked about: ERR_ALREADY_UPLOADED */
    struct spool_out *out;
};

struct arrival *arrival_new(const struct arrival_spool *spool, const char *name, uint64_t look);
void arrival_free(struct arrival *arrival);

/* The folder has it, as it is now. */
void arrival_seen(struct arrival *arrival, const struct spool_file *file);

/* Works anybody on it? */
bool arrival_rests(const struct arrival *arrival);

/* When it is to be begun with, in the loop's milliseconds, if nothing more happens to it;
 * UINT64_MAX: not without news. */
uint64_t arrival_due_ms(const struct arrival *arrival);

/* Begins; on_rest follows, unless it is freed before. */
void arrival_begin(struct arrival *arrival);

/* The connections are closed. */
void arrival_database_lost(struct arrival *arrival);

/* The supervisor ends: what moves it is let go of. */
void arrival_stop(struct arrival *arrival);

#endif
