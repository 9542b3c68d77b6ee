/* SPDX-License-Identifier: PostgreSQL */
/* Spools: files that arrive in a folder are uploaded, each through a request of its own
 * (requests.h), and moved out of it with a receipt once that is durable (spool_out.h).
 *
 * Nothing is remembered but what the database and the folder say. So a crash at any instant leaves
 * a file that is looked at again: its tracker tells whether it is to be uploaded, waited for, or
 * only moved. What a user stopped or killed is left where it is, until the file is another one. */
#ifndef SUPERVISOR_SPOOL_H
#define SUPERVISOR_SPOOL_H

struct spools;
struct supervisor;

/* One for each [spool NAME] of the configuration, which keeps them at a reload. They begin when the
 * database is open. */
struct spools *spools_new(struct supervisor *supervisor);

/* The database is open, or the connections are closed. NULL is allowed. */
void spools_database_open(struct spools *spools);
void spools_database_lost(struct spools *spools);

/* The supervisor ends, and the connections are closed: nothing of them keeps the loop but what the
 * thread pool still does. NULL is allowed. */
void spools_stop(struct spools *spools);

/* After the loop has ended. NULL is allowed. */
void spools_free(struct spools *spools);

#endif
