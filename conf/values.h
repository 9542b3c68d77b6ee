/* SPDX-License-Identifier: PostgreSQL */
/* One value: from its lines in the file, by the type of its option, to its place in memory. */
#ifndef CONF_VALUES_H
#define CONF_VALUES_H

#include "base/error.h"
#include "conf/options.h"

#include <stddef.h>

struct value {
    const struct option *option;
    char **lines; /* at least one; the first is that of the key, and may be empty */
    size_t count;
};

/* Checks the value and stores it in the struct that its option belongs to, in place of what is
 * there. Errors, with a hint: ERR_CONFIG; *fault is then the line that is wrong. */
int value_store(const struct value *value, void *object, size_t *fault, struct error *err) MUST_USE;

/* How many of its lines are before the first that counts: 1 when the value begins below its key, as
 * that of a list does, else 0. */
size_t value_skip(const struct value *value);

/* What may be written: "a number from 1 to 16". Returns `out`. */
#define VALUE_TEXT_BYTES 256
char *value_describe(char out[VALUE_TEXT_BYTES], const struct option *option);

#endif
