/* SPDX-License-Identifier: PostgreSQL */
/* The command line of uploaderd, as one table: read by main.c, printed by --help and in its manual.
 */
#ifndef SUPERVISOR_DAEMON_OPTIONS_H
#define SUPERVISOR_DAEMON_OPTIONS_H

/* X(letter, name and argument as in the help, name, does it take an argument, what it does) */
#define DAEMON_OPTIONS(X)                                                                          \
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

#endif
