/* SPDX-License-Identifier: PostgreSQL */
#include "csv/inspect.h"

#include "base/mem.h"
#include "base/text.h"
#include "csv/encoding.h"
#include "csv/fields.h"
#include "csv/packed.h"
#include "csv/scanner.h"

#include <stdio.h>
#include <string.h>

/* Records behind the header that must be UTF-8; later ones are rejects. */
#define RECORDS 100

static int check_file(const struct source *source, struct error *err)
{
    char head[512];
    size_t got;
    int rc = source_read(source, 0, head, sizeof head, &got, err);

    if (rc < 0 || (rc = packed_check(source->path, head, got, err)) < 0)
        return rc;
    const char *encoding = encoding_of(head, got);
    return encoding ? encoding_refuse_file(source->path, encoding, err) : 0;
}

/* A record that is too long may be cut within a character, of four bytes at most. */
static bool is_utf8(const struct record *record)
{
    size_t valid = text_utf8_valid(record->data, record->size);

    return valid == record->size || (record->fault == RECORD_TOO_LONG && record->size - valid < 4);
}

/* A quote that stays open is left to the upload, which fails on it after what stands before it;
 * so the look ends there. */
static int check_records(const struct source *source, const struct profile *profile,
                         int64_t max_record, struct error *err)
{
    struct scanner *scanner =
        scanner_new(source, profile->delimiter, profile->quote, max_record, 0, -1);
    struct record record;
    int first = profile->header ? 0 : 1;
    int rc = 0;

    for (int i = first; i <= RECORDS; i++) {
        char what[32] = "the header";
        if ((rc = scanner_next(scanner, &record, err)) <= 0)
            break;
        if (i > 0)
            snprintf(what, sizeof what, "record %d", i);
        if (!is_utf8(&record)) {
            rc = encoding_refuse(source->path, what, record.data, record.size, err);
            break;
        }
    }
    scanner_free(scanner);
    if (rc == -(int)ERR_FILE_QUOTE) {
        error_clear(err);
        return 0;
    }
    return rc < 0 ? rc : 0;
}

int inspect_file(const char *path, char *const *allow, size_t allow_count,
                 const struct profile *profile, int64_t max_record, struct identity *identity,
                 struct error *err)
{
    struct layout layout;
    struct source source;
    int rc = source_open(&source, path, allow, allow_count, err);

    if (rc < 0)
        return rc;
    *identity = source.identity;
    if ((rc = check_file(&source, err)) == 0 &&
        (rc = layout_read(&layout, &source, profile, max_record, err)) == 0)
        rc = check_records(&source, profile, max_record, err);
    source_close(&source);
    return rc;
}
