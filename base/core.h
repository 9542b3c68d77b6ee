/* SPDX-License-Identifier: PostgreSQL */
#ifndef BASE_CORE_H
#define BASE_CORE_H

/* From here on this process and those that it starts leave no core file: their memory holds the
 * database's password. */
void core_forbid(void);

#endif
