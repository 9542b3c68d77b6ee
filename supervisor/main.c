/* SPDX-License-Identifier: PostgreSQL */
/* uploaderd: its command line, and the loop. */
#include "base/codes.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "supervisor/states.h"
#include "supervisor/supervisor.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct arguments {
    const char *config; /* NULL: defaults alone */
    const char *states; /* how to print them; NULL: not */
    bool check, batch, include_stopped, help, version;
};

/* X(letter, name and argument as in the help, name, does it take an argument, what it does) */
#define OPTIONS(X)                                                                                 \
    X('c', "--config FILE", "config", required_argument,                                           \
      "the configuration; without it, the defaults")                                               \
    X('k', "--check", "check", no_argument,                                                        \
      "read the configuration, say ok or what is wrong, and end")                                  \
    X('b', "--batch", "batch", no_argument, "upload what the [batch NAME] sections name, and end") \
    X('i', "--include-stopped", "include-stopped", no_argument,                                    \
      "with --batch: also what was STOPPED")                                                       \
    X('p', "--print-states[=dot]", "print-states", optional_argument,                              \
      "print the state machine, as text or for graphviz, and end")                                 \
    X('h', "--help", "help", no_argument, "print this, and end")                                   \
    X('v', "--version", "version", no_argument, "print the version, and end")

static const struct option options[] = {
#define X(letter, shown, name, takes, what) {name, takes, NULL, letter},
    OPTIONS(X)
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
    OPTIONS(X)
#undef X
    printf("\nSIGTERM and SIGINT end it in order, SIGHUP reads the configuration again.\n"
           "Exit codes: 0 ended in order; 1 failed; 2 usage or configuration. Of --batch: 0 every\n"
           "file is in; 3 with rejects; 1 otherwise.\n");
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
        return strcmp(arguments->states, "text") == 0 || strcmp(arguments->states, "dot") == 0;
    case 'h':
        return arguments->help = true;
    case 'v':
        return arguments->version = true;
    default: /* allowed: a letter is no enum, and getopt_long has said what is wrong */
        return false;
    }
}

static bool parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!set_option(arguments, letter, optarg))
            return false;
    if (optind < argc)
        fprintf(stderr, "uploaderd: \"%s\" is too much\n", argv[optind]);
    return optind == argc && (arguments->batch || !arguments->include_stopped);
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

/* A relative path stays right for a reload, wherever the process stands then. */
static int load_conf(struct supervisor *supervisor, const struct arguments *arguments)
{
    if (arguments->config) {
        supervisor->conf_path = realpath(arguments->config, NULL);
        if (!supervisor->conf_path)
            supervisor->conf_path = mem_dup(arguments->config); /* conf_load says why */
    }
    return conf_load(&supervisor->conf, supervisor->conf_path, stderr);
}

static int run(struct supervisor *supervisor, const struct arguments *arguments)
{
    uv_loop_t loop;
    struct error err;

    log_set_level(supervisor->conf.log_level);
    signal(SIGPIPE, SIG_IGN);
    umask(027);
    if (uv_loop_init(&loop) < 0)
        log_fatal("no event loop can be made");
    supervisor->loop = &loop;
    if (supervisor_start(supervisor, arguments->batch, arguments->include_stopped, &err) < 0) {
        log_error(0, &err, "uploaderd cannot start");
        return EXIT_FAILED;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    int exit_code = supervisor->exit_code;
    supervisor_fini(supervisor);
    uv_loop_close(&loop);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct supervisor supervisor = {0};

    hold_standard_descriptors();
    log_init("uploaderd");
    if (!parse_arguments(argc, argv, &arguments)) {
        fprintf(stderr, "uploaderd: see uploaderd --help\n");
        return EXIT_USAGE;
    }
    if (arguments.help) {
        print_help();
        return EXIT_DONE;
    }
    if (arguments.version) {
        printf("uploaderd %s\n", UPLOADER_VERSION);
        return EXIT_DONE;
    }
    if (arguments.states) {
        (strcmp(arguments.states, "dot") == 0 ? states_print_dot : states_print_text)(stdout);
        return EXIT_DONE;
    }
    if (load_conf(&supervisor, &arguments) < 0)
        return EXIT_USAGE;
    if (arguments.batch && supervisor.conf.batch_count == 0) {
        fprintf(stderr, "uploaderd: --batch has nothing to do: the configuration has no section "
                        "[batch NAME]\n");
        return EXIT_USAGE;
    }
    if (arguments.check)
        printf("ok\n");
    int exit_code = arguments.check ? EXIT_DONE : run(&supervisor, &arguments);
    conf_fini(&supervisor.conf);
    free(supervisor.conf_path);
    return exit_code;
}
