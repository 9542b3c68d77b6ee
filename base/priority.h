/* SPDX-License-Identifier: PostgreSQL */
/* The order in which uploads get a worker: those of higher priority first. */
#ifndef BASE_PRIORITY_H
#define BASE_PRIORITY_H

#define PRIORITY_LEAST (-10)
#define PRIORITY_MOST 10
#define PRIORITY_USUAL 0
#define PRIORITY_UNSAID (PRIORITY_LEAST - 1) /* nobody has asked for one */
#define PRIORITY_RANGE "from -10 to 10"      /* for people */
#define PRIORITY_COUNT (PRIORITY_MOST - PRIORITY_LEAST + 1)

#endif
