/* SPDX-License-Identifier: PostgreSQL */
/* What runs when a command is given. Each prints what there is to say, also its errors, and
 * returns the exit code. */
#ifndef CTL_RUN_H
#define CTL_RUN_H

#include "base/codes.h"

struct arguments;

/* upload, stop, kill, wait and status: one request an operand (asks.c) */
enum exit_code run_asks(const struct arguments *arguments);

/* list, history and rejects: one question, page by page (pages.c) */
enum exit_code run_pages(const struct arguments *arguments);

enum exit_code run_watch(const struct arguments *arguments);   /* watch.c */
enum exit_code run_ping(const struct arguments *arguments);    /* ping.c */
enum exit_code run_pause(const struct arguments *arguments);   /* ping.c: also continue */
enum exit_code run_metrics(const struct arguments *arguments); /* ping.c */
enum exit_code run_version(const struct arguments *arguments); /* ping.c */
enum exit_code run_help(const struct arguments *arguments);    /* help.c */

#endif
