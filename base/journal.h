/* SPDX-License-Identifier: PostgreSQL */
/* systemd's journal, by its native protocol: an entry of fields is a datagram. Not libsystemd's
 * sd_journal_sendv, which waits for as long as the journal does not read. */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

/* X(NAME, field): what an entry may have; the first three are the journal's own */
#define JOURNAL_FIELDS(X)                                                                          \
    X(JOURNAL_MESSAGE, "MESSAGE")                                                                  \
    X(JOURNAL_PRIORITY, "PRIORITY")                                                                \
    X(JOURNAL_PROGRAM, "SYSLOG_IDENTIFIER")                                                        \
    X(JOURNAL_TRACKER, "UPLOADER_TRACKER")                                                         \
    X(JOURNAL_FILE, "UPLOADER_FILE")                                                               \
    X(JOURNAL_CODE, "UPLOADER_CODE")                                                               \
    X(JOURNAL_SQLSTATE, "UPLOADER_SQLSTATE")

enum journal_field {
#define X(name, field) name,
    JOURNAL_FIELDS(X)
#undef X
        JOURNAL_FIELD_COUNT
};

/* Is standard error a stream of the journal, as JOURNAL_STREAM says of it? Then opens a socket to
 * it, which stays: whoever is confined later could not open one. */
bool journal_open(void);

/* Sends one entry; a value is NULL for a field that it has not, and is left out when there is a
 * line break in it. A journal that does not read is waited for a little, and its entries are then
 * lost until it reads again, which counts as sent. False: there is no journal that takes it. */
bool journal_send(const char *const values[JOURNAL_FIELD_COUNT]);

#endif
