/* SPDX-License-Identifier: PostgreSQL */
/* Reading alone, without a database: `reading ours FILE` finds the records, hashes them, takes and
 * checks name and email and encodes them as COPY's binary format has them; `reading libcsv FILE`
 * feeds the file to libcsv with empty callbacks. Prints the number of records. */
#include "base/mem.h"
#include "csv/fields.h"
#include "csv/scanner.h"
#include "worker/encode.h"

#include <csv.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024, MAX_RECORD = 1 << 20 };

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "reading: %s\n", what);
    exit(1);
}

/* Once for where chunks end and what they hash to, once for the rows: as a worker does. */
static long long pass(const struct source *source, bool rows)
{
    static const struct layout layout = {.index = {0, 1}, .count = 2};
    struct scanner *scanner = scanner_new(source, ',', '"', MAX_RECORD, 0, -1);
    struct fields *fields = fields_new(',', '"');
    unsigned char hash[SOURCE_HASH_BYTES];
    char reason[FIELDS_REASON_BYTES];
    struct encoded out = {0};
    struct record record;
    struct error err;
    long long records = 0;
    int rc;

    scanner_hash_start(scanner);
    while ((rc = scanner_next(scanner, &record, &err)) > 0) {
        struct field values[PROFILE_COLUMNS];
        records++;
        if (!rows)
            continue;
        if (fields_take(fields, &record, &layout, values, reason))
            encode_row(&out, 1, records, values);
        if (out.size > READ_BYTES)
            out.size = 0;
    }
    if (rc < 0)
        die(err.message);
    scanner_hash(scanner, hash);
    encoded_fini(&out);
    fields_free(fields);
    scanner_free(scanner);
    return records;
}

static long long ours(char *path)
{
    char root[] = "/";
    char *allow[] = {root};
    struct source source;
    struct error err;

    if (source_open(&source, path, allow, 1, &err) < 0)
        die(err.message);
    pass(&source, false);
    long long records = pass(&source, true);
    source_close(&source);
    return records;
}

static void on_field(void *data, size_t size, void *arg)
{
    (void)data;
    (void)size;
    (void)arg;
}

static void on_record(int end, void *arg)
{
    (void)end;
    ++*(long long *)arg;
}

static long long libcsv(const char *path)
{
    char *buf = mem_new(READ_BYTES, 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct csv_parser parser;
    long long records = 0;
    ssize_t got;

    if (fd < 0 || csv_init(&parser, 0) != 0)
        die("cannot begin");
    while ((got = read(fd, buf, READ_BYTES)) > 0)
        csv_parse(&parser, buf, (size_t)got, on_field, on_record, &records);
    csv_fini(&parser, on_field, on_record, &records);
    csv_free(&parser);
    close(fd);
    free(buf);
    return records;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage: reading ours|libcsv FILE");
    printf("%lld\n", strcmp(argv[1], "ours") == 0 ? ours(argv[2]) : libcsv(argv[2]));
    return 0;
}
