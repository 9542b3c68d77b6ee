/* SPDX-License-Identifier: PostgreSQL */
/* A file of any bytes, on its whole way: looked at as the supervisor does, cut into records, fields
 * and chunks, and encoded for COPY as the worker does. All of it has to agree with csv_model.h,
 * with whatever reads, from whatever record on, whole or in parts.
 *
 * The first six bytes choose dialect and layout, max_record, the size of reads, chunk_bytes, which
 * rows the server refuses, and from where on it is done again; the others are the file. */
#include "base/mem.h"
#include "base/text.h"
#include "csv/inspect.h"
#include "tests/fuzz/csv_world.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scratch.h"

#include <string.h>

/* ---- the world ---- */

static void find_records(struct world *w)
{
    struct csv_record record;
    size_t at = 0;
    size_t room = 0;
    int rc;

    while ((rc = csv_model_next(&w->rules, at, &record)) > 0) {
        if (w->count == room) {
            room = room ? 2 * room : 16;
            w->records = mem_resize(w->records, room, sizeof *w->records);
        }
        w->records[w->count++] = record;
        at = record.end;
    }
    w->open = rc < 0;
    w->open_at = record.start;
}

static void take_choices(struct world *w, struct input_bytes *in)
{
    static const char dialects[8][2] = {{',', '"'}, {';', '"'}, {'\t', '\''}, {'|', '"'},
                                        {' ', '"'}, {'a', 'b'}, {'"', ','},   {'.', '\\'}};
    static const char *const headed[PROFILE_COLUMNS] = {"n", "e"};
    static const char *const placed[PROFILE_COLUMNS] = {"3", "1"};
    static const char *const first[PROFILE_COLUMNS] = {"1", "2"};
    struct profile *profile = &w->job.profile;
    unsigned how = choose(in);
    const char *const *columns = how & 8 ? headed : how & 32 ? placed : first;
    unsigned max_record = choose(in);

    *profile = (struct profile){
        .name = mem_dup("p"),
        .header = (how & 8) != 0,
        .surplus_ignore = (how & 16) != 0,
        .delimiter = dialects[how & 7][0],
        .quote = dialects[how & 7][1],
        .reject_limit = INT64_MAX,
    };
    for (int i = 0; i < PROFILE_COLUMNS; i++)
        profile->columns[i] = mem_dup(columns[i]);
    w->job.max_record = max_record == 255 ? 1024 * 1024 : 1 + (int64_t)max_record;
    w->choices.read_bytes = 1 + choose(in);
    w->choices.chunk_bytes = 1 + 4 * (int64_t)choose(in);
    w->choices.refused = choose(in);
    w->choices.again = choose(in);
}

static void demand_text(const struct error *err)
{
    DEMAND(err->message[0]);
    DEMAND(text_utf8_valid(err->message, strlen(err->message)) == strlen(err->message));
    DEMAND(text_utf8_valid(err->detail, strlen(err->detail)) == strlen(err->detail));
    DEMAND(text_utf8_valid(err->hint, strlen(err->hint)) == strlen(err->hint));
}

/* As the supervisor looks at it: a refusal has a reason that can be sent and a hint. */
static int look(const struct world *w, const char *path)
{
    char *allow[] = {scratch_folder()};
    struct identity identity;
    struct error err;
    int rc = inspect_file(path, allow, COUNT_OF(allow), &w->job.profile, w->job.max_record,
                          &identity, &err);

    if (rc == 0) {
        DEMAND(identity.size == (int64_t)w->rules.size);
        return 0;
    }
    DEMAND(rc == -(int)ERR_FILE_ENCODING || rc == -(int)ERR_FILE_HEADER ||
           (rc == -(int)ERR_FILE_QUOTE && w->open && w->count == 0));
    demand_text(&err);
    DEMAND(err.hint[0]);
    return rc;
}

