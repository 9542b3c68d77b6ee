/* SPDX-License-Identifier: PostgreSQL */
/* worker/pass.h: one pass over a chunk of a real file; and worker/outcome.h. */
#include "worker/pass.h"

#include "base/mem.h"
#include "worker/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD_BYTES 19
#define TAIL_BYTES 2

struct world {
    char path[64];
    char *allow[1];
    struct job job;
    struct input *input;
    struct splitter *splitter;
};

static void write_file(struct world *w, const char *text)
{
    FILE *file = fopen(w->path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* A file with this text, open, its header read, and a splitter at its beginning. */
static void open_world(struct world *w, const char *text, int64_t chunk_bytes)
{
    struct error err;
    struct chunk none = {0};

    *w = (struct world){.path = "/tmp/test_pass.XXXXXX"};
    int fd = mkstemp(w->path);
    assert_true(fd >= 0);
    close(fd);
    write_file(w, text);
    static char tmp[] = "/tmp";
    static char name[] = PROFILE_BUILT_IN;
    static char column_name[] = "name";
    static char column_email[] = "email";
    w->allow[0] = tmp;
    w->job = (struct job){
        .tracker = 5,
        .path = w->path,
        .max_record = 1000,
        .profile = {.name = name,
                    .columns = {column_name, column_email},
                    .header = true,
                    .delimiter = ',',
                    .quote = '"',
                    .reject_limit = 10},
    };
    w->input = input_new(&w->job);
    assert_int_equal(source_open(&w->input->source, w->path, w->allow, 1, &err), 0);
    assert_int_equal(layout_read(&w->input->layout, &w->input->source, &w->job.profile, 1000, &err),
                     0);
    w->splitter =
        splitter_new(&w->input->source, ',', '"', true, w->job.max_record, chunk_bytes, &none);
}

static void close_world(struct world *w)
{
    splitter_free(w->splitter);
    input_leave(w->input);
    unlink(w->path);
}

/* Runs a pass to its end: the bytes it gave (with head and tail), or its negative code. */
static int64_t run(const struct world *w, const struct chunk *chunk, enum pass_kind kind,
                   int64_t most_rejects, struct pass_counts *counts, struct error *err)
{
    struct pass *pass = kind == PASS_ROWS
                            ? pass_rows(w->input, chunk, most_rejects)
                            : pass_rejects(w->input, chunk, (struct refusals){.count = 0});
    const char *data;
    int64_t bytes = 0;
    size_t size;
    int rc;

    while ((rc = pass_next(pass, &data, &size, err)) >= 0) {
        bytes += (int64_t)size;
        if (rc == 0)
            break;
    }
    *counts = *pass_counts(pass);
    pass_free(pass);
    return rc < 0 ? rc : bytes;
}

static void test_rows_and_rejects(void **state)
{
    struct world w;
    struct chunk chunk;
    struct error err;
    struct pass_counts counts;

    (void)state;
    open_world(&w, "email,name\n\nE1,N1\nonly\n\"E2\",N2\nx,y,z\n\n", 1000);
    assert_int_equal(splitter_next(w.splitter, &chunk, &err), 1);
    assert_int_equal(run(&w, &chunk, PASS_ROWS, 2, &counts, &err),
                     HEAD_BYTES + 2 * (2 + 24 + 6 + 6) + TAIL_BYTES);
    assert_int_equal(counts.rows, 2);
    assert_int_equal(counts.rejects, 2);
    assert_int_equal(counts.reject_line, 4);
    assert_string_equal(counts.reject_reason, "3 fields instead of 2");
    size_t reasons = strlen("1 field instead of 2") + strlen("3 fields instead of 2");
    assert_int_equal(run(&w, &chunk, PASS_REJECTS, 0, &counts, &err),
                     HEAD_BYTES + 2 * (2 + 48 + 12) + (int64_t)reasons + 4 + 5 + TAIL_BYTES);
    assert_int_equal(counts.rejects, 2);
    close_world(&w);
}

static void test_reject_limit(void **state)
{
    struct world w;
    struct chunk chunk;
    struct error err;
    struct pass_counts counts;

    (void)state;
    open_world(&w, "name,email\na\nb\nc\n", 1000);
    assert_int_equal(splitter_next(w.splitter, &chunk, &err), 1);
    assert_int_equal(run(&w, &chunk, PASS_ROWS, 2, &counts, &err), -ERR_REJECT_LIMIT);
    assert_non_null(strstr(err.detail, "record 3: 1 field instead of 2"));
    assert_non_null(strstr(err.detail, "the first of them: 1, 2, 3."));
    assert_non_null(strstr(err.hint, "uploadctl upload /tmp/test_pass."));
    assert_true(run(&w, &chunk, PASS_ROWS, 3, &counts, &err) > 0);
    assert_int_equal(run(&w, &chunk, PASS_ROWS, -1, &counts, &err), -ERR_REJECT_LIMIT);
    close_world(&w);
}

/* The header belongs to chunk 1 alone; a chunk in the middle begins with a record. */
static void test_chunks(void **state)
{
    struct world w;
    struct chunk chunk;
    struct error err;
    struct pass_counts counts;
    int64_t rows = 0;
    int chunks = 0;

    (void)state;
    open_world(&w, "name,email\na,b\nc,d\ne,f\ng,h", 4);
    while (splitter_next(w.splitter, &chunk, &err) > 0) {
        assert_true(run(&w, &chunk, PASS_ROWS, 0, &counts, &err) > 0);
        rows += counts.rows;
        chunks++;
    }
    assert_int_equal(rows, 4);
    assert_int_equal(chunks, 4);
    close_world(&w);
}

/* A file of so many bytes, and what its last record needs; returns how many it has. */
static int64_t open_large(struct world *w, size_t bytes, int64_t chunk_bytes)
{
    static const char record[] = "somebody of some length,somebody@example.org\n";
    char *text = mem_new(bytes + 2 * sizeof record, 1);
    char *end = stpcpy(text, "name,email\n");
    int64_t records = 0;

    for (; (size_t)(end - text) < bytes; records++)
        end = stpcpy(end, record);
    open_world(w, text, chunk_bytes);
    free(text);
    return records;
}

/* Two lanes have as much to do, one of them half a chunk behind. */
static void test_shares(void **state)
{
    const int64_t mib = 1 << 20;
    struct world w;
    struct chunk chunk;
    struct error err;
    int64_t sizes[8], lines = 0;
    size_t count = 0;

    (void)state;
    int64_t records = open_large(&w, 45 << 20, 20 * mib);
    splitter_share(w.splitter, 2);
    while (splitter_next(w.splitter, &chunk, &err) > 0 && count < 8) {
        assert_int_equal(chunk.first_line, lines + 1);
        lines = chunk.last_line;
        sizes[count++] = chunk.end_offset - chunk.start_offset;
    }
    assert_true(chunk.final);
    assert_int_equal(lines, records);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sizes[i] / mib, i == 0 || i == 4 ? 5 : 11); /* 45 in eight parts */
    close_world(&w);
}

/* A second lane wants 8 MiB of its own. */
static void test_least_share(void **state)
{
    static const struct {
        size_t bytes;
        int64_t first_chunk;
    } cases[] = {{(16 << 20) - 100, 16 << 20}, {16 << 20, 4 << 20}};
    struct world w;
    struct chunk chunk;
    struct error err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        open_large(&w, cases[i].bytes, INT64_C(32) << 20);
        splitter_share(w.splitter, 2);
        assert_int_equal(splitter_next(w.splitter, &chunk, &err), 1);
        assert_in_range(chunk.end_offset, cases[i].first_chunk - 100, cases[i].first_chunk + 100);
        close_world(&w);
    }
}

