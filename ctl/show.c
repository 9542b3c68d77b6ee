/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/show.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/profile.h"
#include "base/text.h"
#include "ctl/base64.h"
#include "ctl/color.h"
#include "ctl/ending.h"
#include "ctl/numbers.h"
#include "ipc/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a reject's text, for people; all of it is in its JSON. */
#define RAW_BYTES 500

static const char *text_of(const json_t *object, const char *field)
{
    const char *text = ipc_text(object, field);

    return text ? text : "";
}

static void count_of(char out[NUMBER_BYTES], const json_t *object, const char *field)
{
    text_count(out, ipc_int(object, field, 0));
}

static void time_of(char out[NUMBER_BYTES], const json_t *object, const char *field)
{
    numbers_local_time(out, text_of(object, field));
}

static void size_of(char out[NUMBER_BYTES], const json_t *upload)
{
    int64_t size = ipc_int(upload, "size", -1);

    if (size < 0)
        snprintf(out, NUMBER_BYTES, "?");
    else
        numbers_size(out, size);
}

/* ---- one upload ---- */

static void line(const char *name, const char *text)
{
    char *escaped = text_escaped(text);

    printf("%-14s %s\n", name, escaped);
    free(escaped);
}

static void line_of(const char *name, const json_t *upload, const char *field)
{
    line(name, text_of(upload, field));
}

static void show_numbers(const json_t *upload)
{
    const json_t *rate = json_object_get(upload, "rate");
    char text[2 * NUMBER_BYTES + 32];
    char number[NUMBER_BYTES];
    char second[NUMBER_BYTES];

    count_of(number, upload, "rows");
    line("rows", number);
    count_of(number, upload, "rejects");
    line("rejects", number);
    count_of(number, upload, "line");
    count_of(second, upload, "offset");
    snprintf(text, sizeof text, "record %s, byte %s", number, second);
    line("recovery point", text);
    size_of(number, upload);
    count_of(second, upload, "size");
    snprintf(text, sizeof text, "%s (%s bytes)", number, second);
    line("size", ipc_int(upload, "size", -1) < 1000 ? number : text);
    ending_percent(number, upload);
    line("done", number);
    if (json_is_number(rate)) {
        numbers_size(number, (int64_t)json_number_value(rate));
        snprintf(text, sizeof text, "%s/s", number);
        line("rate", text);
    }
}

static void show_error(const json_t *upload)
{
    struct error err;

    ipc_error_parse(json_object_get(upload, "error"), &err);
    if (err.code == ERR_NONE)
        return;
    line("error", err.message);
    if (err.detail[0])
        line("detail", err.detail);
    if (err.hint[0])
        line("hint", err.hint);
    if (err.sqlstate[0])
        line("SQLSTATE", err.sqlstate);
}

static void show_waiting(const json_t *upload)
{
    const char *what = ipc_text(upload, "waits_for");
    int64_t in_front = ipc_int(upload, "in_front", -1);
    int64_t priority = ipc_int(upload, "priority", 0);
    char text[200];

    if (what && in_front >= 0)
        snprintf(text, sizeof text, "%.100s; uploads before it: %lld", what, (long long)in_front);
    else if (what)
        snprintf(text, sizeof text, "%.100s; uploads before it: very many", what);
    if (what)
        line("waits for", text);
    snprintf(text, sizeof text, "%lld", (long long)priority);
    if (priority != 0)
        line("priority", text);
}

static void show_status(const json_t *upload)
{
    const char *phase = text_of(upload, "phase");
    bool ended = strcmp(phase, "ended") == 0;

    printf("%-14s ", "status");
    color_print(stdout, text_of(upload, "status"));
    if (!ended) {
        fputs(" (", stdout);
        color_print(stdout, phase);
        fputc(')', stdout);
    }
    fputc('\n', stdout);
}

/* Who waits for one whose owner is dead, waits for ever. */
static void show_owner(const json_t *upload)
{
    char text[80];

    if (strcmp(text_of(upload, "phase"), "foreign") != 0)
        return;
    snprintf(text, sizeof text, "if it is gone for good, type: uploadctl kill %lld",
             (long long)ipc_int(upload, "id", 0));
    line("", text);
}

void show_upload(const json_t *upload)
{
    char text[2 * NUMBER_BYTES];
    char number[NUMBER_BYTES];

    count_of(number, upload, "id");
    snprintf(text, sizeof text, "%lld", (long long)ipc_int(upload, "id", 0));
    line("upload", text);
    line_of("file", upload, "path");
    line_of("profile", upload, "profile");
    show_status(upload);
    show_waiting(upload);
    show_numbers(upload);
    time_of(number, upload, "created_at");
    line("created", number);
    time_of(number, upload, "updated_at");
    line("updated", number);
    line_of("owner", upload, "owner");
    show_owner(upload);
    if (ipc_text(upload, "content"))
        line_of("content", upload, "content");
    show_error(upload);
    if (ipc_text(upload, "retry_at")) {
        time_of(number, upload, "retry_at");
        line("next try", number);
    }
    line("next", ipc_text(upload, "next") ? text_of(upload, "next") : "nothing is to be done");
}

/* ---- many uploads ---- */

static const struct sheet_column upload_columns[] = {
    {"ID", SHEET_RIGHT},   {"STATUS", SHEET_STATUS}, {"PHASE", SHEET_LEFT},
    {"ROWS", SHEET_RIGHT}, {"REJECTS", SHEET_RIGHT}, {"DONE", SHEET_RIGHT},
    {"SIZE", SHEET_RIGHT}, {"FILE", SHEET_LEFT},
};

