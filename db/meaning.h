/* SPDX-License-Identifier: PostgreSQL */
/* What a failed statement means for an upload: its SQLSTATE judged with its schema and table. */
#ifndef DB_MEANING_H
#define DB_MEANING_H

#include "base/error.h"

/* X(NAME, what it means and what follows) */
#define DB_MEANINGS(X)                                                                             \
    X(DB_DONE, "no error")                                                                         \
    X(DB_LOST, "the connection is lost or cannot be made, or the server goes down (08*, 57P01-3, " \
               "53300): it may have happened; fence, back off, try again")                         \
    X(DB_CONFLICT, "lock timeout, deadlock, serialization failure (55P03, 40*): lanes block each " \
                   "other, or somebody else is in the way")                                        \
    X(DB_EXHAUSTED, "disk, memory or I/O of the server (53*, 58*): try again slowly, and say so")  \
    X(DB_READ_ONLY, "the server is read only (25006): try again")                                  \
    X(DB_CANCELLED, "a timeout of role or database, or somebody, cancelled the statement "         \
                    "(57014): try again")                                                          \
    X(DB_FENCED, "gate or pop_chunks refused, or a constraint of this service's own tables: a "    \
                 "matter of fencing, never of data")                                               \
    X(DB_DATA, "the rows were refused (22*, 23*, 54000; 21*, 38*, 44*, P0* of a trigger): those "  \
               "that are, are looked for and become rejects; else fails, at once")                 \
    X(DB_DENIED, "rights or schema (28*, 42*, 3*, 0A*), and all else: fails, at once")

/* A value beyond what an index takes. The server says the same when it has come to an end of its
 * own, such as the last transaction number: then it is no row's fault (worker/sift.c tells them
 * apart). */
#define MEANING_TOO_LARGE "54000"

enum db_meaning {
#define X(name, what) name,
    DB_MEANINGS(X)
#undef X
};

struct db_error {
    enum db_meaning meaning;
    struct error error; /* ERR_DATABASE_AWAY for DB_LOST; ERR_DATA_REFUSED for DB_DATA; else
                           ERR_DATABASE. From the server only SQLSTATE, primary message, and for
                           rights and schema its hint: CONTEXT carries row data */
};

/* The meaning of an SQLSTATE (NULL: no answer at all) raised about `table` of `schema` (NULL when
 * the server did not say), for a service whose tables are in `own_schema`. Pure. */
enum db_meaning db_meaning_of(const char *sqlstate, const char *schema, const char *table,
                              const char *own_schema);

#endif
