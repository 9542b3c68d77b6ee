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

void output_line(FILE *out, const char *label, const char *text)
{
    char escaped[2048];

    if (!text[0])
        return;
    text_escape(escaped, sizeof escaped, text);
    fprintf(out, "%s: %s\n", label, escaped);
}

void output_error_lines(const struct error *err)
{
    output_line(stderr, "uploadctl", err->message);
    output_line(stderr, "detail", err->detail);
    output_line(stderr, "hint", err->hint);
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