/* The layout. A file whose header is refused is not uploaded: it is read without one then. */
static void lay_out(struct world *w, int looked)
{
    struct profile *profile = &w->job.profile;
    struct error err;
    int rc = layout_read(&w->input->layout, &w->input->source, profile, w->job.max_record, &err);

    if (rc < 0) {
        DEMAND(profile->header && looked < 0);
        demand_text(&err);
        profile->header = false;
        w->input->layout = (struct layout){.index = {0, 1}, .count = 2};
    }
}

/* ---- the scanner and the fields ---- */

static void compare_record(const struct world *w, struct fields *fields, const struct record *found,
                           const struct csv_record *wanted)
{
    const struct field *values;
    size_t kept = wanted->length < w->rules.max_record ? wanted->length : w->rules.max_record;

    DEMAND(found->start_offset == (int64_t)wanted->start);
    DEMAND(found->length == (int64_t)wanted->length);
    DEMAND(found->end_offset == (int64_t)wanted->end);
    DEMAND(found->complete == wanted->complete);
    DEMAND(found->size == kept && memcmp(found->data, w->rules.data + wanted->start, kept) == 0);
    DEMAND((found->fault == RECORD_TOO_LONG) == (kept < wanted->length));
    if (found->fault == RECORD_TOO_LONG)
        return;
    DEMAND((found->fault == RECORD_TEXT_AFTER_QUOTE) == wanted->text_after_quote);
    if (wanted->text_after_quote)
        return;
    size_t count = fields_split(fields, found, &values);
    for (size_t i = 0; i < count; i++)
        world_demand_field(w, wanted, i, values[i].data, values[i].size);
    DEMAND(csv_model_field(&w->rules, wanted, count, w->text) < 0);
}

/* All records from the one at `index` on, read so many bytes at once (0: as usual). */
static void check_scan(const struct world *w, size_t index, size_t read_bytes)
{
    const struct profile *profile = &w->job.profile;
    int64_t start = index < w->count && index > 0 ? (int64_t)w->records[index].start : 0;
    struct scanner *scanner = input_scanner(w->input, start, -1);
    struct fields *fields = fields_new(profile->delimiter, profile->quote);
    struct record record;
    struct error err;
    char place[64];
    int rc;

    if (read_bytes)
        scanner_read_bytes(scanner, read_bytes);
    for (size_t i = start > 0 ? index : 0; (rc = scanner_next(scanner, &record, &err)) > 0; i++) {
        DEMAND(i < w->count);
        compare_record(w, fields, &record, &w->records[i]);
        DEMAND(scanner_offset(scanner) == record.end_offset);
        start = record.end_offset;
    }
    DEMAND(w->open == (rc < 0));
    DEMAND(start == 0 || w->count == 0 || start == (int64_t)w->records[w->count - 1].end);
    if (rc < 0) {
        DEMAND(err.code == ERR_FILE_QUOTE);
        snprintf(place, sizeof place, ", byte offset %zu, ", w->open_at);
        DEMAND(strstr(err.message, place));
        demand_text(&err);
    } else {
        DEMAND(scanner_offset(scanner) == (int64_t)w->rules.size);
    }
    fields_free(fields);
    scanner_free(scanner);
}

/* ---- chunks ---- */

/* The chunk behind `last` as it has to be, but for its hash; false: a quote stays open in it. */
static bool next_chunk(const struct world *w, const struct chunk *last, struct chunk *chunk)
{
    size_t index = world_first_index(w) + (size_t)last->last_line;

    *chunk = (struct chunk){
        .chunk_no = last->chunk_no + 1,
        .first_line = last->last_line + 1,
        .last_line = last->last_line,
        .start_offset = last->end_offset,
        .end_offset = (int64_t)w->rules.size,
    };
    for (; index < w->count; index++) {
        chunk->last_line++;
        if ((int64_t)w->records[index].end - chunk->start_offset < w->choices.chunk_bytes)
            continue;
        chunk->end_offset = (int64_t)w->records[index].end;
        break;
    }
    chunk->final = chunk->end_offset == (int64_t)w->rules.size;
    return index < w->count || !w->open;
}

