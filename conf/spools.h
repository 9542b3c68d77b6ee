/* SPDX-License-Identifier: PostgreSQL */
/* Whether spools get into each other's way: judged when all of them are known. */
#ifndef CONF_SPOOLS_H
#define CONF_SPOOLS_H

#include "conf/blocks.h"
#include "conf/report.h"

/* Reports as an error each spool whose path and pattern are another's too, or whose path is a
 * folder into which files are moved out of a spool: they would be uploaded once more there. Warns
 * of a folder that files cannot be moved into, since it is on another file system now; one that is
 * not there is not judged. The paths of all spools are known, `done` and `failed` too. */
void spools_check(const struct blocks *blocks, struct report *report);

#endif
