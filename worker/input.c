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

struct scanner *input_scanner(const struct input *input, int64_t start, int64_t end)
{
    const struct job *job = input->job;

    return scanner_new(&input->source, job->profile.delimiter, job->profile.quote, job->max_record,
                       start, end);
}
