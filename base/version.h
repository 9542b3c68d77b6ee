/* SPDX-License-Identifier: PostgreSQL */
/* The version that all programs say they are; the Makefile gives it. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#ifndef UPLOADER_VERSION
#define UPLOADER_VERSION "0.1.0"
#endif

#endif
