/* SPDX-License-Identifier: PostgreSQL */
/* What went wrong, in the manner of PostgreSQL's error style guide: one factual
 * line, a detail, a hint. A function returns an error or logs it, never both. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/codes.h"

#define MUST_USE __attribute__((warn_unused_result))
#define NO_RETURN __attribute__((noreturn)) /* cppcheck knows this one */
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Plain memory without pointers: may be copied, and needs no release. */
struct error {
    enum error_code code;
    char sqlstate[6]; /* empty, or five characters of the server's */
    char message[768];
    char detail[1024];
    char hint[512];
};

/* How a hint says that a changed configuration is to be taken: one wording for all of them. */
#define HINT_RELOAD "reload it (SIGHUP to uploaderd)"

/* How a hint says that more memory is needed. */
#define HINT_MEMORY                                                                                \
    "Give the service more memory (MemoryMax= of its unit, ulimit -v), or let it do with less "    \
    "(max_workers, lanes, max_record)."

/* How a hint says that more processes and threads are needed. */
#define HINT_PROCESSES                                                                             \
    "Allow the service's user more processes and threads: TasksMax= and LimitNPROC= of its unit, " \
    "ulimit -u."

/* How a hint says that a file is to be uploaded under a profile that was made for it. */
#define HINT_PROFILE "upload with --profile NAME (in a batch: profile = NAME in its section)"

/* Sets code and message, clears the rest; what does not fit is cut at a whole UTF-8
 * character. Returns -code, so that a function can end with `return error_set(...)`. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As error_set for a failed system call: ": " and strerror(errnum) are appended, and a hint where a
 * resource has run out or a device fails. */
int error_system(struct error *err, enum error_code code, int errnum, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Add what error_set cleared. Return -err->code. */
int error_detail(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
int error_hint(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Copies a SQLSTATE, five digits and capitals; what is none, NULL too, clears it. */
void error_sqlstate(struct error *err, const char *sqlstate);

/* Back to no error. */
void error_clear(struct error *err);

#endif
