/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/screen.h"

#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "ctl/color.h"
#include "ctl/numbers.h"
#include "ctl/show.h"
#include "ctl/width.h"
#include "ipc/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* xterm's control sequences, which every terminal of today has */
#define TAKE "\033[?1049h\033[?25l" /* the alternate screen, without a cursor */
#define GIVE_BACK "\033[?25h\033[?1049l"
#define CLEAR "\033[H\033[J"
#define LINE_AT "\033[%zu;1H%s\033[K"
#define PLAIN "\033[0m"

#define BAR_LEAST 2 /* inside of the bar */
#define BAR_MOST 30
#define BESIDE_BAR 68   /* columns: numbers, and a path that can be told from another */
#define STATUS_WIDE 10  /* PROCESSING */
#define FEW_WAITING 3   /* so many are shown before those that have ended */
#define PROBLEM_SHARE 3 /* of the screen, one in so many is for problems, if others need room */
#define TEXT_BYTES 1024

/* X(NAME, heading, lines of each): in the order in which they stand */
#define SECTIONS(X)                                                                                \
    X(PROBLEMS, "PROBLEMS", 2)                                                                     \
    X(RUNNING, "RUNNING", 1)                                                                       \
    X(WAITING, "WAITING", 1)                                                                       \
    X(ENDED, "ENDED", 1)

enum section {
#define X(name, heading, lines) name,
    SECTIONS(X)
#undef X
        SECTION_COUNT
};

static const struct {
    const char *heading;
    size_t lines;
} sections[] = {
#define X(name, text, each) [name] = {text, each},
    SECTIONS(X)
#undef X
};

struct members {
    struct screen_row *rows;
    size_t count, shown;
};

struct screen {
    size_t columns, lines; /* as it was last drawn; 0: not yet */
    char **shown;          /* what stands there */
    size_t at;             /* the next line */
    uint64_t now_ms;
};

/* ---- lines ---- */

static void forget(struct screen *screen)
{
    for (size_t i = 0; i < screen->lines; i++)
        free(screen->shown[i]);
    free(screen->shown);
    screen->shown = NULL;
    screen->lines = 0;
}

/* A terminal of another size is begun anew. The last column stays free: behind it a terminal may
 * begin a new line. */
static void measure(struct screen *screen)
{
    size_t columns = width_of_terminal(STDOUT_FILENO) - 1;
    size_t lines = width_lines_of_terminal(STDOUT_FILENO);

    screen->at = 0;
    if (columns == screen->columns && lines == screen->lines)
        return;
    forget(screen);
    screen->columns = columns;
    screen->lines = lines;
    screen->shown = mem_new(lines, sizeof *screen->shown);
    fputs(CLEAR, stdout);
}

static void put(struct screen *screen, const char *text)
{
    if (screen->at == screen->lines)
        return;
    char **line = &screen->shown[screen->at++];
    if (*line && strcmp(*line, text) == 0)
        return;
    printf(LINE_AT, screen->at, text);
    free(*line);
    *line = mem_dup(text);
}

static void put_cut(struct screen *screen, const char *text)
{
    char cut[TEXT_BYTES];

    width_cut_end(cut, sizeof cut, text, screen->columns);
    put(screen, cut);
}

/* `before` takes `wide` columns, colors apart; the path has the rest, its end rather than its
 * beginning. */
static void put_with_path(struct screen *screen, const char *before, size_t wide,
                          const json_t *upload)
{
    char *path = show_file(upload);
    char cut[TEXT_BYTES];
    char text[2 * TEXT_BYTES];

    if (wide >= screen->columns) {
        put(screen, before);
    } else {
        width_cut_start(cut, sizeof cut, path, screen->columns - wide);
        snprintf(text, sizeof text, "%s%s", before, cut);
        put(screen, text);
    }
    free(path);
}

static void status_text(char *out, size_t size, const json_t *upload)
{
    const char *status = ipc_text(upload, "status");
    const char *color = color_of(status ? status : "");

    snprintf(out, size, "%s%-*.*s%s", color ? color : "", STATUS_WIDE, STATUS_WIDE,
             status ? status : "", color ? PLAIN : "");
}

static long long id_of(const json_t *upload)
{
    return (long long)ipc_int(upload, "id", 0);
}

/* ---- the members of the sections ---- */

