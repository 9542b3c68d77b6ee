/* SPDX-License-Identifier: PostgreSQL */
#include "worker/confine.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of version 2 and 3 of Landlock, which the headers need not know. */
#define RIGHT_REFER (UINT64_C(1) << 13)
#define RIGHT_TRUNCATE (UINT64_C(1) << 14)

/* ---- Landlock (https://docs.kernel.org/userspace-api/landlock.html) ---- */

static uint64_t rights_of(long version)
{
    uint64_t rights =
        LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
        LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
        LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
        LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

    if (version >= 2)
        rights |= RIGHT_REFER;
    if (version >= 3)
        rights |= RIGHT_TRUNCATE;
    return rights;
}

/* A ruleset without a rule: what it handles is allowed nowhere. */
static bool restrict_writing(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct landlock_ruleset_attr attr = {.handled_access_fs = rights_of(version)};

    if (version < 1)
        return false;
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (ruleset < 0)
        return false;
    bool done = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return done;
}

/* Sanitizers and pause points open and write files whenever they like. */
static bool is_test_build_that_opens(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return true;
#elif defined(UPLOADER_PAUSE)
    return getenv("UPLOADER_PAUSE_AT") != NULL;
#else
    return false;
#endif
}

void confine_writing(void)
{
    if (is_test_build_that_opens())
        return;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !restrict_writing())
        log_line(LOG_LEVEL_DEBUG, 0, "no Landlock: %s", strerror(errno));
}

/* ---- seccomp ---- */

/* Made from worker/filter/print.c, which says what is in it. */
static struct sock_filter filter[] = {
#include "filter.inc"
};

static bool set_filter(void)
{
    const struct sock_fprog program = {COUNT_OF(filter), filter};

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

/* Also where there is no seccomp: a descriptor that is not there yet cannot be had, as 0 is taken;
 * poll() wants a limit of 1. */
static void limit(void)
{
    const struct rlimit none = {0, 0};
    const struct rlimit one = {1, 1};

    setrlimit(RLIMIT_NPROC, &none);
    setrlimit(RLIMIT_NOFILE, &one);
}

void confine_all(int64_t tracker)
{
    if (is_test_build_that_opens())
        return;
    limit();
    if (set_filter())
        log_line(LOG_LEVEL_DEBUG, tracker, "confined");
    else
        log_line(LOG_LEVEL_INFO, tracker, "it is not confined by seccomp: %s", strerror(errno));
}
