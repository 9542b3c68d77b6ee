/* SPDX-License-Identifier: PostgreSQL */
#include "worker/part.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_BYTES ((size_t)512 * 1024)
#define PART_RECORDS ((size_t)8192)
#define SHOWN 5 /* differences that are told one by one */

/* A stretch of the part's bytes: an index, because they move as they grow. */
struct stretch {
    size_t at, size;
};

struct expected {
    int64_t line, start_offset, length;
    bool good;          /* a row, unless the table has refused it; else a reject */
    struct stretch raw; /* the record, without its line end */
    struct stretch values[PROFILE_COLUMNS];
    size_t rejects;           /* so many are in the table */
    const char *reject_wrong; /* NULL: the first of them is as it should be */
};

struct part {
    struct expected *list;
    size_t count, room;
    char *bytes;
    size_t size, capacity;
    int64_t end_offset;
    size_t due; /* records that are not among the rejects */
};

struct reader {
    const struct input *input;
    struct checkpoint chunk;
    struct scanner *scanner;
    struct fields *fields;
    bool header_ahead;
    int64_t line;
};

struct reader *reader_new(const struct input *input, const struct checkpoint *chunk)
{
    const struct profile *profile = &input->job->profile;
    struct reader *reader = NEW(struct reader);

    reader->input = input;
    reader->chunk = *chunk;
    reader->scanner = input_scanner(input, chunk->start_offset, chunk->end_offset);
    scanner_hash_start(reader->scanner);
    reader->fields = fields_new(profile->delimiter, profile->quote);
    reader->header_ahead = profile->header && chunk->start_offset == 0;
    reader->line = chunk->first_line - 1;
    return reader;
}

void reader_free(struct reader *reader)
{
    if (!reader)
        return;
    scanner_free(reader->scanner);
    fields_free(reader->fields);
    free(reader);
}

struct part *part_new(void)
{
    return NEW(struct part);
}

void part_free(struct part *part)
{
    if (!part)
        return;
    free(part->list);
    free(part->bytes);
    free(part);
}

int64_t part_count(const struct part *part)
{
    return (int64_t)part->count;
}

int64_t part_last(const struct part *part)
{
    return part->list[part->count - 1].line;
}

int64_t part_end(const struct part *part)
{
    return part->end_offset;
}

/* ---- reading ---- */

static struct stretch keep(struct part *part, const char *data, size_t size)
{
    struct stretch stretch = {part->size, size};

    if (part->capacity - part->size < size) {
        part->capacity =
            2 * part->capacity > part->size + size ? 2 * part->capacity : part->size + size;
        part->bytes = mem_resize(part->bytes, part->capacity, 1);
    }
    if (size > 0)
        memcpy(part->bytes + part->size, data, size);
    part->size += size;
    return stretch;
}

static void take(struct part *part, struct reader *reader, const struct record *record)
{
    struct field values[PROFILE_COLUMNS];
    char reason[FIELDS_REASON_BYTES];

    if (part->count == part->room) {
        part->room = part->room ? 2 * part->room : 1024;
        part->list = mem_resize(part->list, part->room, sizeof *part->list);
    }
    struct expected *expected = &part->list[part->count++];
    *expected = (struct expected){
        .line = ++reader->line,
        .start_offset = record->start_offset,
        .length = record->length,
        .good = fields_take(reader->fields, record, &reader->input->layout, values, reason),
        .raw = keep(part, record->data, record->size),
    };
    for (int i = 0; i < PROFILE_COLUMNS && expected->good; i++)
        expected->values[i] = keep(part, values[i].data, values[i].size);
}

static int refuse_changed(const struct reader *reader, struct error *err)
{
    const struct checkpoint *chunk = &reader->chunk;

    error_set(err, ERR_FILE_CHANGED, "\"%s\" has changed in what was uploaded of it",
              reader->input->source.path);
    error_detail(err,
                 "The first chunk that differs is chunk %lld: records %lld to %lld, bytes %lld to "
                 "%lld.",
                 (long long)chunk->chunk_no, (long long)chunk->first_line,
                 (long long)chunk->last_line, (long long)chunk->start_offset,
                 (long long)chunk->end_offset);
    return error_hint(err, "Only the file that was uploaded can show what the table should hold: "
                           "put it back, and verify again.");
}

/* The chunk is read to its end: it is the one that was uploaded. */
static int finish(const struct reader *reader, struct error *err)
{
    unsigned char hash[SOURCE_HASH_BYTES];

    scanner_hash(reader->scanner, hash);
    if (reader->line == reader->chunk.last_line &&
        scanner_offset(reader->scanner) == reader->chunk.end_offset &&
        memcmp(hash, reader->chunk.hash, sizeof hash) == 0)
        return 0;
    return refuse_changed(reader, err);
}

