/* SPDX-License-Identifier: PostgreSQL */
#include "worker/content.h"

#include "base/mem.h"
#include "worker/outcome.h"

#include <stdatomic.h>
#include <stdlib.h>

/* It looks so often whether it is still wanted. */
#define PIECE_BYTES (INT64_C(8) * 1024 * 1024)

struct content {
    uv_loop_t *loop;
    struct db_conn *conn;
    struct input *input;
    on_claimed answer;
    void *arg;
    uv_work_t hashing;
    bool hashes;
    unsigned char hash[SOURCE_HASH_BYTES];
    int rc;
    struct error error;
    atomic_bool closed;
};

static void content_free(struct content *content)
{
    input_leave(content->input);
    free(content);
}

void content_close(struct content *content)
{
    if (!content)
        return;
    atomic_store(&content->closed, true);
    if (!content->hashes)
        content_free(content);
}

static void answer(struct content *content, const struct owner_of_content *found,
                   const struct db_error *err)
{
    content->answer(content->arg, found, err);
    content_free(content);
}

static void on_taken(void *arg, const struct owner_of_content *found, const struct db_error *err)
{
    answer(arg, found, err);
}

static void claim(struct content *content, const unsigned char *hash)
{
    const struct job *job = content->input->job;
    const struct claim claim = {
        .tracker = job->tracker, .epoch = job->epoch, .token = job->token, .owner = job->owner};

    content_claim(content->conn, &claim, hash, content->input->source.identity.size, job->again,
                  on_taken, content);
}

static void on_hash(uv_work_t *work)
{
    struct content *content = CONTAINER_OF(work, struct content, hashing);
    const struct source *source = &content->input->source;
    struct digest *digest = digest_new();
    int64_t size = source->identity.size;

    content->rc = 0;
    for (int64_t at = 0; at < size && content->rc == 0 && !atomic_load(&content->closed);) {
        int64_t end = size - at < PIECE_BYTES ? size : at + PIECE_BYTES;
        content->rc = source_digest(source, at, end, digest, NULL, &content->error);
        at = end;
    }
    digest_read(digest, content->hash);
    digest_free(digest);
}

static void on_hash_done(uv_work_t *work, int status)
{
    struct content *content = CONTAINER_OF(work, struct content, hashing);
    struct db_error own = outcome_own(&content->error);

    (void)status; /* it is never cancelled */
    content->hashes = false;
    if (atomic_load(&content->closed))
        content_free(content);
    else if (content->rc < 0)
        answer(content, NULL, &own);
    else
        claim(content, content->hash);
}

struct content *content_new(uv_loop_t *loop, struct db_conn *conn, struct input *input,
                            on_claimed done, void *arg)
{
    struct content *content = NEW(struct content);

    content->loop = loop;
    content->conn = conn;
    content->input = input_use(input);
    content->answer = done;
    content->arg = arg;
    if (input->job->content) {
        content->hashes = true;
        uv_queue_work(loop, &content->hashing, on_hash, on_hash_done);
    } else {
        claim(content, NULL);
    }
    return content;
}
