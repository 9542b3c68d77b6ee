/* SPDX-License-Identifier: PostgreSQL */
/* What uploaderd understands from outside, as tables: its options, its signals, and how it ends.
 * Help and uploaderd(8) are printed from them. */
#ifndef SUPERVISOR_COMMAND_LINE_H
#define SUPERVISOR_COMMAND_LINE_H

/* X(letter, name and argument as in the help, name, getopt's word for its argument, what it does)
 */
#define UPLOADERD_OPTIONS(X)                                                                       \
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

/* X(signal, what it does) */
#define UPLOADERD_SIGNALS(X)                                                                       \
    X(SIGTERM, "ends it in order")                                                                 \
    X(SIGINT, "the same")                                                                          \
    X(SIGHUP, "reads the configuration again; a wrong one is refused, and the old one stays")

#define UPLOADERD_COUNT_SIGNAL(signal, what) +1
enum { UPLOADERD_SIGNAL_COUNT = 0 UPLOADERD_SIGNALS(UPLOADERD_COUNT_SIGNAL) };

/* X(exit code, when) */
#define UPLOADERD_EXITS(X)                                                                         \
    X(EXIT_DONE, "ended in order; of --check: nothing is wrong; of --batch: every file is in")     \
    X(EXIT_FAILED, "cannot start; of --batch: a file is not in")                                   \
    X(EXIT_USAGE, "usage or configuration")                                                        \
    X(EXIT_REJECTS, "of --batch: every file is in, with rejects")                                  \
    X(EXIT_MEMORY, "no memory was left")

#endif
