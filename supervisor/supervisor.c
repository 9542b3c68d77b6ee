/* SPDX-License-Identifier: PostgreSQL */
#include "supervisor/supervisor.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "db/conn.h"
#include "supervisor/batch.h"
#include "supervisor/control.h"
#include "supervisor/database.h"
#include "supervisor/place.h"
#include "supervisor/process.h"
#include "supervisor/requests.h"
#include "supervisor/shutdown.h"
#include "supervisor/spool.h"
#include "supervisor/systemd.h"
#include "supervisor/uploads.h"

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- beginning ---- */

static int make_start(struct supervisor *supervisor, struct error *err)
{
    uint64_t random;

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_set(err, ERR_SYSTEM, "the system gives no random number");
    snprintf(supervisor->start, sizeof supervisor->start, "%016" PRIx64, random);
    return 0;
}

/* Host and socket by default; a batch has a name and a socket of its own beside the service's. */
static char *make_name(const struct conf *conf, const char *socket_path, bool batch)
{
    char host[HOST_NAME_MAX + 1] = "localhost";

    if (conf->name)
        return batch ? mem_format("%s.batch", conf->name) : mem_dup(conf->name);
    gethostname(host, sizeof host - 1);
    return mem_format("%s:%s", host, socket_path);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct supervisor *supervisor = handle->data;

    if (number == SIGHUP)
        supervisor_reload(supervisor);
    else
        supervisor_end(supervisor, supervisor->batch ? EXIT_FAILED : EXIT_DONE,
                       number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void watch_signals(struct supervisor *supervisor)
{
    static const int numbers[] = {
#define X(signal, what) signal,
        UPLOADERD_SIGNALS(X)
#undef X
    };

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        uv_signal_init(supervisor->loop, &supervisor->signals[i]);
        supervisor->signals[i].data = supervisor;
        uv_signal_start(&supervisor->signals[i], on_signal, numbers[i]);
    }
}

static int take_place(struct supervisor *supervisor, const char *socket_path, bool batch,
                      struct error *err)
{
    int given_fd = -1;
    int rc = batch ? 0 : systemd_take_socket(socket_path, &given_fd, err);

    if (rc < 0)
        return rc;
    supervisor->place = NEW(struct place);
    rc = place_take(supervisor->place, socket_path, given_fd, supervisor->start, err);

    if (rc == -(int)ERR_ANOTHER_SUPERVISOR && batch)
        error_hint(err, "A batch run is still under way, and ends by itself; begin the next when "
                        "it has.");
    if (rc < 0) {
        free(supervisor->place);
        supervisor->place = NULL;
    }
    return rc;
}

static const char *file_of(void *arg, int64_t tracker)
{
    const struct supervisor *supervisor = arg;
    const struct upload *upload = uploads_by_id(supervisor->uploads, tracker);

    return upload ? upload->path : NULL;
}

static int start_parts(struct supervisor *supervisor, struct error *err)
{
    int fd = supervisor->place->listen_fd;

    supervisor->away_since_ms = uv_now(supervisor->loop);
    supervisor->shutdown = shutdown_new(supervisor);
    supervisor->systemd = systemd_new(supervisor);
    supervisor->workers = workers_new(supervisor->loop);
    supervisor->uploads = uploads_new(supervisor);
    log_set_files(file_of, supervisor);
    supervisor->requests = requests_new(supervisor);
    supervisor->place->listen_fd = -1;
    int rc = control_new(supervisor, fd, &supervisor->control, err);
    if (rc < 0)
        return rc;
    watch_signals(supervisor);
    supervisor->database = database_new(supervisor);
    return 0;
}

int supervisor_start(struct supervisor *supervisor, bool batch, bool include_stopped,
                     struct error *err)
{
    const struct conf *conf = &supervisor->conf;
    char *socket_path = batch ? mem_format("%s.batch", conf->socket) : mem_dup(conf->socket);
    int rc = make_start(supervisor, err);

    supervisor->name = make_name(conf, socket_path, batch);
    if (rc == 0)
        rc = take_place(supervisor, socket_path, batch, err);
    if (rc == 0)
        rc = start_parts(supervisor, err);
    if (rc == 0) {
        log_line(LOG_LEVEL_INFO, 0, "started version=%s name=\"%s\" socket=%s", UPLOADER_VERSION,
                 supervisor->name, log_value(socket_path).text);
        systemd_ready(supervisor->systemd);
        if (batch)
            supervisor->batch = batch_new(supervisor, include_stopped);
        else
            supervisor->spools = spools_new(supervisor);
    }
    free(socket_path);
    return rc;
}

/* ---- the database comes and goes ---- */

void supervisor_database_open(struct supervisor *supervisor)
{
    supervisor->open = true;
    supervisor->away_since_ms = 0;
    uploads_database_open(supervisor->uploads);
    requests_database_open(supervisor->requests);
    batch_database_open(supervisor->batch);
    spools_database_open(supervisor->spools);
}

void supervisor_database_lost(struct supervisor *supervisor)
{
    supervisor->open = false;
    supervisor->metrics.losses++;
    supervisor->away_since_ms = uv_now(supervisor->loop);
    uploads_database_lost(supervisor->uploads);
    requests_database_lost(supervisor->requests);
    batch_database_lost(supervisor->batch);
    spools_database_lost(supervisor->spools);
    shutdown_database_lost(supervisor->shutdown);
}

/* ---- the end ---- */

void supervisor_upload_rested(struct supervisor *supervisor)
{
    shutdown_look(supervisor->shutdown);
}

void supervisor_end(struct supervisor *supervisor, int exit_code, const char *why)
{
    if (supervisor->ending)
        return;
    log_line(LOG_LEVEL_INFO, 0, "ending why=\"%s\" running=%zu queued=%zu", why,
             uploads_running(supervisor->uploads), uploads_queued(supervisor->uploads));
    supervisor->ending = true;
    supervisor->exit_code = exit_code;
    systemd_stopping(supervisor->systemd, shutdown_longest_ms(&supervisor->conf));
    batch_stop(supervisor->batch);
    control_stop_listening(supervisor->control);
    shutdown_begin(supervisor->shutdown);
}

/* _exit: exit would wait for the thread pool, which may hang on a dead file server. */
void supervisor_leave(struct supervisor *supervisor, int exit_code)
{
    if (supervisor->batch && supervisor->closed)
        exit_code = batch_report(supervisor->batch);
    place_leave(supervisor->place);
    fflush(NULL);
    _exit(exit_code);
}

void supervisor_give_up(struct supervisor *supervisor, const struct error *err)
{
    log_error(0, err, "uploaderd ends");
    supervisor_leave(supervisor, EXIT_FAILED);
}

/* ---- the configuration ---- */

/* Each line of what conf_load wrote becomes a line of the log. */
static void log_lines(char *text, enum log_level level)
{
    char *rest = text;
    char *line;

    while ((line = strsep(&rest, "\n")))
        if (line[0])
            log_line(level, 0, "%s", line);
}

static bool differs(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) != 0 : a != b;
}