int part_read(struct part *part, struct reader *reader, struct error *err)
{
    struct record record;
    int rc = 1;

    part->count = part->size = 0;
    while (part->size < PART_BYTES && part->count < PART_RECORDS) {
        if ((rc = scanner_next(reader->scanner, &record, err)) <= 0)
            break;
        if (!reader->header_ahead)
            take(part, reader, &record);
        reader->header_ahead = false;
    }
    part->end_offset = scanner_offset(reader->scanner);
    /* other bytes may be anything, also what no record ends in or begins with */
    if (rc < 0 && (err->code == ERR_FILE_UNSTABLE || err->code == ERR_FILE_QUOTE))
        return refuse_changed(reader, err);
    return rc == 0 ? finish(reader, err) : rc;
}

/* ---- comparing ---- */

void differences_add(struct differences *differences, int64_t line, const char *what)
{
    size_t used = strlen(differences->text);

    if (differences->count++ == 0)
        differences->first = line;
    if (differences->count <= SHOWN)
        snprintf(differences->text + used, sizeof differences->text - used, "%sRecord %lld: %s.",
                 used > 0 ? " " : "", (long long)line, what);
    else if (differences->count == SHOWN + 1)
        snprintf(differences->text + used, sizeof differences->text - used, " And more.");
}

static bool is_value(const struct part *part, struct stretch stretch, const char *data, size_t size)
{
    return data && size == stretch.size && memcmp(data, part->bytes + stretch.at, size) == 0;
}

/* NULL: the row is what the record says. */
static const char *judge_row(const struct part *part, const struct expected *expected,
                             const struct proof_row *row)
{
    if (!is_value(part, expected->values[0], row->name, row->name_bytes))
        return "the table has another name than the file";
    if (!is_value(part, expected->values[1], row->email, row->email_bytes))
        return "the table has another email than the file";
    return NULL;
}

/* Longer than max_record was when it was loaded, which may be any: of such a record the reject has
 * the beginning. */
static bool was_too_long(const struct expected *expected, const struct tracker_reject *reject)
{
    return !reject->sqlstate && (int64_t)reject->raw_bytes < expected->length &&
           fields_were_too_long(reject->reason, reject->raw_bytes);
}

static const char *judge_reject(const struct part *part, const struct expected *expected,
                                const struct tracker_reject *reject)
{
    struct stretch raw = expected->raw;
    bool too_long = was_too_long(expected, reject);

    if (too_long && reject->raw_bytes < raw.size)
        raw.size = reject->raw_bytes;
    if (expected->good && !reject->sqlstate && !too_long)
        return "it is among the rejects, and the file has a good record there";
    if (reject->offset != expected->start_offset || reject->length != expected->length)
        return "its reject names another place in the file";
    if (!is_value(part, raw, (const char *)reject->raw, reject->raw_bytes))
        return "its reject has other bytes than the file";
    return NULL;
}

/* One more than it can have: who has doubles shows it. */
void part_ask_rejects(const struct part *part, struct db_conn *conn, int64_t tracker,
                      on_rejects answer, void *arg)
{
    tracker_rejects(conn, tracker, part->list[0].line - 1, part_count(part) + 1, answer, arg);
}

void part_take_rejects(struct part *part, const struct tracker_reject *rejects, size_t count)
{
    size_t reject = 0;

    part->due = 0;
    for (size_t i = 0; i < part->count; i++) {
        struct expected *expected = &part->list[i];
        for (; reject < count && rejects[reject].line == expected->line; reject++)
            if (expected->rejects++ == 0)
                expected->reject_wrong = judge_reject(part, expected, &rejects[reject]);
        part->due += expected->rejects == 0;
    }
}

int64_t part_rejects(const struct part *part)
{
    return (int64_t)(part->count - part->due);
}

size_t part_due(const struct part *part)
{
    return part->due;
}

/* What the table has of one record, `row_count` rows among it. */
static const char *judge(const struct part *part, const struct expected *expected,
                         const struct proof_row *rows, size_t row_count)
{
    if (row_count + expected->rejects == 0)
        return expected->good ? "it is missing in the table" : "it is missing among the rejects";
    if (row_count + expected->rejects > 1)
        return row_count > 1 ? "the table has it more than once"
                             : "it is in the table and among the rejects";
    if (expected->rejects > 0)
        return expected->reject_wrong;
    if (!expected->good)
        return "it is in the table, and should be among the rejects";
    return judge_row(part, expected, rows);
}

void part_compare(const struct part *part, const struct proof_row *rows, size_t row_count,
                  struct differences *differences)
{
    size_t row = 0;

    for (size_t i = 0; i < part->count; i++) {
        const struct expected *expected = &part->list[i];
        size_t first = row;
        while (row < row_count && rows[row].line == expected->line)
            row++;
        const char *wrong = judge(part, expected, rows + first, row - first);
        if (wrong)
            differences_add(differences, expected->line, wrong);
    }
}
