/* SPDX-License-Identifier: PostgreSQL */
/* One file of the configuration: scanned, read by inih, its values stored. */
#ifndef CONF_PARSER_H
#define CONF_PARSER_H

#include "conf/blocks.h"
#include "conf/report.h"

/* Values take the place of those of an earlier file. Every error is added to the report; what is
 * right is stored also then. `file` is kept in places and has to outlive the blocks. */
void parse_file(struct blocks *blocks, const char *file, struct report *report);

#endif