/* What this life stands on stays as it is. */
static void keep(const char *option, char **now, char **then)
{
    char *swap = *now;

    if (differs(*now, *then))
        log_line(LOG_LEVEL_WARNING, 0, "%s counts from the next start on", option);
    *now = *then;
    *then = swap;
}

/* The running ones point to theirs, and what they upload needs folder and profile. */
static void keep_spools(struct conf *now, struct conf *then)
{
    bool differ = now->spool_count != then->spool_count;

    for (size_t i = 0; !differ && i < now->spool_count; i++)
        differ = !conf_spool_same(&now->spools[i], &then->spools[i]);
    if (differ)
        log_line(LOG_LEVEL_WARNING, 0, "sections [spool NAME] count from the next start on");
    conf_keep_spools(now, then);
}

static void take_over(struct supervisor *supervisor, struct conf *conf)
{
    keep("database.conninfo", &conf->conninfo, &supervisor->conf.conninfo);
    keep("database.schema", &conf->schema, &supervisor->conf.schema);
    keep("supervisor.socket", &conf->socket, &supervisor->conf.socket);
    keep("supervisor.name", &conf->name, &supervisor->conf.name);
    keep_spools(conf, &supervisor->conf);
    conf_fini(&supervisor->conf);
    supervisor->conf = *conf;
    database_password_changed(supervisor->database);
    log_set_level(conf->log_level);
    log_line(LOG_LEVEL_INFO, 0, "the configuration was read again");
    uploads_schedule(supervisor->uploads);
}

void supervisor_reload(struct supervisor *supervisor)
{
    struct conf conf;
    char *text = NULL;
    size_t size;
    FILE *errors = open_memstream(&text, &size);

    if (!errors)
        mem_none("a text");
    systemd_reloading(supervisor->systemd);
    int rc = conf_load(&conf, supervisor->conf_path, db_conninfo_check, errors);
    fclose(errors);
    log_lines(text, rc < 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING);
    if (rc < 0) {
        log_line(LOG_LEVEL_ERROR, 0, "the configuration is wrong; the old one stays in force");
    } else {
        take_over(supervisor, &conf);
    }
    free(text);
    systemd_ready(supervisor->systemd);
}

void supervisor_fini(struct supervisor *supervisor)
{
    if (supervisor->batch)
        supervisor->exit_code = batch_report(supervisor->batch);
    batch_free(supervisor->batch);
    spools_free(supervisor->spools);
    log_set_files(NULL, NULL);
    requests_free(supervisor->requests);
    control_free(supervisor->control);
    uploads_free(supervisor->uploads);
    workers_free(supervisor->workers);
    database_free(supervisor->database);
    shutdown_free(supervisor->shutdown);
    systemd_free(supervisor->systemd);
    if (supervisor->place)
        place_leave(supervisor->place);
    free(supervisor->place);
    free(supervisor->name);
}
