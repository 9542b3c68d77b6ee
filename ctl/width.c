/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/width.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define DOTS "..."

/* The character that starts here: its bytes, and its columns. Bytes that are no UTF-8 are
 * characters of their own. */
static size_t character(const char *text, size_t *columns)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t bytes = s[0] < 0xC0 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    uint32_t code = bytes == 1 ? s[0] : s[0] & (0x7Fu >> bytes);

    for (size_t i = 1; i < bytes; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            *columns = 1;
            return 1;
        }
        code = code << 6 | (s[i] & 0x3F);
    }
    int width = wcwidth((wchar_t)code);
    *columns = width < 0 ? 1 : (size_t)width;
    return bytes;
}

size_t width_of(const char *text)
{
    size_t all = 0;
    size_t columns;

    while (*text) {
        text += character(text, &columns);
        all += columns;
    }
    return all;
}

/* Bytes of the longest beginning within `columns`. */
static size_t fitting(const char *text, size_t columns)
{
    size_t bytes = 0;
    size_t wide;

    for (size_t used = 0; text[bytes]; used += wide) {
        size_t n = character(text + bytes, &wide);
        if (used + wide > columns)
            break;
        bytes += n;
    }
    return bytes;
}

void width_cut_end(char *out, size_t size, const char *text, size_t columns)
{
    if (width_of(text) <= columns) {
        snprintf(out, size, "%s", text);
        return;
    }
    size_t room = columns > strlen(DOTS) ? columns - strlen(DOTS) : 0;
    snprintf(out, size, "%.*s%.*s", (int)fitting(text, room), text, (int)columns, DOTS);
}

void width_cut_start(char *out, size_t size, const char *text, size_t columns)
{
    size_t all = width_of(text);

    if (all <= columns) {
        snprintf(out, size, "%s", text);
        return;
    }
    size_t room = columns > strlen(DOTS) ? columns - strlen(DOTS) : 0;
    while (all > room) {
        size_t wide;
        text += character(text, &wide);
        all -= wide;
    }
    snprintf(out, size, "%.*s%s", (int)columns, DOTS, text);
}

size_t width_beginning(const char *text, size_t columns)
{
    size_t bytes = fitting(text, columns);
    size_t wide;

    if (bytes == 0 && text[0])
        return character(text, &wide);
    if (!text[bytes] || text[bytes] == ' ')
        return bytes;
    const char *blank = memrchr(text, ' ', bytes);
    return blank && blank > text ? (size_t)(blank - text) : bytes;
}

bool width_is_screen(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && term && strcmp(term, "dumb") != 0;
}

size_t width_of_terminal(int fd)
{
    struct winsize size;

    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

size_t width_lines_of_terminal(int fd)
{
    struct winsize size;

    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}
