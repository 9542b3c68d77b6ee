/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/proving.h"

#include "base/mem.h"
#include "base/text.h"
#include "supervisor/answers.h"
#include "supervisor/crew.h"
#include "supervisor/refusals.h"
#include "supervisor/supervisor.h"
#include "supervisor/targets.h"

#include <stdio.h>
#include <stdlib.h>

struct proving {
    struct supervisor *supervisor;
    struct request *request;
    struct worker *worker;
    struct tracker row;          /* as it was when it was asked for */
    struct worker_report so_far; /* as the worker says */
    struct proving *next;
};

static void proving_free(struct proving *proving)
{
    struct proving **at = &proving->supervisor->provings;

    while (*at != proving)
        at = &(*at)->next;
    *at = proving->next;
    tracker_fini(&proving->row);
    free(proving);
}

void provings_stop(struct supervisor *supervisor)
{
    while (supervisor->provings) {
        worker_abandon(supervisor->provings->worker);
        proving_free(supervisor->provings); /* NOLINT(clang-analyzer-unix.Malloc): takes it out */
    }
}

void proving_leave(const struct request *request)
{
    for (struct proving *p = request->supervisor->provings; p; p = p->next)
        if (p->request == request)
            worker_kill(p->worker);
}

/* ---- what the worker says ---- */

static json_t *answer_of(const struct proving *proving, const struct worker_report *report)
{
    json_t *message = ipc_new(IPC_OBJECT);
    struct tracker shown = proving->row;

    if (report) {
        shown.line = report->line;
        shown.offset = report->offset;
        shown.rows = report->rows;
        shown.rejects = report->rejects;
    }
    json_object_set_new(message, "upload", answer_upload(proving->supervisor, &shown, NULL));
    json_object_set_new(message, "last", json_boolean(!report));
    return message;
}

static void on_ready(void *arg, int64_t size)
{
    struct proving *proving = arg;

    if (size > 0)
        proving->row.identity.size = size;
}

static void on_report(void *arg, bool rolling, const struct worker_report *report)
{
    struct proving *proving = arg;

    (void)rolling;
    request_send(proving->request, answer_of(proving, report));
}

static json_t *last_answer(const struct proving *proving)
{
    char rows[TEXT_COUNTED_BYTES];
    char rejects[TEXT_COUNTED_BYTES];
    char note[2 * TEXT_COUNTED_BYTES + 80];
    json_t *message = answer_of(proving, NULL);

    snprintf(note, sizeof note, "%s and %s are exactly what the file says",
             text_counted(rows, proving->row.rows, "row"),
             text_counted(rejects, proving->row.rejects, "reject"));
    json_object_set_new(message, "note", json_string(note));
    return message;
}

static void refuse(struct request *request, const struct tracker *row, const struct error *why)
{
    struct error err = *why;

    if (why->code == ERR_FILE_MISSING && !request->at)
        refusal_not_there(row, &err);
    request_refuse(request, &err);
}

static void on_ended(void *arg, const struct ending *ending)
{
    struct proving *proving = arg;
    struct request *request = proving->request;

    if (!request_looked(request))
        request = NULL;
    if (request && ending->outcome == OUTCOME_EQUAL)
        request_done(request, last_answer(proving));
    else if (request)
        refuse(request, &proving->row, &ending->error);
    proving_free(proving);
}

static const struct worker_events events = {on_ready, on_report, on_ended};

/* ---- the beginning ---- */

static int64_t count(const struct supervisor *supervisor)
{
    int64_t found = 0;

    for (const struct proving *p = supervisor->provings; p; p = p->next)
        found++;
    return found;
}

static int check(const struct supervisor *supervisor, const struct tracker *row, struct error *err)
{
    if (target_in_progress(supervisor, row))
        return refusal_in_progress(row, err);
    if (count(supervisor) >= supervisor->conf.max_workers)
        return refusal_provings(count(supervisor), err);
    return 0;
}

void proving_begin(struct request *request, const struct tracker *row)
{
    const struct task verify = {.mode = JOB_VERIFY, .at = request->at};
    struct supervisor *supervisor = request->supervisor;
    struct error err;

    if (check(supervisor, row, &err) < 0) {
        request_refuse(request, &err);
        return;
    }
    struct proving *proving = NEW(struct proving);
    proving->supervisor = supervisor;
    proving->request = request;
    tracker_copy(&proving->row, row);
    proving->next = supervisor->provings;
    supervisor->provings = proving;
    if (crew_spawn(supervisor, row, &verify, &events, proving, &proving->worker, &err) < 0) {
        proving_free(proving);
        request_refuse(request, &err);
        return;
    }
    request->looking = true;
}