struct sheet *show_uploads_new(void)
{
    return sheet_new(upload_columns, COUNT_OF(upload_columns), SHEET_CUT_START);
}

static const char *phase_of(const json_t *upload)
{
    const char *phase = text_of(upload, "phase");

    return strcmp(phase, "ended") == 0 ? "" : phase;
}

/* The phase, and for one that waits its place in the queue. */
static void phase_text(char out[NUMBER_BYTES], const json_t *upload)
{
    int64_t in_front = ipc_int(upload, "in_front", -1);

    if (in_front >= 0)
        snprintf(out, NUMBER_BYTES, "%.20s #%lld", phase_of(upload), (long long)in_front + 1);
    else
        snprintf(out, NUMBER_BYTES, "%.40s", phase_of(upload));
}

/* As it is: control characters and all. */
static char *file_text(const json_t *upload)
{
    const char *profile = text_of(upload, "profile");
    bool built_in = strcmp(profile, PROFILE_BUILT_IN) == 0;

    return mem_format("%s%s%s%s", text_of(upload, "path"), built_in ? "" : " (profile ",
                      built_in ? "" : profile, built_in ? "" : ")");
}

char *show_file(const json_t *upload)
{
    char *text = file_text(upload);
    char *escaped = text_escaped(text);

    free(text);
    return escaped;
}

void show_uploads_add(struct sheet *sheet, const json_t *upload)
{
    char id[NUMBER_BYTES];
    char rows[NUMBER_BYTES];
    char rejects[NUMBER_BYTES];
    char size[NUMBER_BYTES];
    char percent[8];
    char phase[NUMBER_BYTES];
    char *file = file_text(upload);

    phase_text(phase, upload);
    snprintf(id, sizeof id, "%lld", (long long)ipc_int(upload, "id", 0));
    count_of(rows, upload, "rows");
    count_of(rejects, upload, "rejects");
    size_of(size, upload);
    ending_percent(percent, upload);
    const char *const texts[] = {
        id, text_of(upload, "status"), phase, rows, rejects, percent, size, file};
    sheet_add(sheet, texts);
    free(file);
}

void show_change(const json_t *upload)
{
    char *file = show_file(upload);
    char at[NUMBER_BYTES];
    char rows[TEXT_COUNTED_BYTES];
    char rejects[TEXT_COUNTED_BYTES];
    char percent[8];

    if (phase_of(upload)[0]) /* under way: its row says when it was begun */
        numbers_now(at);
    else
        time_of(at, upload, "updated_at");
    ending_percent(percent, upload);
    printf("%s  %lld ", at, (long long)ipc_int(upload, "id", 0));
    color_print(stdout, text_of(upload, "status"));
    printf("%s%s  %s  %s  %s  %s\n", phase_of(upload)[0] ? " " : "", phase_of(upload),
           text_counted(rows, ipc_int(upload, "rows", 0), "row"),
           text_counted(rejects, ipc_int(upload, "rejects", 0), "reject"), percent, file);
    free(file);
}

/* ---- events ---- */

static const struct sheet_column event_columns[] = {
    {"AT", SHEET_LEFT},   {"FROM", SHEET_STATUS}, {"TO", SHEET_STATUS},   {"EVENT", SHEET_LEFT},
    {"UID", SHEET_RIGHT}, {"HOST", SHEET_LEFT},   {"REASON", SHEET_LEFT},
};

struct sheet *show_events_new(void)
{
    return sheet_new(event_columns, COUNT_OF(event_columns), SHEET_WRAP);
}

void show_events_add(struct sheet *sheet, const json_t *event)
{
    char at[NUMBER_BYTES];
    char uid[NUMBER_BYTES] = "";

    time_of(at, event, "at");
    if (json_is_integer(json_object_get(event, "uid")))
        snprintf(uid, sizeof uid, "%lld", (long long)ipc_int(event, "uid", 0));
    const char *const texts[] = {
        at,  text_of(event, "from"), text_of(event, "to"),    text_of(event, "event"),
        uid, text_of(event, "host"), text_of(event, "reason")};
    sheet_add(sheet, texts);
}

/* ---- rejects ---- */

static const struct sheet_column reject_columns[] = {
    {"RECORD", SHEET_RIGHT},
    {"REASON", SHEET_LEFT},
    {"RAW", SHEET_LEFT},
};

struct sheet *show_rejects_new(void)
{
    return sheet_new(reject_columns, COUNT_OF(reject_columns), SHEET_CUT_END);
}

char *show_raw(const char *base64, size_t most)
{
    size_t size;
    unsigned char *raw = base64_decode(base64, most + 1, &size);
    bool more = size > most;
    size = more ? most : size;
    raw[size] = '\0';
    char *text = mem_new(size * 4 + 4, 1);
    for (size_t at = 0; at < size; at++) { /* a NUL ends what text_escape sees */
        size_t used = strlen(text);
        text_escape(text + used, size * 4 + 1 - used, (char *)raw + at);
        at += strlen((char *)raw + at);
        if (at < size)
            memcpy(text + strlen(text), "\\x00", 5);
    }
    if (more)
        memcpy(text + strlen(text), "...", 4);
    free(raw);
    return text;
}

void show_rejects_add(struct sheet *sheet, const json_t *reject)
{
    char number[NUMBER_BYTES];
    char *raw = show_raw(text_of(reject, "raw_base64"), RAW_BYTES);

    snprintf(number, sizeof number, "%lld", (long long)ipc_int(reject, "line", 0));
    const char *const texts[] = {number, text_of(reject, "reason"), raw};
    sheet_add(sheet, texts);
    free(raw);
}
