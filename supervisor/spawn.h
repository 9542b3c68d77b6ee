/* SPDX-License-Identifier: PostgreSQL */
/* Starts the program that workers are forked from: fork and exec of a fresh image by uv_spawn. */
#ifndef SUPERVISOR_SPAWN_H
#define SUPERVISOR_SPAWN_H

#include "base/error.h"

#include <uv.h>

/* Its socket's other end is opened in `pipe`. Also after an error the process is to be closed, as
 * any handle. Errors: ERR_SYSTEM. */
int spawn(uv_loop_t *loop, uv_process_t *process, uv_pipe_t *pipe, uv_exit_cb on_exit,
          struct error *err) MUST_USE;

#endif
