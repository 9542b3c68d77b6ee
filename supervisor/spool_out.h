/* SPDX-License-Identifier: PostgreSQL */
/* A file on its way out of a spool: its rejects (NAME.rejects.csv), then its receipt (NAME.json),
 * then the file itself, each durable before the next. Killed in between, all of it is done again,
 * under the same names. A name that is taken there gets the upload's number, or the time, behind
 * it; if that is taken, too, also .2, .3 and so on. */
#ifndef SUPERVISOR_SPOOL_OUT_H
#define SUPERVISOR_SPOOL_OUT_H

#include "base/error.h"
#include "base/identity.h"
#include "db/conn.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* The longest name of a file, in bytes, which leaves room (NAME_MAX) for what is put behind it. */
#define SPOOL_NAME_MAX 200

struct spool_out;

struct spool_parcel {
    const char *folder, *name; /* where it lies */
    const char *to;            /* the folder for it, which is made if it is not there */
    struct identity identity;  /* what it must still be: device, inode, size, mtime */
    int64_t tracker;           /* 0: there is none */
    int64_t rejects;           /* that the tracker has */
    json_t *receipt;           /* taken over */
    bool advises;              /* what its error's hint names is meant as it lies there, moved */
};

/* Gone: it lies there now, as `to_path`. Else `err` says why not: ERR_FILE_CHANGED when it is
 * another file by now, ERR_DATABASE_AWAY when the rejects could not be read. */
typedef void (*on_spool_out)(void *arg, const char *to_path, const struct error *err);

/* `conn` is NULL while the database is away, and may be closed before the end: then
 * spool_out_database_lost is to be called. All else is copied. */
struct spool_out *spool_out_new(uv_loop_t *loop, struct db_conn *conn,
                                const struct spool_parcel *parcel, on_spool_out done, void *arg);

/* What was asked of the database is not answered: it ends with ERR_DATABASE_AWAY. */
void spool_out_database_lost(struct spool_out *out);

/* Nobody waits for it any more, and the connection is closed: no call-back comes; what the thread
 * pool does is done. */
void spool_out_leave(struct spool_out *out);

#endif
