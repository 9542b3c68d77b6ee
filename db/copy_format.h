/* SPDX-License-Identifier: PostgreSQL */
/* COPY's binary format, as it is written and read here: a header, then rows, each a count of its
 * columns and then the length and bytes of each, and a trailer in the place of a count; all numbers
 * big-endian. Source: PostgreSQL's documentation of COPY, "Binary Format". */
#ifndef DB_COPY_FORMAT_H
#define DB_COPY_FORMAT_H

/* The signature, no flags, no extension. */
#define COPY_HEADER                                                                                \
    "PGCOPY\n\377\r\n\0"                                                                           \
    "\0\0\0\0"                                                                                     \
    "\0\0\0\0"
#define COPY_HEADER_BYTES (sizeof COPY_HEADER - 1)

#define COPY_TRAILER (-1) /* as an int16 */
#define COPY_NULL (-1)    /* the length of a column, as an int32 */

#endif