/* Other bytes than the splitter's, at the same places: nothing of it may be committed. */
static void test_changed_bytes(void **state)
{
    struct world w;
    struct chunk chunk;
    struct error err;
    struct pass_counts counts;

    (void)state;
    open_world(&w, "name,email\na,b\nc,d\n", 1000);
    assert_int_equal(splitter_next(w.splitter, &chunk, &err), 1);
    write_file(&w, "name,email\na,b\nc,X\n");
    assert_int_equal(run(&w, &chunk, PASS_ROWS, 0, &counts, &err), -ERR_FILE_UNSTABLE);
    assert_non_null(strstr(err.message, w.path));
    write_file(&w, "name,email\na\nb\nc,d\n"); /* one record more */
    assert_int_equal(run(&w, &chunk, PASS_ROWS, 10, &counts, &err), -ERR_FILE_UNSTABLE);
    write_file(&w, "name,email\na,b c,d\n"); /* one less */
    assert_int_equal(run(&w, &chunk, PASS_ROWS, 10, &counts, &err), -ERR_FILE_UNSTABLE);
    write_file(&w, "name,email\na,b\n"); /* cut */
    assert_int_equal(run(&w, &chunk, PASS_ROWS, 0, &counts, &err), -ERR_FILE_UNSTABLE);
    close_world(&w);
}

