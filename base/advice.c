/* SPDX-License-Identifier: PostgreSQL */
#include "base/advice.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/profile.h"
#include "base/shell.h"

#include <stdlib.h>
#include <string.h>

#define PROSE_BYTES 112 /* of a hint, around the command */
#define COMMAND_MAX_BYTES (sizeof((struct error *)0)->hint - PROSE_BYTES)

char *advice_upload(const char *option, const char *profile, const char *path)
{
    bool built_in = strcmp(profile, PROFILE_BUILT_IN) == 0;
    char *word = shell_word(path);
    char *name = shell_word(profile);
    char *command =
        mem_format("uploadctl upload %s%s%s%s%s%s", option ? option : "", option ? " " : "",
                   built_in ? "" : "--profile ", built_in ? "" : name, built_in ? "" : " ", word);

    free(word);
    free(name);
    if (strlen(command) <= COMMAND_MAX_BYTES)
        return command;
    free(command);
    return NULL;
}
