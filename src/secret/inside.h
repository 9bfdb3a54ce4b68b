/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the files of this room share: the scanner (scrub.c) finds where something
 * may begin, the finders below say whether it is a secret and how long it is.
 * Pure, but for the table of beginnings that known secrets add to.
 */
#ifndef ORIEL_SECRET_INSIDE_H
#define ORIEL_SECRET_INSIDE_H

#include "secret/scrub.h"
#include "secret/secret.h"

/* A known secret may begin with these SECRET_KNOWN_MIN bytes. */
void scrub_expect(const char *p);
/* Base64 of either alphabet, padding or not, into at most `room` bytes; 0: it is none. */
size_t scrub_base64(const char *p, size_t n, char *out, size_t room);
/* The same of a name that stands in a text: `strong` ones are rarely meant otherwise. */
bool scrub_names_secret(const char *name, size_t n, bool *out_strong);

/* A shape found at `at`, which its first bytes led to. */
bool shape_find(const char *p, size_t n, size_t at, struct scrub_hit *out);
/* A value whose name ends before the = or : at `at`. */
bool pair_find(const char *p, size_t n, size_t at, bool files, struct scrub_hit *out);
/* An argument that follows the option which ends before `at`. */
bool args_find(const char *p, size_t n, size_t at, struct scrub_hit *out);

#endif
