/* SPDX-License-Identifier: PostgreSQL */
/* Files that are not UTF-8: told by their bytes, and refused with the command that converts. */
#ifndef CSV_ENCODING_H
#define CSV_ENCODING_H

#include "base/error.h"

#include <stddef.h>

/* iconv's name of the UTF-16 or UTF-32 that a file beginning with these bytes is in: by its BOM,
 * or by NUL bytes in every other place, or in three of four. NULL when it is neither. Static. */
const char *encoding_of(const char *data, size_t size);

/* ERR_FILE_ENCODING for a file in this encoding, and for one of which `what` ("the header",
 * "record 3") has these bytes, some of which are no text in UTF-8. The hint is the command that
 * converts the file; for the second it is a guess. */
int encoding_refuse_file(const char *path, const char *encoding, struct error *err);
int encoding_refuse(const char *path, const char *what, const char *data, size_t size,
                    struct error *err);

#endif
