/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/pausing.h"

#include "base/log.h"
#include "db/recovery.h"
#include "supervisor/database.h"
#include "supervisor/questions.h"
#include "supervisor/supervisor.h"
#include "supervisor/uploads.h"

/* Also when nobody waits for the answer any more. */
static void take_effect(struct supervisor *supervisor, bool paused, int64_t uid)
{
    if (supervisor->paused != paused)
        log_line(LOG_LEVEL_NOTICE, 0, "%s uid=%lld", paused ? "paused" : "continued",
                 (long long)uid);
    supervisor->paused = paused;
    uploads_schedule(supervisor->uploads);
}

static void on_set(void *arg, const struct db_error *err)
{
    struct request *request = arg;

    if (!err)
        take_effect(request->supervisor, request->kind == IPC_PAUSE, request->uid);
    if (!request_asked(request))
        return;
    if (!err)
        question_ping(request);
    else if (err->meaning == DB_LOST)
        request_hold(request);
    else
        request_refuse(request, &err->error);
}

void pausing_ask(struct request *request)
{
    struct supervisor *supervisor = request->supervisor;

    if (!supervisor->open) {
        request_hold(request);
        return;
    }
    request->asking = true;
    pause_set(database_reads(supervisor->database), supervisor->name, request->uid,
              request->kind == IPC_PAUSE, on_set, request);
}
