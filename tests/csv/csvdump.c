/* SPDX-License-Identifier: PostgreSQL */
/* Prints what scanner, fields and splitter make of a file, one JSON object a line, for
 * oracle.py to compare with Python's csv. Each byte of a field is one character of a JSON
 * string (as in Latin-1), so that nothing is lost. */
#include "base/mem.h"
#include "csv/fields.h"
#include "csv/scanner.h"
#include "csv/splitter.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    char delimiter;
    char quote;
    int64_t max_record;
    int64_t start;       /* of the scan */
    int64_t line_no;     /* of its first record */
    int64_t chunk_bytes; /* 0: records only */
    size_t read_bytes;   /* 0: as usual */
    bool header;         /* the splitter's */
};

static const char *const faults[] = {
    [RECORD_WELL_FORMED] = "",
    [RECORD_TEXT_AFTER_QUOTE] = "text_after_quote",
    [RECORD_TOO_LONG] = "too_long",
};

static void put_string(const char *data, size_t size)
{
    putchar('"');
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)data[i];
        if (byte < 0x20 || byte > 0x7E || byte == '"' || byte == '\\')
            printf("\\u%04x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

static void put_hash(const char *key, const unsigned char hash[SOURCE_HASH_BYTES])
{
    printf(", \"%s\": \"", key);
    for (int i = 0; i < SOURCE_HASH_BYTES; i++)
        printf("%02x", hash[i]);
    putchar('"');
}

static int put_error(const struct error *err)
{
    printf("{\"error\": \"%s\", \"message\": ", error_code_name(err->code));
    put_string(err->message, strlen(err->message));
    printf("}\n");
    return 1;
}

static void put_record(struct fields *fields, const struct record *record, int64_t line_no)
{
    const struct field *values;
    size_t count = 0;

    printf("{\"line_no\": %lld, \"start_offset\": %lld, \"length\": %lld, \"end_offset\": %lld, "
           "\"complete\": %s",
           (long long)line_no, (long long)record->start_offset, (long long)record->length,
           (long long)record->end_offset, record->complete ? "true" : "false");
    if (record->fault != RECORD_WELL_FORMED) {
        printf(", \"fault\": \"%s\", \"data\": ", faults[record->fault]);
        put_string(record->data, record->size);
    } else {
        count = fields_split(fields, record, &values);
        printf(", \"fields\": [");
        for (size_t i = 0; i < count; i++) {
            fputs(i ? ", " : "", stdout);
            put_string(values[i].data, values[i].size);
        }
        putchar(']');
    }
    printf("}\n");
}

/* The records of a range, the first of them numbered `line_no`; and the hash of the range. */
static int put_range(const struct source *source, const struct settings *settings, int64_t start,
                     int64_t end, int64_t line_no, unsigned char hash[SOURCE_HASH_BYTES])
{
    struct scanner *scanner =
        scanner_new(source, settings->delimiter, settings->quote, settings->max_record, start, end);
    struct fields *fields = fields_new(settings->delimiter, settings->quote);
    struct record record;
    struct error err;
    int rc;

    if (settings->read_bytes)
        scanner_read_bytes(scanner, settings->read_bytes);
    scanner_hash_start(scanner);
    while ((rc = scanner_next(scanner, &record, &err)) > 0)
        put_record(fields, &record, line_no++);
    if (rc == 0)
        scanner_hash(scanner, hash);
    else
        put_error(&err);
    fields_free(fields);
    scanner_free(scanner);
    return rc;
}

/* Each chunk, with the hash found by the splitter, by the second pass and by a plain read; then
 * its records. The header, where there is one, has number 0. */
static int put_chunk(const struct source *source, const struct settings *settings,
                     const struct chunk *chunk)
{
    unsigned char again[SOURCE_HASH_BYTES];
    unsigned char plain[SOURCE_HASH_BYTES];
    struct error err;
    int64_t first = chunk->first_line - (settings->header && chunk->chunk_no == 1);

    if (put_range(source, settings, chunk->start_offset, chunk->end_offset, first, again) < 0)
        return 1;
    struct digest *digest = digest_new();
    int rc = source_digest(source, chunk->start_offset, chunk->end_offset, digest, NULL, &err);
    digest_read(digest, plain);
    digest_free(digest);
    if (rc < 0)
        return put_error(&err);
    printf("{\"chunk_no\": %lld, \"first_line\": %lld, \"last_line\": %lld, \"start_offset\": "
           "%lld, \"end_offset\": %lld, \"final\": %s",
           (long long)chunk->chunk_no, (long long)chunk->first_line, (long long)chunk->last_line,
           (long long)chunk->start_offset, (long long)chunk->end_offset,
           chunk->final ? "true" : "false");
    put_hash("hash", chunk->hash);
    put_hash("hash_again", again);
    put_hash("hash_plain", plain);
    printf("}\n");
    return 0;
}

static int put_chunks(const struct source *source, const struct settings *settings)
{
    const struct chunk none = {.chunk_no = 0};
    struct splitter *splitter =
        splitter_new(source, settings->delimiter, settings->quote, settings->header,
                     settings->max_record, settings->chunk_bytes, &none);
    struct chunk chunk;
    struct error err;
    int rc;

    while ((rc = splitter_next(splitter, &chunk, &err)) > 0)
        if (put_chunk(source, settings, &chunk) != 0)
            break;
    if (rc < 0)
        put_error(&err);
    splitter_free(splitter);
    return rc != 0;
}

static int usage(void)
{
    fputs("usage: csvdump [--delimiter=C] [--quote=C] [--max-record=N] [--read-bytes=N]\n"
          "               [--start=N [--line-no=N]] [--chunk-bytes=N [--header]] FILE\n",
          stderr);
    return 2;
}

static bool parse(int argc, char **argv, struct settings *settings)
{
    static const struct option options[] = {
        {"delimiter", required_argument, NULL, 'd'},
        {"quote", required_argument, NULL, 'q'},
        {"max-record", required_argument, NULL, 'm'},
        {"read-bytes", required_argument, NULL, 'r'},
        {"chunk-bytes", required_argument, NULL, 'c'},
        {"start", required_argument, NULL, 's'},
        {"line-no", required_argument, NULL, 'l'},
        {"header", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        long long number = optarg ? strtoll(optarg, NULL, 10) : 0;
        if (option == 'd')
            settings->delimiter = optarg[0];
        else if (option == 'q')
            settings->quote = optarg[0];
        else if (option == 'm')
            settings->max_record = number;
        else if (option == 'r')
            settings->read_bytes = (size_t)number;
        else if (option == 'c')
            settings->chunk_bytes = number;
        else if (option == 's')
            settings->start = number;
        else if (option == 'l')
            settings->line_no = number;
        else if (option == 'h')
            settings->header = true;
        else
            return false;
    }
    return optind + 1 == argc;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .delimiter = ',', .quote = '"', .max_record = 1024 * 1024, .line_no = 1};
    unsigned char hash[SOURCE_HASH_BYTES];
    char root[] = "/";
    char *allow[] = {root};
    struct source source;
    struct error err;
    int rc;

    if (!parse(argc, argv, &settings))
        return usage();
    if (source_open(&source, argv[optind], allow, COUNT_OF(allow), &err) < 0)
        return put_error(&err);
    if (settings.chunk_bytes > 0)
        rc = put_chunks(&source, &settings);
    else
        rc = put_range(&source, &settings, settings.start, -1, settings.line_no, hash) < 0;
    source_close(&source);
    return rc;
}
