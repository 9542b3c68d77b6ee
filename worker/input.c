/* SPDX-License-Identifier: PostgreSQL */
#include "worker/input.h"

#include "base/mem.h"

#include <stdlib.h>

struct input *input_new(const struct job *job)
{
    struct input *input = NEW(struct input);

    input->source.fd = -1;
    input->job = job;
    input->users = 1;
    return input;
}

struct input *input_use(struct input *input)
{
    input->users++;
    return input;
}

void input_leave(struct input *input)
{
    if (!input || --input->users > 0)
        return;
    source_close(&input->source);
    free(input);
}

int input_open(struct input *input, struct error *err)
{
    const struct job *job = input->job;
    int rc = source_open(&input->source, job->path, job->allow, job->allow_count, err);

    if (rc < 0)
        return rc;
    return layout_read(&input->layout, &input->source, &job->profile, job->max_record, err);
}

struct scanner *input_scanner(const struct input *input, int64_t start, int64_t end)
{
    const struct job *job = input->job;

    return scanner_new(&input->source, job->profile.delimiter, job->profile.quote, job->max_record,
                       start, end);
}
