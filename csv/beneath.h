/* SPDX-License-Identifier: PostgreSQL */
/* Opening what lies below a folder, over no symbolic link: what is swapped for a link meanwhile
 * leads nowhere else. */
#ifndef CSV_BENEATH_H
#define CSV_BENEATH_H

/* A descriptor, CLOEXEC, or -1 with errno: ELOOP for a link on the way (with O_PATH, a link at its
 * end is opened itself). `path` is relative and normal, or ".". Where the system call openat2 is
 * missing or forbidden (Linux before 5.6, a container, systemd's RestrictSUIDSGID=) it goes part by
 * part. */
int beneath_open(int folder, const char *path, int flags);

#endif
