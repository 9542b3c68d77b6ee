/* SPDX-License-Identifier: PostgreSQL */
#include "worker/outcome.h"

#include "base/advice.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const enum outcome outcomes[] = {
    [DB_DONE] = OUTCOME_FAILED,       [DB_LOST] = OUTCOME_TROUBLE,
    [DB_CONFLICT] = OUTCOME_TROUBLE, /* lanes that block each other have a way out before this */
    [DB_EXHAUSTED] = OUTCOME_TROUBLE, [DB_READ_ONLY] = OUTCOME_TROUBLE,
    [DB_CANCELLED] = OUTCOME_TROUBLE, [DB_FENCED] = OUTCOME_FENCED,
    [DB_DATA] = OUTCOME_FAILED,       [DB_DENIED] = OUTCOME_FAILED,
};

struct ending outcome_of(const struct db_error *err)
{
    struct ending ending = {.outcome = outcomes[err->meaning], .error = err->error};

    if (ending.outcome == OUTCOME_FENCED)
        error_clear(&ending.error); /* no error: somebody else has the tracker */
    return ending;
}

struct db_error outcome_own(const struct error *err)
{
    return (struct db_error){.meaning = DB_DONE, .error = *err};
}

char *outcome_command(const struct job *job, const char *option)
{
    char *command = advice_upload(option, job->profile.name, job->path);

    return command
               ? command
               : mem_format("uploadctl upload %s%sFILE", option ? option : "", option ? " " : "");
}
