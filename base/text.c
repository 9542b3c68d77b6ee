/* SPDX-License-Identifier: PostgreSQL */
#include "base/text.h"

#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Length of the sequence that starts here, 0 when it is none (RFC 3629, section 4). */
static size_t sequence(const unsigned char *s, size_t left)
{
    unsigned char lo = 0x80;
    unsigned char hi = 0xBF;
    size_t n;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        n = 2;
    else if (s[0] >= 0xE0 && s[0] <= 0xEF)
        n = 3;
    else if (s[0] >= 0xF0 && s[0] <= 0xF4)
        n = 4;
    else
        return 0;
    if (s[0] == 0xE0)
        lo = 0xA0;
    else if (s[0] == 0xED)
        hi = 0x9F;
    else if (s[0] == 0xF0)
        lo = 0x90;
    else if (s[0] == 0xF4)
        hi = 0x8F;
    if (left < n || s[1] < lo || s[1] > hi)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    return n;
}

size_t text_utf8_valid(const char *data, size_t size)
{
    const unsigned char *s = (const unsigned char *)data;
    size_t at = 0;

    while (at < size) {
        uint64_t word;
        while (size - at >= sizeof word) { /* most bytes are ASCII: eight at a time */
            memcpy(&word, s + at, sizeof word);
            if (word & UINT64_C(0x8080808080808080))
                break;
            at += sizeof word;
        }
        if (at == size)
            break;
        size_t n = sequence(s + at, size - at);
        if (n == 0)
            return at;
        at += n;
    }
    return at;
}

void text_escape(char *out, size_t size, const char *in)
{
    size_t left = strlen(in);
    size_t used = 0;

    while (left > 0) {
        const unsigned char *s = (const unsigned char *)in;
        size_t n = sequence(s, left);
        char code[8];
        const char *piece = in;
        size_t length = n;
        if (n == 0 || (n == 1 && (s[0] < 0x20 || s[0] == 0x7F)) ||
            (n == 2 && s[0] == 0xC2 && s[1] < 0xA0)) {
            if (s[0] == '\n' || s[0] == '\t' || s[0] == '\r')
                snprintf(code, sizeof code, "\\%c", s[0] == '\n' ? 'n' : s[0] == '\t' ? 't' : 'r');
            else
                snprintf(code, sizeof code, "\\x%02X", s[0]);
            piece = code;
            length = strlen(code);
            n = 1;
        }
        if (used + length + 1 > size)
            break;
        memcpy(out + used, piece, length);
        used += length;
        in += n;
        left -= n;
    }
    out[used] = '\0';
}

char *text_escaped(const char *in)
{
    size_t size = strlen(in) * 4 + 1; /* "\\x1B" is the longest code */
    char *out = mem_new(size, 1);

    text_escape(out, size, in);
    return out;
}

bool text_to_int64(const char *text, int64_t min, int64_t max, int64_t *value)
{
    char *end;

    if (!((*text >= '0' && *text <= '9') || (*text == '-' && text[1] >= '0' && text[1] <= '9')))
        return false;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || *end || n < min || n > max)
        return false;
    *value = n;
    return true;
}

char *text_time(char out[TEXT_TIME_BYTES], int64_t from_now_ms)
{
    struct timespec now;
    struct tm parts;

    clock_gettime(CLOCK_REALTIME, &now);
    int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + from_now_ms;
    time_t seconds = (time_t)(ms / 1000);
    gmtime_r(&seconds, &parts);
    size_t used = strftime(out, TEXT_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + used, TEXT_TIME_BYTES - used, ".%03dZ", (int)(ms % 1000));
    return out;
}

char *text_path_normal(const char *path, const char *cwd)
{
    char *joined = path[0] == '/' ? mem_dup(path) : mem_format("%s/%s", cwd, path);
    char *out = mem_new(strlen(joined) + 2, 1);
    size_t used = 0;

    for (const char *s = joined; *s;) {
        size_t n = strcspn(s, "/");
        if (n == 2 && s[0] == '.' && s[1] == '.') {
            while (used > 0 && out[--used] != '/')
                ;
        } else if (n > 0 && !(n == 1 && s[0] == '.')) {
            out[used++] = '/';
            memcpy(out + used, s, n);
            used += n;
        }
        s += n + (s[n] == '/');
    }
    if (used == 0)
        out[used++] = '/';
    out[used] = '\0';
    free(joined);
    return out;
}

bool text_path_is_normal(const char *path)
{
    if (path[0] != '/' || path[1] == '\0' || strchr(path, '\n'))
        return false;
    if (text_utf8_valid(path, strlen(path)) != strlen(path))
        return false;
    char *normal = text_path_normal(path, "/");
    bool same = strcmp(normal, path) == 0;
    free(normal);
    return same;
}

bool text_path_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    if (n == 1 && folder[0] == '/')
        return path[0] == '/';
    return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

void text_count(char out[TEXT_COUNT_BYTES], int64_t n)
{
    char digits[TEXT_COUNT_BYTES];
    uint64_t size = n < 0 ? (uint64_t)0 - (uint64_t)n : (uint64_t)n;
    size_t length = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, size);
    size_t used = 0;

    if (n < 0)
        out[used++] = '-';
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
}

char *text_counted(char out[TEXT_COUNTED_BYTES], int64_t n, const char *noun)
{
    char number[TEXT_COUNT_BYTES];

    text_count(number, n);
    snprintf(out, TEXT_COUNTED_BYTES, "%s %.20s%s", number, noun, n == 1 ? "" : "s");
    return out;
}