static void put_problem(struct screen *screen, const struct screen_row *row)
{
    const char *message = ipc_text(json_object_get(row->upload, "error"), "message");
    char status[64];
    char text[TEXT_BYTES];
    char escaped[TEXT_BYTES];

    status_text(status, sizeof status, row->upload);
    snprintf(text, sizeof text, "%6lld %s ", id_of(row->upload), status);
    put_with_path(screen, text, 6 + 1 + STATUS_WIDE + 1, row->upload);
    text_escape(escaped, sizeof escaped - 16, message ? message : "");
    snprintf(text, sizeof text, "       %.1000s", escaped);
    put_cut(screen, text);
}

static void left_text(char out[NUMBER_BYTES], const struct bar *bar)
{
    if (bar->phase)
        snprintf(out, NUMBER_BYTES, "%.9s", bar->phase);
    else if (bar->still_s >= 0)
        snprintf(out, NUMBER_BYTES, "idle");
    else if (bar->left_s >= 0)
        numbers_duration_short(out, bar->left_s);
    else
        out[0] = '\0';
}

static size_t bar_inside(size_t columns)
{
    if (columns < BESIDE_BAR + BAR_LEAST)
        return BAR_LEAST;
    return columns - BESIDE_BAR < BAR_MOST ? columns - BESIDE_BAR : BAR_MOST;
}

static void put_running(struct screen *screen, const struct screen_row *row)
{
    struct bar bar = moving_bar(row->moving, "", screen->now_ms);
    size_t inside = bar_inside(screen->columns);
    char drawn[BAR_MOST + 3];
    char rows[NUMBER_BYTES];
    char rate[NUMBER_BYTES] = "";
    char left[NUMBER_BYTES];
    char percent[8] = "?";
    char text[TEXT_BYTES];

    bar_draw(drawn, inside + 2, &bar);
    if (bar_percent(&bar) >= 0)
        snprintf(percent, sizeof percent, "%d%%", bar_percent(&bar));
    numbers_short(rows, bar.rows);
    if (bar.rate >= 0)
        numbers_short(rate, (int64_t)bar.rate);
    left_text(left, &bar);
    int wide = snprintf(text, sizeof text, "%6lld %s %4s %4s rows %4s%4s %9s  ", id_of(row->upload),
                        drawn, percent, rows, rate, rate[0] ? "B/s" : "", left);
    put_with_path(screen, text, (size_t)wide, row->upload);
}

static void put_waiting(struct screen *screen, const struct screen_row *row)
{
    const char *what = ipc_text(row->upload, "waits_for");
    int64_t in_front = ipc_int(row->upload, "in_front", -1);
    char place[NUMBER_BYTES] = "";
    char text[TEXT_BYTES];

    if (in_front >= 0)
        snprintf(place, sizeof place, "#%lld", (long long)in_front + 1);
    int wide = snprintf(text, sizeof text, "%6lld %-7s %-24.24s  ", id_of(row->upload), place,
                        what ? what : "");
    put_with_path(screen, text, (size_t)wide, row->upload);
}

static void put_ended(struct screen *screen, const struct screen_row *row)
{
    const struct moving *moving = row->moving;
    char status[64];
    char rows[NUMBER_BYTES];
    char rejects[NUMBER_BYTES];
    char text[TEXT_BYTES];

    status_text(status, sizeof status, row->upload);
    text_count(rows, moving->rows);
    numbers_short(rejects, moving->rejects);
    snprintf(text, sizeof text, "%6lld %s %11s rows %4s rejects  ", id_of(row->upload), status,
             rows, rejects);
    put_with_path(screen, text, 6 + 1 + STATUS_WIDE + 1 + 11 + 5 + 1 + 4 + 8 + 2, row->upload);
}

typedef void put_member(struct screen *screen, const struct screen_row *row);

static put_member *const put_members[] = {
    [PROBLEMS] = put_problem,
    [RUNNING] = put_running,
    [WAITING] = put_waiting,
    [ENDED] = put_ended,
};

/* ---- who is where, and how many find room ---- */

static enum section section_of(const json_t *upload)
{
    const char *status = ipc_text(upload, "status");
    enum status number = status_parse(status ? status : "");

    if (!json_is_null(json_object_get(upload, "error")) && json_object_get(upload, "error"))
        return PROBLEMS;
    if (!status_is_unfinished(number))
        return ENDED;
    return ipc_text(upload, "waits_for") ? WAITING : RUNNING;
}

/* Newest trouble first. */
static int by_update(const void *a, const void *b)
{
    const struct screen_row *one = a;
    const struct screen_row *other = b;
    const char *at = ipc_text(one->upload, "updated_at");
    const char *other_at = ipc_text(other->upload, "updated_at");

    return strcmp(other_at ? other_at : "", at ? at : "");
}

