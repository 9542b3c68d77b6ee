/* SPDX-License-Identifier: PostgreSQL */
#include "db/content.h"

#include "db/session.h"

#include <string.h>

struct content_caller {
    on_content answer;
    void *arg;
};

static void on_claimed(void *arg, PGresult *result, const struct db_error *err)
{
    const struct content_caller *caller = arg;

    if (err || PQntuples(result) == 0) {
        caller->answer(caller->arg, NULL, err);
        return;
    }
    const struct owner_of_content found = {
        .tracker = result_int(result, 0, "id"),
        .path = result_text(result, 0, "path"),
        .processed = strcmp(result_text(result, 0, "status"), "PROCESSED") == 0,
    };
    caller->answer(caller->arg, &found, NULL);
}

void content_claim(struct db_conn *conn, const struct claim *claim, const unsigned char *hash,
                   int64_t size, bool again, on_content answer, void *arg)
{
    struct content_caller caller = {answer, arg};
    struct params params = {.count = 0};

    param_claim(&params, claim);
    param_text(&params, claim->owner);
    param_bytes(&params, hash, CHECKPOINT_HASH_BYTES);
    param_int(&params, size);
    param_bool(&params, again);
    query_send_context(conn, SQL_content_claim, &params, on_claimed, &caller, sizeof caller);
}
