/* SPDX-License-Identifier: PostgreSQL */
/* Starts the program that workers are forked from: fork and exec of a fresh image by uv_spawn. */
#ifndef SUPERVISOR_SPAWN_H
#define SUPERVISOR_SPAWN_H

#include "base/error.h"

#include <uv.h>

/* The other ends of its sockets, the worker's and its own, are opened in the pipes. Also after an
 * error the process is to be closed, as any handle. Errors: ERR_SYSTEM. */
int spawn(uv_loop_t *loop, uv_process_t *process, uv_pipe_t *worker, uv_pipe_t *forker,
          uv_exit_cb on_exit, struct error *err) MUST_USE;

#endif