/* Next in turn first. */
static int by_place(const void *a, const void *b)
{
    const struct screen_row *one = a;
    const struct screen_row *other = b;
    int64_t at = ipc_int(one->upload, "in_front", INT64_MAX);
    int64_t other_at = ipc_int(other->upload, "in_front", INT64_MAX);

    return (at > other_at) - (at < other_at);
}

static void sort_in(struct members members[SECTION_COUNT], const struct screen_row *rows,
                    size_t count)
{
    for (enum section s = 0; s < SECTION_COUNT; s++)
        members[s] = (struct members){.rows = mem_new(count, sizeof(struct screen_row))};
    for (size_t i = 0; i < count; i++) {
        struct members *in = &members[section_of(rows[i].upload)];
        in->rows[in->count++] = rows[i];
    }
    qsort(members[PROBLEMS].rows, members[PROBLEMS].count, sizeof(struct screen_row), by_update);
    qsort(members[WAITING].rows, members[WAITING].count, sizeof(struct screen_row), by_place);
}

/* Gives a section lines out of what is left, for at most so many members; its heading comes first.
 */
static void give(struct members *members, enum section section, size_t most, size_t *left)
{
    size_t each = sections[section].lines;
    bool headed = members[section].shown > 0;

    most = most < members[section].count ? most : members[section].count;
    while (members[section].shown < most && *left >= each + !headed) {
        *left -= each + !headed;
        headed = true;
        members[section].shown++;
    }
}

static void share(struct members members[SECTION_COUNT], size_t lines)
{
    size_t left = lines;

    give(members, PROBLEMS, lines / PROBLEM_SHARE / sections[PROBLEMS].lines, &left);
    give(members, RUNNING, SIZE_MAX, &left);
    give(members, WAITING, FEW_WAITING, &left);
    give(members, PROBLEMS, SIZE_MAX, &left);
    give(members, ENDED, FEW_WAITING, &left);
    give(members, WAITING, SIZE_MAX, &left);
    give(members, ENDED, SIZE_MAX, &left);
}

/* ---- all of it ---- */

static void put_title(struct screen *screen, const struct members members[SECTION_COUNT])
{
    char at[NUMBER_BYTES];
    char rate[NUMBER_BYTES];
    char text[TEXT_BYTES];
    double all = 0;

    for (size_t i = 0; i < members[RUNNING].count; i++) {
        struct bar bar = moving_bar(members[RUNNING].rows[i].moving, "", screen->now_ms);
        all += bar.rate > 0 ? bar.rate : 0;
    }
    numbers_now(at);
    numbers_size(rate, (int64_t)all);
    snprintf(text, sizeof text, "%s   %zu running, %s/s   %zu waiting   %zu with a problem", at,
             members[RUNNING].count, rate, members[WAITING].count, members[PROBLEMS].count);
    put_cut(screen, text);
}

static void put_section(struct screen *screen, const struct members *members, enum section section)
{
    char text[64];

    if (members->shown == 0)
        return;
    if (members->shown < members->count)
        snprintf(text, sizeof text, "%s, %zu of %zu", sections[section].heading, members->shown,
                 members->count);
    else
        snprintf(text, sizeof text, "%s", sections[section].heading);
    put_cut(screen, text);
    for (size_t i = 0; i < members->shown; i++)
        put_members[section](screen, &members->rows[i]);
}

void screen_draw(struct screen *screen, const struct screen_row *rows, size_t count,
                 const char *trouble, uint64_t now_ms)
{
    struct members members[SECTION_COUNT];

    measure(screen);
    screen->now_ms = now_ms;
    sort_in(members, rows, count);
    share(members, screen->lines > 3 ? screen->lines - 2 : 1);
    put_title(screen, members);
    for (enum section s = 0; s < SECTION_COUNT; s++)
        put_section(screen, &members[s], s);
    if (count == 0)
        put(screen, "no uploads yet");
    while (screen->at + 1 < screen->lines)
        put(screen, "");
    put_cut(screen, trouble ? trouble : "Ctrl-C ends this; uploads go on.");
    for (enum section s = 0; s < SECTION_COUNT; s++)
        free(members[s].rows);
}

struct screen *screen_new(void)
{
    fputs(TAKE, stdout);
    return NEW(struct screen);
}

void screen_free(struct screen *screen)
{
    if (!screen)
        return;
    forget(screen);
    fputs(GIVE_BACK, stdout);
    fflush(stdout);
    free(screen);
}
