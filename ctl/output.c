/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/output.h"

#include "base/log.h"
#include "base/text.h"
#include "ipc/messages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits of a real number: whatever a rate or a percentage needs. */
#define REAL_DIGITS 12

static int write_error;

void output_json(const json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));

    if (text)
        puts(text);
    else
        log_fatal("an object could not be encoded");
    free(text);
    output_flush();
}

/* Messages come from elsewhere, and may hold what a terminal would obey. */
static void line(const char *before, const char *text)
{
    char escaped[2048];

    text_escape(escaped, sizeof escaped, text);
    fprintf(stderr, "%s: %s\n", before, escaped);
}

void output_error_lines(const struct error *err)
{
    line("uploadctl", err->message);
    if (err->detail[0])
        line("detail", err->detail);
    if (err->hint[0])
        line("hint", err->hint);
}

void output_error(const struct error *err, bool json)
{
    if (json) {
        json_t *object = json_pack("{s:o}", "error", ipc_error_json(err));
        output_json(object);
        json_decref(object);
    } else {
        output_flush();
        output_error_lines(err);
    }
}

bool output_flush(void)
{
    if (write_error == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        write_error = errno ? errno : EIO;
    return write_error == 0;
}

enum exit_code output_end(enum exit_code code)
{
    if (output_flush())
        return code;
    if (write_error != EPIPE) /* who reads through head has read enough */
        fprintf(stderr, "uploadctl: cannot write to standard output: %s\n", strerror(write_error));
    return code > EXIT_FAILED ? code : EXIT_FAILED;
}
