/* SPDX-License-Identifier: PostgreSQL */
#include "base/reject_csv.h"

#include <inttypes.h>
#include <string.h>

void reject_csv_head(FILE *out)
{
    fputs("line,reason,raw\n", out);
}

/* Within quotes, each quote doubled; any bytes. */
static void put_field(FILE *out, const char *data, size_t size)
{
    fputc('"', out);
    for (const char *quote; (quote = memchr(data, '"', size));) {
        size_t used = (size_t)(quote - data) + 1;
        fwrite(data, 1, used, out);
        fputc('"', out);
        data += used;
        size -= used;
    }
    fwrite(data, 1, size, out);
    fputc('"', out);
}

void reject_csv_add(FILE *out, int64_t line, const char *reason, const void *raw, size_t raw_bytes)
{
    fprintf(out, "%" PRId64 ",", line);
    put_field(out, reason, strlen(reason));
    fputc(',', out);
    put_field(out, raw, raw_bytes);
    fputc('\n', out);
}
