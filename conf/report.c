/* SPDX-License-Identifier: PostgreSQL */
#include "conf/report.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* A path, a section, a key and an error, with room for escapes. */
#define LINE_BYTES 8192

static size_t rank(struct report *report, const char *file)
{
    for (size_t i = 0; i < report->file_count; i++)
        if (strcmp(report->files[i], file) == 0)
            return i;
    report->files = mem_resize(report->files, report->file_count + 1, sizeof *report->files);
    report->files[report->file_count] = mem_dup(file);
    return report->file_count++;
}

void report_file(struct report *report, const char *file)
{
    rank(report, file);
}

static char *entry_text(const struct place *place, const char *kind, const struct error *err)
{
    const char *section = place->section ? place->section : "";
    const char *key = place->key ? place->key : "";
    char line[32] = "";

    if (place->line > 0)
        snprintf(line, sizeof line, ":%zu", place->line);
    return mem_format("%s%s: %s%s%s%s%s%s; %s", place->file, line, section,
                      *section && *key ? "." : "", key, *section || *key ? ": " : "", kind,
                      err->message, err->hint);
}

static void add(struct report *report, const struct place *place, const char *kind,
                const struct error *err)
{
    report->entries = mem_resize(report->entries, report->count + 1, sizeof *report->entries);
    report->entries[report->count] = (struct report_entry){
        .file = rank(report, place->file),
        .line = place->line,
        .order = report->count,
        .text = entry_text(place, kind, err),
    };
    report->count++;
}

void report_add(struct report *report, const struct place *place, const struct error *err)
{
    add(report, place, "", err);
    report->errors++;
}

void report_warn(struct report *report, const struct place *place, const struct error *err)
{
    add(report, place, "warning: ", err);
}

static int compare_sizes(size_t x, size_t y)
{
    return (x > y) - (x < y);
}

static int compare_entries(const void *a, const void *b)
{
    const struct report_entry *x = a;
    const struct report_entry *y = b;
    int order = compare_sizes(x->file, y->file);

    if (order == 0)
        order = compare_sizes(x->line, y->line);
    return order ? order : compare_sizes(x->order, y->order);
}

void report_print(struct report *report, FILE *out)
{
    char safe[LINE_BYTES];

    if (report->count > 0)
        qsort(report->entries, report->count, sizeof *report->entries, compare_entries);
    for (size_t i = 0; i < report->count; i++) {
        text_escape(safe, sizeof safe, report->entries[i].text);
        fprintf(out, "%s\n", safe);
    }
}

void report_fini(struct report *report)
{
    for (size_t i = 0; i < report->count; i++)
        free(report->entries[i].text);
    for (size_t i = 0; i < report->file_count; i++)
        free(report->files[i]);
    free(report->entries);
    free(report->files);
    *report = (struct report){0};
}
