/* SPDX-License-Identifier: PostgreSQL */
/* Pause points make the instants of a crash enumerable. In test builds (-DUPLOADER_PAUSE) the
 * process that first reaches the point named by UPLOADER_PAUSE_AT, for the n-th time if it is
 * "name:n", creates the file UPLOADER_PAUSE_FILE with its pid and name, and stops itself with
 * SIGSTOP; SIGCONT lets it go on. A point that several things pass is "name/which" for one of them.
 * Elsewhere they are nothing at all. */
#ifndef BASE_PAUSE_H
#define BASE_PAUSE_H

#ifdef UPLOADER_PAUSE
void pause_at(const char *point, const char *which);
#define PAUSE(point) pause_at(point, NULL)
#define PAUSE_OF(point, which) pause_at(point, which)
#else
#define PAUSE(point) ((void)0)
#define PAUSE_OF(point, which) ((void)0)
#endif

#endif
