/* SPDX-License-Identifier: PostgreSQL */
/* The public objects as people read them. All objects are borrowed. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include "ctl/sheet.h"

#include <jansson.h>

/* Everything about one upload, a line each. */
void show_upload(const json_t *upload);

/* Tables of uploads, events and rejects, and what adds one to them. */
struct sheet *show_uploads_new(void);
void show_uploads_add(struct sheet *sheet, const json_t *upload);
struct sheet *show_events_new(void);
void show_events_add(struct sheet *sheet, const json_t *event);
struct sheet *show_rejects_new(void);
void show_rejects_add(struct sheet *sheet, const json_t *reject);

/* The path, and the profile unless it is the one that all have who name none: two uploads of one
 * file may differ in nothing else. Control characters are escaped. The caller frees. */
char *show_file(const json_t *upload);

/* One line about an upload that changed. */
void show_change(const json_t *upload);

/* Base64 (RFC 4648) as text without control characters, at most so many bytes of it; "..." stands
 * for the rest. The caller frees. */
char *show_raw(const char *base64, size_t most);

#endif