/* Slices are bounded, whatever the size of the chunk. */
static void test_slices(void **state)
{
    struct world w;
    struct chunk chunk;
    struct error err;
    const size_t lines = 20000;
    char *text = mem_new(lines, 16);
    const char *data;
    size_t size;
    int slices = 0;
    int rc;

    (void)state;
    char *to = stpcpy(text, "name,email\n");
    for (size_t i = 1; i < lines; i++)
        to = stpcpy(to, "n,e\n");
    open_world(&w, text, 1 << 20);
    assert_int_equal(splitter_next(w.splitter, &chunk, &err), 1);
    struct pass *pass = pass_rows(w.input, &chunk, 0);
    do {
        rc = pass_next(pass, &data, &size, &err);
        assert_true(rc >= 0 && size <= 64 * 1024 + 100);
        slices++;
    } while (rc > 0);
    assert_int_equal(pass_counts(pass)->rows, lines - 1);
    assert_true(slices > 5);
    pass_free(pass);
    close_world(&w);
    free(text);
}

/* Reads a part to its end, and cuts it as long as there is something to cut: the rows of all parts
 * of one record, in `lines`, in order; and what they are together, in `digest`. */
static void cut_down(const struct world *w, const struct chunk *part, struct digest *digest,
                     int64_t *lines, int *count)
{
    struct pass *pass = pass_part(w->input, part, 10, digest);
    struct chunk first, second;
    struct error err;
    const char *data;
    size_t size;
    int rc;

    assert_false(pass_cut(pass, &first, &second)); /* nothing was given yet */
    while ((rc = pass_next(pass, &data, &size, &err)) > 0)
        ;
    assert_int_equal(rc, 0);
    if (pass_cut(pass, &first, &second)) {
        assert_int_equal(first.first_line, part->first_line);
        assert_int_equal(second.first_line, first.last_line + 1);
        assert_int_equal(second.last_line, part->last_line);
        assert_int_equal(first.end_offset, second.start_offset);
        cut_down(w, &first, digest, lines, count);
        cut_down(w, &second, digest, lines, count);
    } else {
        assert_int_equal(part->first_line, part->last_line);
        assert_int_equal(pass_counts(pass)->rows + pass_counts(pass)->rejects, 1);
        lines[(*count)++] = part->first_line;
        digest_copy(digest, pass_digest(pass));
    }
    pass_free(pass);
}

/* Cut again and again, a chunk gives each of its records once: with header, empty lines, a bad
 * record, and one of several lines. */
static void test_parts(void **state)
{
    struct world w;
    struct chunk chunk;
    struct error err;
    struct digest *digest = digest_new();
    unsigned char hash[DIGEST_BYTES];
    int64_t lines[16] = {0};
    int count = 0;

    (void)state;
    open_world(&w, "name,email\n\n1,a\n2,b\n\n\n3\n\"4\n4\",d\n5,e\n\n6,f\n7,g\n\n", 1000);
    assert_int_equal(splitter_next(w.splitter, &chunk, &err), 1);
    assert_int_equal(chunk.last_line, 7);
    cut_down(&w, &chunk, digest, lines, &count);
    digest_read(digest, hash);
    assert_memory_equal(hash, chunk.hash, sizeof hash);
    assert_int_equal(count, 7);
    for (int i = 0; i < count; i++)
        assert_int_equal(lines[i], i + 1);
    digest_free(digest);
    close_world(&w);
}

