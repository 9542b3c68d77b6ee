/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/color.h"

#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "ctl/width.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLAIN "\033[0m"

static const char *const colors[] = {
    [STATUS_PROCESSING] = "\033[36m", [STATUS_STOPPED] = "\033[33m",   [STATUS_KILLED] = "\033[33m",
    [STATUS_FAILED] = "\033[31m",     [STATUS_PROCESSED] = "\033[32m",
};

static bool colored;

enum color_when color_when_parse(const char *word)
{
    static const char *const words[] = {
#define X(name, text) [name] = text,
        COLOR_WHENS(X)
#undef X
    };
    enum color_when when = 0;

    while (when < COLOR_WHEN_COUNT && strcmp(words[when], word) != 0)
        when++;
    return when;
}

static bool terminal_has_colors(void)
{
    const char *no_color = getenv("NO_COLOR");

    return width_is_screen(STDOUT_FILENO) && !(no_color && no_color[0]);
}

void color_init(enum color_when when)
{
    colored = when == COLOR_ALWAYS || (when == COLOR_AUTO && terminal_has_colors());
}

const char *color_of(const char *status)
{
    enum status number = status_parse(status);

    return colored && number < COUNT_OF(colors) ? colors[number] : NULL;
}

void color_print(FILE *out, const char *text)
{
    const char *color = color_of(text);
    char escaped[128];

    text_escape(escaped, sizeof escaped, text);
    fprintf(out, "%s%s%s", color ? color : "", escaped, color ? PLAIN : "");
}
