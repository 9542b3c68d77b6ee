/* SPDX-License-Identifier: PostgreSQL */
#include "docs/mdoc.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define WIDTH 78

/* What mdoc would take for something else, or a terminal might not have. */
static const struct {
    const char *text, *escape;
} escapes[] = {
    {"\\", "\\e"},  {"-", "\\-"},   {"^", "\\(ha"},  {"~", "\\(ti"},
    {"²", "\\(S2"}, {"³", "\\(S3"}, {"\"", "\\(dq"},
};

/* A hyphen within a word may stay one; elsewhere it is typed as it is shown. */
static bool is_plain_hyphen(const char *at, const char *begin)
{
    return *at == '-' && at > begin && isalnum((unsigned char)at[-1]) &&
           isalpha((unsigned char)at[1]);
}

/* One word, escaped; `bold` is kept from word to word. */
static size_t escape_word(char *out, size_t room, const char *word, size_t length, bool *bold)
{
    size_t used = 0;

    for (const char *at = word; at < word + length;) {
        const char *escape = NULL;
        size_t taken = 1;
        for (size_t i = 0; i < COUNT_OF(escapes) && !escape; i++)
            if (strncmp(at, escapes[i].text, strlen(escapes[i].text)) == 0) {
                escape = escapes[i].escape;
                taken = strlen(escapes[i].text);
            }
        if (is_plain_hyphen(at, word))
            escape = NULL;
        if (*at == '`') {
            *bold = !*bold;
            escape = *bold ? "\\fB" : "\\fR";
        }
        int written = escape ? snprintf(out + used, room - used, "%s", escape)
                             : snprintf(out + used, room - used, "%c", *at);
        used += (size_t)written < room - used ? (size_t)written : room - used - 1;
        at += taken;
    }
    return used;
}

/* Ends a word that ends in . ! or ? a sentence? The next one tells. */
static bool ends_sentence(const char *end, const char *next)
{
    return (end[-1] == '.' || end[-1] == '!' || end[-1] == '?') &&
           (isupper((unsigned char)next[0]) || next[0] == '-' || next[0] == '`');
}

void mdoc_text(FILE *out, const char *text)
{
    size_t column = 0;
    bool bold = false;
    char word[512];

    if (!*text)
        return;
    while (*text) {
        size_t length = strcspn(text, " ");
        const char *next = text + length + strspn(text + length, " ");
        size_t size = escape_word(word, sizeof word, text, length, &bold);
        if (column > 0 && column + 1 + size > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (column > 0)
            fputc(' ', out);
        else if (word[0] == '.' || word[0] == '\'')
            fputs("\\&", out);
        column += (column > 0) + size;
        fwrite(word, 1, size, out);
        if (*next && ends_sentence(text + length, next)) {
            fputc('\n', out);
            column = 0;
        }
        text = next;
    }
    fputc('\n', out);
}

void mdoc_argument(FILE *out, const char *text)
{
    bool bold = false;
    char word[512];
    size_t size = escape_word(word, sizeof word, text, strlen(text), &bold);

    fwrite(word, 1, size, out);
}

void mdoc_sentence(FILE *out, const char *text)
{
    char sentence[1024];

    if (!text[0])
        return;
    snprintf(sentence, sizeof sentence, "%c%s%s", toupper((unsigned char)text[0]), text + 1,
             text[strlen(text) - 1] == '.' ? "" : ".");
    mdoc_text(out, sentence);
}
