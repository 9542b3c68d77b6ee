/* SPDX-License-Identifier: PostgreSQL */
/* The version that all programs say they are. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define UPLOADER_VERSION "0.1.0"

#endif
