/* SPDX-License-Identifier: PostgreSQL */
/* What a worker gives up for good, so that a file which is made to take over the process that reads
 * it can harm its own upload and nothing else. In two steps, each as far as the kernel has it: one
 * that is without seccomp or Landlock does without, and what the user rights allow is left. */
#ifndef WORKER_CONFINE_H
#define WORKER_CONFINE_H

#include <stdint.h>

/* To be called before there is a second thread: no new privileges by exec (PR_SET_NO_NEW_PRIVS),
 * and by Landlock nothing in the file system is written, made, removed or executed any more. What
 * is open stays so, and reading is free: libpq has yet to find its files. */
void confine_writing(void);

/* To be called when the file is open and the connections are there, for all threads: no file and
 * no connection is opened any more, no process started or looked into. Whoever tries is killed by
 * SIGSYS; a system call that nobody knows of here answers ENOSYS. */
void confine_all(int64_t tracker);

#endif
