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
#include "csv/splitter.h"
#include "tests/fuzz/copy_reader.h"
#include "tests/fuzz/csv_model.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scratch.h"
#include "worker/pass.h"

#include <string.h>

#define TRACKER 7

/* How often a chunk is halved. */
#define CUTS_MAX 2

/* What the server is to have said of a record that it refuses. */
static const char said[] = "the server does not like it";
static const char sqlstate[] = "23514";

struct choices {
    size_t read_bytes;
    int64_t chunk_bytes;
    unsigned refused; /* every so many'th record; 0: none */
    unsigned again;   /* from which record or chunk on */
};

struct world {
    struct choices choices;
    struct csv_rules rules;
    struct csv_record *records; /* as the model has them, the header among them */
    size_t count;
    bool open;      /* a quote stays open behind them, */
    size_t open_at; /* at this offset */
    struct job job;
    struct input *input;
    char *text; /* room for a field */
};

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

/* Where line 1 stands in `records`. */
static size_t first_index(const struct world *w)
{
    return w->job.profile.header && w->count > 0 ? 1 : 0;
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

static bool is_good(const struct world *w, const struct csv_record *record, char *reason)
{
    const struct layout *layout = &w->input->layout;

    return !csv_model_refuses(&w->rules, record, (size_t)layout->count, layout->more, reason);
}

static void compare_field(const struct world *w, const struct csv_record *record, size_t index,
                          const char *data, size_t size)
{
    long wanted = csv_model_field(&w->rules, record, index, w->text);

    DEMAND(wanted >= 0 && (size_t)wanted == size);
    DEMAND(size == 0 || memcmp(data, w->text, size) == 0);
}

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
        compare_field(w, wanted, i, values[i].data, values[i].size);
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

/* ---- a pass, encoded ---- */

static bool is_refused(const struct world *w, int64_t line)
{
    return w->choices.refused > 0 && line % w->choices.refused == 0;
}

/* All slices of a pass, one behind the other. */
static void run_pass(struct pass *pass, struct encoded *all)
{
    const char *data;
    struct error err;
    size_t size;
    int rc;

    do {
        rc = pass_next(pass, &data, &size, &err);
        DEMAND(rc >= 0);
        all->data = mem_resize(all->data, all->size + size, 1);
        if (size > 0)
            memcpy(all->data + all->size, data, size);
        all->size += size;
    } while (rc > 0);
}

static void compare_bytes(struct copy_reader *reader, const char *wanted, size_t size)
{
    size_t found;
    const char *bytes = copy_reader_bytes(reader, &found);

    DEMAND(bytes && found == size && (size == 0 || memcmp(bytes, wanted, size) == 0));
}

/* The rows of the records [first, last], and nothing behind them. */
static void compare_rows(const struct world *w, const struct encoded *all, int64_t first,
                         int64_t last, const struct pass_counts *counts)
{
    struct copy_reader reader;
    char reason[FIELDS_REASON_BYTES];
    int64_t rows = 0;

    copy_reader_begin(&reader, all->data, all->size);
    for (int64_t line = first; line <= last; line++) {
        const struct csv_record *record = &w->records[first_index(w) + (size_t)line - 1];
        if (!is_good(w, record, reason))
            continue;
        DEMAND(copy_reader_tuple(&reader, 2 + PROFILE_COLUMNS));
        DEMAND(copy_reader_bigint(&reader) == TRACKER);
        DEMAND(copy_reader_bigint(&reader) == line);
        for (int i = 0; i < PROFILE_COLUMNS; i++) {
            size_t size;
            const char *value = copy_reader_bytes(&reader, &size);
            DEMAND(value);
            compare_field(w, record, (size_t)w->input->layout.index[i], value, size);
        }
        rows++;
    }
    DEMAND(!copy_reader_tuple(&reader, 0));
    DEMAND(counts->rows == rows && counts->rows + counts->rejects == last - first + 1);
}

/* The rows of a chunk, or of a part that is so many cuts away from one; then of its own parts. */
static void check_rows(const struct world *w, const struct chunk *chunk, int cuts)
{
    struct pass *pass =
        cuts > 0 ? pass_part(w->input, chunk, INT64_MAX) : pass_rows(w->input, chunk, INT64_MAX);
    struct encoded all = {0};
    struct chunk first;
    struct chunk second;

    run_pass(pass, &all);
    compare_rows(w, &all, chunk->first_line, chunk->last_line, pass_counts(pass));
    bool cut = pass_cut(pass, &first, &second);
    encoded_fini(&all);
    pass_free(pass);
    DEMAND(cut == (chunk->last_line > chunk->first_line));
    if (!cut || cuts == CUTS_MAX || w->choices.refused == 0)
        return;
    DEMAND(first.first_line == chunk->first_line && second.last_line == chunk->last_line);
    DEMAND(first.last_line + 1 == second.first_line && first.last_line >= first.first_line);
    check_rows(w, &first, cuts + 1);
    check_rows(w, &second, cuts + 1);
}

/* The rejects: the records that are bad, and the good ones that the server has refused. */
static void check_rejects(const struct world *w, const struct chunk *chunk)
{
    struct refusals refusals = {0};
    struct encoded all = {0};
    struct copy_reader reader;
    struct error server;
    char reason[FIELDS_REASON_BYTES];

    error_set(&server, ERR_DATABASE, "%s", said);
    error_sqlstate(&server, sqlstate);
    for (int64_t line = chunk->first_line; line <= chunk->last_line; line++)
        if (is_refused(w, line) &&
            is_good(w, &w->records[first_index(w) + (size_t)line - 1], reason))
            refusals_add(&refusals, line, &server);
    struct pass *pass = pass_rejects(w->input, chunk, refusals);
    run_pass(pass, &all);
    copy_reader_begin(&reader, all.data, all.size);
    for (int64_t line = chunk->first_line; line <= chunk->last_line; line++) {
        const struct csv_record *record = &w->records[first_index(w) + (size_t)line - 1];
        bool good = is_good(w, record, reason);
        size_t kept = record->length < w->rules.max_record ? record->length : w->rules.max_record;
        size_t size;
        if (good && !is_refused(w, line))
            continue;
        DEMAND(copy_reader_tuple(&reader, 7));
        DEMAND(copy_reader_bigint(&reader) == TRACKER);
        DEMAND(copy_reader_bigint(&reader) == line);
        DEMAND(copy_reader_bigint(&reader) == (int64_t)record->start);
        DEMAND(copy_reader_bigint(&reader) == (int64_t)record->length);
        compare_bytes(&reader, good ? said : reason, strlen(good ? said : reason));
        if (good)
            compare_bytes(&reader, sqlstate, strlen(sqlstate));
        else
            DEMAND(!copy_reader_bytes(&reader, &size));
        compare_bytes(&reader, w->rules.data + record->start, kept);
    }
    DEMAND(!copy_reader_tuple(&reader, 0));
    encoded_fini(&all);
    pass_free(pass);
}

/* ---- chunks ---- */

/* The chunk behind `last` as it has to be, but for its hash; false: a quote stays open in it. */
static bool next_chunk(const struct world *w, const struct chunk *last, struct chunk *chunk)
{
    size_t index = first_index(w) + (size_t)last->last_line;

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
            check_rows(w, &chunk, 0);
            check_rejects(w, &chunk);
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
    struct world w = {.job = {.tracker = TRACKER}};
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
