/* SPDX-License-Identifier: PostgreSQL */
/* How a configuration is written: the sentences of its documents. */
#include "base/mem.h"
#include "conf/options.h"
#include "conf/scan.h"

#define DIGITS(number) #number
#define TEXT(macro) DIGITS(macro)
#define FILE_MIB TEXT(SCAN_FILE_MAX_MIB)
#define LINE_BYTES TEXT(SCAN_LINE_MAX_BYTES)
#define NAME_BYTES TEXT(SCAN_NAME_MAX_BYTES)

const char *const option_rules[] = {
    "The configuration is an INI file, in UTF-8, of at most " FILE_MIB " MiB. The files `*.conf` "
    "of the folder `conf.d` beside it are read after it, in the order of their names' bytes.",
    "`[section]` and `key = value` begin in the first column. `#` or `;` at the beginning of a "
    "line makes it a comment; further on in a line they do not: a blank and a `;` in a value, or a "
    "`#` between blanks, are refused.",
    "An indented line goes on with the value above it: it is one more item of a list, or the "
    "rest of a long value. The first item may stand on the key's line or below it.",
    "A line is at most " LINE_BYTES " bytes long, the name of a section or key at most " NAME_BYTES
    ".",
    "A section and a key may be in a file once. A value in a later file takes the place of an "
    "earlier one, a list as a whole.",
    "The name of a profile, batch or spool begins with an ASCII letter, a digit or `_`, and goes "
    "on with these, `.` and `-`.",
    "Sizes are bytes, or have K, M or G behind (1024, 1024², 1024³). Times have ms, s, m or h "
    "behind; a number alone is seconds.",
    "What is unknown, twice, out of bounds or could be read in two ways is an error. All errors "
    "are shown at once, as `FILE:LINE: section.key: what is wrong; what to write`: "
    "`uploaderd --check --config FILE`.",
    "At SIGHUP all is read again. What the service stands on counts from the next start on: "
    "`conninfo`, `schema`, `socket`, `name`, and the sections `[spool NAME]`, whose profiles stay "
    "until then.",
};

const size_t option_rule_count = COUNT_OF(option_rules);
