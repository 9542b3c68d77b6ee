/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/reject_csv.h"

#include "ctl/base64.h"
#include "ipc/messages.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void reject_csv_head(void)
{
    puts("line,reason,raw");
}

/* Within quotes, each quote doubled; any bytes. */
static void put_field(const char *data, size_t size)
{
    putchar('"');
    for (const char *quote; (quote = memchr(data, '"', size));) {
        size_t used = (size_t)(quote - data) + 1;
        fwrite(data, 1, used, stdout);
        putchar('"');
        data += used;
        size -= used;
    }
    fwrite(data, 1, size, stdout);
    putchar('"');
}

void reject_csv_add(const json_t *reject)
{
    const char *reason = ipc_text(reject, "reason");
    const char *base64 = ipc_text(reject, "raw_base64");
    size_t size;
    unsigned char *raw = base64_decode(base64 ? base64 : "", SIZE_MAX, &size);

    printf("%lld,", (long long)ipc_int(reject, "line", 0));
    put_field(reason ? reason : "", reason ? strlen(reason) : 0);
    putchar(',');
    put_field((char *)raw, size);
    putchar('\n');
    free(raw);
}