static void demand_hash(const struct world *w, int64_t start, int64_t end,
                        const unsigned char hash[SOURCE_HASH_BYTES])
{
    struct digest *digest = digest_new();
    unsigned char wanted[DIGEST_BYTES];

    digest_add(digest, w->rules.data + start, (size_t)(end - start));
    digest_read(digest, wanted);
    DEMAND(memcmp(hash, wanted, sizeof wanted) == 0);
    digest_free(digest);
}

static void compare_chunk(const struct world *w, const struct chunk *found,
                          const struct chunk *wanted)
{
    DEMAND(found->chunk_no == wanted->chunk_no);
    DEMAND(found->first_line == wanted->first_line && found->last_line == wanted->last_line);
    DEMAND(found->start_offset == wanted->start_offset);
    DEMAND(found->end_offset == wanted->end_offset && found->final == wanted->final);
    demand_hash(w, found->start_offset, found->end_offset, found->hash);
}

/* The chunks behind `last`; *resume is the one at which it is to be done again. */
static void check_chunks(const struct world *w, struct chunk last, bool passes,
                         struct chunk *resume)
{
    const struct profile *profile = &w->job.profile;
    struct digest *whole = digest_new();
    struct splitter *splitter =
        splitter_new(&w->input->source, profile->delimiter, profile->quote, profile->header,
                     w->job.max_record, w->choices.chunk_bytes, &last);
    unsigned char hash[DIGEST_BYTES];
    struct chunk chunk;
    struct chunk wanted;
    struct error err;
    int rc;

    digest_add(whole, w->rules.data, (size_t)last.end_offset);
    splitter_feed(splitter, whole);
    while ((rc = splitter_next(splitter, &chunk, &err)) > 0) {
        DEMAND(!last.final && next_chunk(w, &last, &wanted));
        compare_chunk(w, &chunk, &wanted);
        if (passes) {
            world_demand_rows(w, &chunk);
            world_demand_rejects(w, &chunk);
        }
        last = chunk;
        if (chunk.chunk_no == (int64_t)w->choices.again && !chunk.final)
            *resume = chunk;
    }
    DEMAND(last.final == (rc == 0));
    if (rc < 0) {
        DEMAND(err.code == ERR_FILE_QUOTE && !next_chunk(w, &last, &wanted));
    } else {
        digest_read(whole, hash);
        demand_hash(w, 0, (int64_t)w->rules.size, hash);
    }
    splitter_free(splitter);
    digest_free(whole);
}

/* ---- the whole ---- */

static void check(const struct world *w)
{
    struct chunk resume = {0};
    struct chunk none = {0};

    check_scan(w, 0, 0);
    check_scan(w, 0, w->choices.read_bytes);
    check_scan(w, w->choices.again, w->choices.read_bytes);
    check_chunks(w, none, true, &resume);
    if (resume.chunk_no > 0)
        check_chunks(w, resume, false, &none);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scratch file;
    struct input_bytes in = {data, size};
    struct world w = {.job = {.tracker = 7}};
    struct error err;
    char *allow[] = {scratch_folder()};

    if (!file.path)
        file = scratch_open("file.csv");
    take_choices(&w, &in);
    scratch_write(&file, in.data, in.size);
    w.job.path = file.path;
    w.rules = (struct csv_rules){(const char *)in.data, in.size, w.job.profile.delimiter,
                                 w.job.profile.quote, (size_t)w.job.max_record};
    w.text = mem_new(in.size + 1, 1);
    w.input = input_new(&w.job);
    int rc = source_open(&w.input->source, file.path, allow, COUNT_OF(allow), &err);
    DEMAND(rc == (in.size == 0 ? -(int)ERR_FILE_EMPTY : 0));
    if (rc == 0) {
        find_records(&w);
        lay_out(&w, look(&w, file.path));
        check(&w);
    }
    input_leave(w.input);
    profile_fini(&w.job.profile);
    free(w.records);
    free(w.text);
    return 0;
}
