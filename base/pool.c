/* SPDX-License-Identifier: PostgreSQL */
/* As many threads as the pool will have are made on trial; then libuv makes them again. */
#include "base/pool.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <sys/stat.h>

/* As libuv has it. */
#define SIZE_VARIABLE "UV_THREADPOOL_SIZE"
#define SIZE_DEFAULT 4
#define SIZE_MOST 1024

#define TURNS_MAX 1000 /* of waiting, 1 ms each */

static size_t pool_size(void)
{
    const char *text = getenv(SIZE_VARIABLE);
    int64_t size;

    return text && text_to_int64(text, 1, SIZE_MOST, &size) ? (size_t)size : SIZE_DEFAULT;
}

static void wait_for_end(void *end)
{
    uv_sem_wait(end);
}

static int try_threads(size_t count)
{
    uv_thread_t threads[SIZE_MOST];
    uv_sem_t end;
    size_t made = 0;
    int rc = uv_sem_init(&end, 0);

    if (rc < 0)
        return rc;
    while (made < count && (rc = uv_thread_create(&threads[made], wait_for_end, &end)) == 0)
        made++;
    for (size_t i = 0; i < made; i++)
        uv_sem_post(&end);
    for (size_t i = 0; i < made; i++)
        uv_thread_join(&threads[i]);
    uv_sem_destroy(&end);
    return rc;
}

/* One that was joined counts for RLIMIT_NPROC as long as the kernel has it here. */
static void wait_until_uncounted(nlink_t before)
{
    struct stat tasks;

    for (int i = 0; i < TURNS_MAX; i++) {
        if (stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink <= before)
            return;
        uv_sleep(1);
    }
}

static void work_nothing(uv_work_t *work)
{
    (void)work;
}

static void on_worked(uv_work_t *work, int status)
{
    (void)status;
    free(work);
}

int pool_start(uv_loop_t *loop, struct error *err)
{
    struct stat tasks = {0};
    bool counted = stat("/proc/self/task", &tasks) == 0;
    int rc = try_threads(pool_size());

    if (rc < 0) {
        error_system(err, ERR_SYSTEM, -rc, "cannot make the threads that read files");
        if (rc == UV_EAGAIN) /* it says so of memory, too */
            error_hint(err, HINT_PROCESSES " Or for want of memory: MemoryMax=, ulimit -v.");
        return -(int)err->code;
    }
    if (counted)
        wait_until_uncounted(tasks.st_nlink);
    uv_queue_work(loop, NEW(uv_work_t), work_nothing, on_worked);
    return 0;
}
