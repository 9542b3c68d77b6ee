/* SPDX-License-Identifier: PostgreSQL */
#include "docs/man.h"

#include "docs/lists.h"

#include <string.h>

static int print_list(FILE *out, const char *name, const char *template)
{
    const struct list *list = lists_find(name);

    if (!list) {
        fprintf(stderr, "%s: there is no list @%s\n", template, name);
        return -1;
    }
    list->print(out);
    return 0;
}

static int fill(FILE *out, FILE *in, const char *template)
{
    char line[512];
    int rc = 0;

    fprintf(out, ".\\\" Generated from %s and the tables of the code by make docs; do not edit.\n",
            template);
    while (rc == 0 && fgets(line, sizeof line, in)) {
        if (line[0] != '@') {
            fputs(line, out);
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        rc = print_list(out, line + 1, template);
    }
    return rc;
}

int man_print(FILE *out, const char *file)
{
    char template[128];

    snprintf(template, sizeof template, "%s.in", file);
    FILE *in = fopen(template, "r");
    if (!in) {
        perror(template);
        return -1;
    }
    int rc = fill(out, in, template);
    fclose(in);
    return rc;
}
