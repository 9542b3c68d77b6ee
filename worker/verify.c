/* SPDX-License-Identifier: PostgreSQL */
#include "worker/verify.h"

#include "base/mem.h"
#include "csv/scanner.h"
#include "worker/outcome.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 256

struct verify {
    uv_loop_t *loop;
    struct db_conn *conn;
    struct input *input;
    int64_t tracker;
    on_verified answer;
    void *arg;
    struct checkpoint page[PAGE], last;
    size_t count;
    struct digest *digest; /* of all that is the same; handed over with the answer */
    uv_work_t hashing;     /* of one page, in the thread pool */
    bool hashes;
    size_t same; /* so many of the page are the same */
    int rc;
    struct error error;
    atomic_bool closed;
};

static void verify_free(struct verify *v)
{
    input_leave(v->input);
    digest_free(v->digest);
    free(v);
}

void verify_close(struct verify *v)
{
    if (!v)
        return;
    atomic_store(&v->closed, true);
    if (!v->hashes)
        verify_free(v);
}

static void answer(struct verify *v, const struct verified *verified)
{
    v->answer(v->arg, verified);
    verify_free(v);
}

static void on_hash(uv_work_t *work)
{
    struct verify *v = CONTAINER_OF(work, struct verify, hashing);
    const struct source *source = &v->input->source;
    struct digest *chunk = digest_new();
    unsigned char hash[SOURCE_HASH_BYTES];
    bool inside = false;

    v->rc = 0;
    for (v->same = 0; v->same < v->count && !atomic_load(&v->closed); v->same++) {
        const struct checkpoint *checkpoint = &v->page[v->same];
        if (checkpoint->end_offset > source->identity.size)
            break; /* the file does not have these bytes */
        digest_clear(chunk);
        v->rc = source_digest(source, checkpoint->start_offset, checkpoint->end_offset, chunk,
                              v->digest, &v->error);
        digest_read(chunk, hash);
        if (v->rc < 0 || memcmp(hash, checkpoint->hash, sizeof hash) != 0)
            break;
        if (checkpoint->final && checkpoint->end_offset > 0)
            v->rc = scanner_is_inside(source, checkpoint->end_offset, &inside, &v->error);
        if (v->rc < 0 || inside)
            break;
    }
    digest_free(chunk);
}

static void read_page(struct verify *v);

static void on_hash_done(uv_work_t *work, int status)
{
    struct verify *v = CONTAINER_OF(work, struct verify, hashing);
    struct db_error own = outcome_own(&v->error);

    (void)status; /* it is never cancelled */
    v->hashes = false;
    if (atomic_load(&v->closed)) {
        verify_free(v);
    } else if (v->rc < 0) {
        answer(v, &(struct verified){.failed = &own});
    } else if (v->same < v->count) {
        answer(v, &(struct verified){.differs = &v->page[v->same]});
    } else {
        v->last = v->page[v->count - 1];
        read_page(v);
    }
}

static void on_page(void *arg, const struct checkpoint *checkpoints, size_t count,
                    const struct db_error *err)
{
    struct verify *v = arg;

    if (err) {
        answer(v, &(struct verified){.failed = err});
        return;
    }
    if (count == 0) {
        struct digest *digest = v->digest;
        v->digest = NULL;
        answer(v, &(struct verified){.last = v->last.chunk_no > 0 ? &v->last : NULL,
                                     .digest = digest});
        return;
    }
    v->count = count;
    memcpy(v->page, checkpoints, count * sizeof *checkpoints);
    v->hashes = true;
    uv_queue_work(v->loop, &v->hashing, on_hash, on_hash_done);
}

static void read_page(struct verify *v)
{
    checkpoints_read(v->conn, v->tracker, v->last.chunk_no, PAGE, on_page, v);
}

struct verify *verify_new(uv_loop_t *loop, struct db_conn *conn, struct input *input,
                          int64_t tracker, on_verified done, void *arg)
{
    struct verify *v = NEW(struct verify);

    v->loop = loop;
    v->conn = conn;
    v->input = input_use(input);
    v->tracker = tracker;
    v->digest = digest_new();
    v->answer = done;
    v->arg = arg;
    read_page(v);
    return v;
}
