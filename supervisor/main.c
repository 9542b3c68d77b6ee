/* SPDX-License-Identifier: PostgreSQL */
/* uploaderd: its command line, and the loop. */
#include "base/codes.h"
#include "base/core.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/version.h"
#include "conf/conf.h"
#include "db/conn.h"
#include "ipc/messages.h"
#include "supervisor/command_line.h"
#include "supervisor/states.h"
#include "supervisor/supervisor.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct arguments {
    const char *config; /* NULL: defaults alone */
    const char *states; /* how to print them; NULL: not */
    bool check, batch, include_stopped, help, version;
};

static const struct option options[] = {
#define X(letter, shown, name, takes, what) {name, takes, NULL, letter},
    UPLOADERD_OPTIONS(X)
#undef X
        {NULL, 0, NULL, 0},
};

static void print_help(void)
{
    printf(
        "uploaderd uploads CSV files into PostgreSQL; uploadctl talks to it.\n\n"
        "  uploaderd --config uploader.conf           the service, in the foreground\n"
        "  uploaderd --config uploader.conf --batch   one run over the [batch NAME] sections\n\n");
#define X(letter, shown, name, takes, what) printf("  %-22s %s\n", shown, what);
    UPLOADERD_OPTIONS(X)
#undef X
    printf("\nSignals:\n");
#define X(signal, what) printf("  %-22s %s\n", #signal, what);
    UPLOADERD_SIGNALS(X)
#undef X
    printf("\nExit codes:\n");
#define X(code, when) printf("  %-22d %s\n", (int)(code), when);
    UPLOADERD_EXITS(X)
#undef X
}

static bool set_option(struct arguments *arguments, int letter, const char *value)
{
    switch (letter) {
    case 'c':
        arguments->config = value;
        return true;
    case 'k':
        return arguments->check = true;
    case 'b':
        return arguments->batch = true;
    case 'i':
        return arguments->include_stopped = true;
    case 'p':
        arguments->states = value ? value : "text";
        return true;
    case 'h':
        return arguments->help = true;
    case 'v':
        return arguments->version = true;
    default: /* allowed: a letter is no enum, and getopt_long has said what is wrong */
        return false;
    }
}

/* What is wrong with them, as a sentence; NULL: nothing. */
static const char *complaint(const struct arguments *arguments)
{
    if (arguments->include_stopped && !arguments->batch)
        return "--include-stopped goes with --batch";
    if (arguments->states && strcmp(arguments->states, "text") != 0 &&
        strcmp(arguments->states, "dot") != 0)
        return "--print-states prints \"text\" or \"dot\"";
    return NULL;
}

static bool parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    static char name[] = "uploaderd"; /* for getopt_long's complaints, as for all others */
    int letter;

    argv[0] = name;
    while ((letter = getopt_long(argc, argv, "h", options, NULL)) != -1)
        if (!set_option(arguments, letter, optarg))
            return false;
    const char *wrong = complaint(arguments);
    if (wrong)
        fprintf(stderr, "uploaderd: %s\n", wrong);
    else if (optind < argc)
        fprintf(stderr, "uploaderd: unexpected argument \"%s\"\n", argv[optind]);
    return !wrong && optind == argc;
}

/* Standard descriptors that are closed would become somebody's file or socket. */
static void hold_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR); /* the lowest that is free */
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* Clients and workers take descriptors: as many as are allowed. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(struct supervisor *supervisor, const struct arguments *arguments)
{
    static uv_loop_t loop; /* the process has one */
    struct error err;

    log_set_level(supervisor->conf.log_level);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a log that may not grow is no reason to end */
    umask(027);
    int rc = uv_loop_init(&loop);
    if (rc < 0)
        log_fatal("the event loop cannot be started: %s", uv_strerror(rc));
    supervisor->loop = &loop;
    if (pool_start(&loop, &err) < 0 ||
        supervisor_start(supervisor, arguments->batch, arguments->include_stopped, &err) < 0) {
        log_error(0, &err, "uploaderd cannot start");
        supervisor->exit_code = EXIT_FAILED;
    } else {
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    supervisor_fini(supervisor);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return supervisor->exit_code;
}

/* What needs no configuration; -1: that is needed. */
static int only_print(const struct arguments *arguments)
{
    if (arguments->help)
        print_help();
    else if (arguments->version)
        printf("uploaderd %s\n", UPLOADER_VERSION);
    else if (arguments->states)
        (strcmp(arguments->states, "dot") == 0 ? states_print_dot : states_print_text)(stdout);
    else
        return -1;
    return EXIT_DONE;
}

static int load_conf(struct supervisor *supervisor, const struct arguments *arguments)
{
    int rc = conf_load(&supervisor->conf, arguments->config, db_conninfo_check, stderr);

    if (rc < 0)
        return rc;
    supervisor->conf_path = arguments->config;
    if (!arguments->batch || supervisor->conf.batch_count > 0)
        return 0;
    fprintf(stderr, "uploaderd: --batch has nothing to do: the configuration has no section "
                    "[batch NAME]\n");
    conf_fini(&supervisor->conf);
    return -ERR_CONFIG;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct supervisor supervisor = {0};

    hold_standard_descriptors();
    raise_descriptors();
    core_forbid();
    log_init("uploaderd");
    ipc_init();
    if (!parse_arguments(argc, argv, &arguments)) {
        fprintf(stderr, "uploaderd: see uploaderd --help\n");
        return EXIT_USAGE;
    }
    int exit_code = only_print(&arguments);
    if (exit_code >= 0)
        return exit_code;
    if (load_conf(&supervisor, &arguments) < 0)
        return EXIT_USAGE;
    if (arguments.check) {
        printf("ok\n");
        exit_code = EXIT_DONE;
    } else {
        exit_code = run(&supervisor, &arguments);
    }
    conf_fini(&supervisor.conf);
    return exit_code;
}
