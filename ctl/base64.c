/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/base64.h"

#include "base/mem.h"

#include <string.h>

static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

unsigned char *base64_decode(const char *text, size_t most, size_t *size)
{
    size_t room = strlen(text) / 4 * 3 + 3;
    unsigned char *bytes = mem_new((room < most ? room : most) + 1, 1);
    unsigned group = 0;
    unsigned bits = 0;

    *size = 0;
    for (; digit(*text) >= 0 && *size < most; text++) {
        group = (group << 6 | (unsigned)digit(*text)) & 0xFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[(*size)++] = (unsigned char)(group >> bits);
        }
    }
    bytes[*size] = '\0';
    return bytes;
}