/* A pass that was left early is cut where it stands. */
static void test_cut_of_a_pass_that_did_not_get_far(void **state)
{
    struct world w;
    struct chunk chunk, first, second;
    struct error err;
    const size_t line_count = 100000;
    char *text = mem_new(line_count, 16);
    const char *data;
    size_t size;

    (void)state;
    char *to = stpcpy(text, "name,email\n");
    for (size_t i = 1; i < line_count; i++)
        to = stpcpy(to, "n,e\n");
    open_world(&w, text, 1 << 20);
    assert_int_equal(splitter_next(w.splitter, &chunk, &err), 1);
    struct digest *nothing = digest_new();
    struct pass *pass = pass_part(w.input, &chunk, 0, nothing);
    digest_free(nothing);
    assert_int_equal(pass_next(pass, &data, &size, &err), 1);
    assert_true(pass_cut(pass, &first, &second));
    assert_int_equal(first.last_line, pass_counts(pass)->rows);
    assert_true(first.last_line < chunk.last_line / 2);
    assert_int_equal(first.end_offset, 11 + 4 * first.last_line);
    assert_int_equal(second.last_line, chunk.last_line);
    pass_free(pass);
    close_world(&w);
    free(text);
}

/* What the server refused is among the rejects, with its words; and not among bad records twice. */
static void test_refusals(void **state)
{
    struct world w;
    struct chunk chunk;
    struct error err;
    struct refusals refusals = {.count = 0};
    const char *data;
    size_t size;

    (void)state;
    open_world(&w, "name,email\n1,a\n2\n3,c\n4,d\n", 1000);
    assert_int_equal(splitter_next(w.splitter, &chunk, &err), 1);
    error_set(&err, ERR_DATA_REFUSED, "it is a duplicate");
    error_sqlstate(&err, "23505");
    refusals_add(&refusals, 1, &err);
    refusals_add(&refusals, 4, &err);
    struct pass *pass = pass_rejects(w.input, &chunk, refusals);
    assert_int_equal(pass_next(pass, &data, &size, &err), 0);
    assert_int_equal(pass_counts(pass)->rejects, 3);
    assert_int_equal(pass_counts(pass)->rows, 1);
    assert_non_null(memmem(data, size, "it is a duplicate\0\0\0\00523505\0\0\0\0034,d", 33));
    pass_free(pass);
    close_world(&w);
}

static void test_outcomes(void **state)
{
    static const enum outcome expected[] = {
        [DB_DONE] = OUTCOME_FAILED,       [DB_LOST] = OUTCOME_TROUBLE,
        [DB_CONFLICT] = OUTCOME_TROUBLE,  [DB_EXHAUSTED] = OUTCOME_TROUBLE,
        [DB_READ_ONLY] = OUTCOME_TROUBLE, [DB_CANCELLED] = OUTCOME_TROUBLE,
        [DB_FENCED] = OUTCOME_FENCED,     [DB_DATA] = OUTCOME_FAILED,
        [DB_DENIED] = OUTCOME_FAILED,
    };
    struct db_error err = {.meaning = DB_DONE};

    (void)state;
    error_set(&err.error, ERR_DATABASE, "what");
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        err.meaning = (enum db_meaning)i;
        struct ending ending = outcome_of(&err);
        assert_int_equal(ending.outcome, expected[i]);
        assert_int_equal(ending.error.code,
                         expected[i] == OUTCOME_FENCED ? ERR_NONE : ERR_DATABASE);
    }
}

static void test_command(void **state)
{
    char contacts[] = PROFILE_BUILT_IN;
    char other[] = "my shop";
    char path[] = "/data/it's.csv";
    struct job job = {.path = path, .profile = {.name = contacts}};
    char *command = outcome_command(&job, NULL);

    (void)state;
    assert_string_equal(command, "uploadctl upload '/data/it'\\''s.csv'");
    free(command);
    job.profile.name = other;
    command = outcome_command(&job, "--again");
    assert_string_equal(command, "uploadctl upload --again --profile 'my shop' "
                                 "'/data/it'\\''s.csv'");
    free(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_and_rejects),
        cmocka_unit_test(test_reject_limit),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_least_share),
        cmocka_unit_test(test_changed_bytes),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_cut_of_a_pass_that_did_not_get_far),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
