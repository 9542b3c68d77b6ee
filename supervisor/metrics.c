/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/metrics.h"

#include "base/mem.h"
#include "base/version.h"
#include "supervisor/control.h"
#include "supervisor/supervisor.h"
#include "supervisor/uploads.h"

#include <inttypes.h>
#include <stdio.h>

enum metric {
    METRIC_BUILD_INFO,
    METRIC_DATABASE_UP,
    METRIC_PAUSED,
    METRIC_WORKERS,
    METRIC_WORKERS_MAX,
    METRIC_QUEUE,
    METRIC_QUEUE_MAX,
    METRIC_CLIENTS,
    METRIC_TRANSITIONS,
    METRIC_ROWS,
    METRIC_REJECTS,
    METRIC_BYTES,
    METRIC_CRASHES,
    METRIC_LOSSES,
    METRIC_COUNT
};

static const struct {
    const char *name, *type, *help;
} table[METRIC_COUNT] = {
    [METRIC_BUILD_INFO] = {"uploader_build_info", "gauge", "The version, as a label."},
    [METRIC_DATABASE_UP] = {"uploader_database_up", "gauge", "Whether the database can be used."},
    [METRIC_PAUSED] = {"uploader_paused", "gauge", "Whether the service is paused."},
    [METRIC_WORKERS] = {"uploader_workers", "gauge", "Uploads that have a worker's place."},
    [METRIC_WORKERS_MAX] = {"uploader_workers_max", "gauge", "The option max_workers."},
    [METRIC_QUEUE] = {"uploader_queue_length", "gauge", "Uploads that wait for a worker."},
    [METRIC_QUEUE_MAX] = {"uploader_queue_length_max", "gauge", "The option max_queued."},
    [METRIC_CLIENTS] = {"uploader_clients", "gauge", "Connections to the control socket."},
    [METRIC_TRANSITIONS] = {"uploader_transitions_total", "counter",
                            "Transitions of uploads that are durable, by what happened."},
    [METRIC_ROWS] = {"uploader_rows_total", "counter", "Rows that were committed."},
    [METRIC_REJECTS] = {"uploader_rejects_total", "counter", "Rejects that were committed."},
    [METRIC_BYTES] = {"uploader_bytes_total", "counter", "Bytes of files that were committed."},
    [METRIC_CRASHES] = {"uploader_worker_crashes_total", "counter",
                        "Workers that ended without saying why."},
    [METRIC_LOSSES] = {"uploader_database_losses_total", "counter",
                       "Times that the database was lost."},
};

static int64_t value_of(const struct supervisor *supervisor, enum metric metric)
{
    const struct metrics *metrics = &supervisor->metrics;

    switch (metric) {
    case METRIC_DATABASE_UP:
        return supervisor->open;
    case METRIC_PAUSED:
        return supervisor->paused;
    case METRIC_WORKERS:
        return (int64_t)uploads_running(supervisor->uploads);
    case METRIC_WORKERS_MAX:
        return supervisor->conf.max_workers;
    case METRIC_QUEUE:
        return (int64_t)uploads_queued(supervisor->uploads);
    case METRIC_QUEUE_MAX:
        return supervisor->conf.max_queued;
    case METRIC_CLIENTS:
        return (int64_t)control_clients(supervisor->control);
    case METRIC_ROWS:
        return metrics->rows;
    case METRIC_REJECTS:
        return metrics->rejects;
    case METRIC_BYTES:
        return metrics->bytes;
    case METRIC_CRASHES:
        return metrics->crashes;
    case METRIC_LOSSES:
        return metrics->losses;
    case METRIC_BUILD_INFO:
    case METRIC_TRANSITIONS:
    case METRIC_COUNT:
        break;
    }
    return 1;
}

static void print_samples(FILE *out, const struct supervisor *supervisor, enum metric metric)
{
    const char *name = table[metric].name;

    if (metric == METRIC_BUILD_INFO) {
        fprintf(out, "%s{version=\"%s\"} 1\n", name, UPLOADER_VERSION);
    } else if (metric == METRIC_TRANSITIONS) {
        for (enum move move = 0; move < MOVE_COUNT; move++)
            if (move_is_transition(move))
                fprintf(out, "%s{event=\"%s\"} %" PRId64 "\n", name, move_table[move].event,
                        supervisor->metrics.moves[move]);
    } else {
        fprintf(out, "%s %" PRId64 "\n", name, value_of(supervisor, metric));
    }
}

char *metrics_text(const struct supervisor *supervisor)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        mem_none("a text");
    for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", table[metric].name, table[metric].help,
                table[metric].name, table[metric].type);
        print_samples(out, supervisor, metric);
    }
    if (fclose(out) != 0)
        mem_none("a text");
    return text;
}
