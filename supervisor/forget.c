/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/forget.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "supervisor/answers.h"
#include "supervisor/database.h"
#include "supervisor/refusals.h"
#include "supervisor/supervisor.h"
#include "supervisor/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct forget {
    struct supervisor *supervisor;
    struct request *request;
    struct db_conn *conn;
    struct tracker row; /* as it was when it was asked for */
    bool rows;          /* go, too */
    int64_t uid;        /* who asked */
    int64_t left;       /* an earlier upload of the file, which is there still; 0: none */
    int64_t left_rows;
    struct forget *next;
};

/* One at a time: each has a connection of its own, which uploads may be in need of. */
static void begin_first(struct supervisor *supervisor);

static void forget_free(struct forget *forget)
{
    struct forget **at = &forget->supervisor->forgets;

    while (*at != forget)
        at = &(*at)->next;
    *at = forget->next;
    db_conn_close(forget->conn);
    tracker_fini(&forget->row);
    free(forget);
}

void forgets_stop(struct supervisor *supervisor)
{
    while (supervisor->forgets)
        forget_free(supervisor->forgets); /* NOLINT(clang-analyzer-unix.Malloc): takes it out */
}

/* ---- the answers ---- */

/* Who names the file means, as like as not, all of its uploads. */
static void add_left(char *note, size_t size, const struct forget *forget)
{
    char rows[TEXT_COUNTED_BYTES];
    size_t used = strlen(note);

    snprintf(note + used, size - used, "; upload %lld of the same file is still there, with %s",
             (long long)forget->left, text_counted(rows, forget->left_rows, "row"));
}

static json_t *answer_of(const struct forget *forget)
{
    char rows[TEXT_COUNTED_BYTES];
    char note[2 * TEXT_COUNTED_BYTES + 160];
    json_t *message = ipc_new(IPC_OBJECT);

    text_counted(rows, forget->row.rows, "row");
    if (forget->rows)
        snprintf(note, sizeof note, "%s deleted", rows);
    else
        snprintf(note, sizeof note, "%s left in the table, which no upload owns any more", rows);
    if (forget->left)
        add_left(note, sizeof note, forget);
    json_object_set_new(message, "upload", answer_upload(forget->supervisor, &forget->row, NULL));
    json_object_set_new(message, "note", json_string(note));
    json_object_set_new(message, "last", json_true());
    return message;
}

static void end(struct forget *forget, const struct error *err)
{
    struct request *request = forget->request;

    if (!request_looked(request))
        request = NULL;
    if (request && err)
        request_refuse(request, err);
    else if (request)
        request_done(request, answer_of(forget));
    struct supervisor *supervisor = forget->supervisor;
    forget_free(forget);
    begin_first(supervisor);
}

/* Its history goes with it. */
static void log_forgotten(const struct forget *forget)
{
    log_line(LOG_LEVEL_NOTICE, forget->row.id, "forgotten rows=%lld %s uid=%lld path=%s",
             (long long)forget->row.rows, forget->rows ? "deleted" : "left", (long long)forget->uid,
             log_value(forget->row.path).text);
}

static void on_left(void *arg, const struct tracker *row, const struct db_error *err)
{
    struct forget *forget = arg;

    if (!err && row) {
        forget->left = row->id;
        forget->left_rows = row->rows;
    }
    end(forget, NULL); /* it is forgotten, whatever became of the question */
}

static void on_forgotten(void *arg, bool gone, const struct db_error *err)
{
    struct forget *forget = arg;
    struct error moved;

    if (err) {
        end(forget, &err->error);
    } else if (gone) {
        log_forgotten(forget);
        tracker_by_path(forget->conn, forget->row.path, on_left, forget);
    } else {
        refusal_moved_on(&forget->row, &moved);
        end(forget, &moved);
    }
}

/* ---- its connection ---- */

static void on_ready(void *arg)
{
    struct forget *forget = arg;

    tracker_forget(forget->conn, &forget->row, !forget->rows, on_forgotten, forget);
}

static void on_lost(void *arg, const struct db_error *err)
{
    end(arg, &err->error);
}

static const struct db_events conn_events = {on_ready, on_lost};

static void begin_first(struct supervisor *supervisor)
{
    struct forget *first = supervisor->forgets;

    if (first && !first->conn)
        first->conn = database_connect(supervisor->database, &conn_events, first);
}

void forget_begin(struct request *request, const struct tracker *row)
{
    struct supervisor *supervisor = request->supervisor;
    struct error err;

    if (target_in_progress(supervisor, row)) {
        refusal_in_progress(row, &err);
        request_refuse(request, &err);
        return;
    }
    struct forget *forget = NEW(struct forget);
    forget->supervisor = supervisor;
    forget->request = request;
    forget->rows = request->rows;
    tracker_copy(&forget->row, row);
    forget->uid = request->uid;
    struct forget **last = &supervisor->forgets;
    while (*last)
        last = &(*last)->next;
    *last = forget;
    request->looking = true;
    begin_first(supervisor);
}
