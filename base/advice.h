/* SPDX-License-Identifier: PostgreSQL */
/* The command that a hint advises, to be pasted into a shell. Runs nothing. */
#ifndef BASE_ADVICE_H
#define BASE_ADVICE_H

/* "uploadctl upload [OPTION] [--profile NAME] FILE", as a shell reads it; OPTION may be NULL. NULL
 * when it is too long for a hint: one that is cut would do harm. The caller frees. */
char *advice_upload(const char *option, const char *profile, const char *path);

#endif
