/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Bytes that nobody else may see: in pages of their own, locked into memory and
 * left out of core dumps where the system allows, wiped before they are given
 * back. And the list of secrets that this process knows, which every text on its
 * way out is compared with (secret/scrub.h). Prints nothing; any thread.
 */
#ifndef ORIEL_SECRET_SECRET_H
#define ORIEL_SECRET_SECRET_H

#include <stddef.h>

#include "base/err.h"

/* Larger ones are not secrets but files. */
#define SECRET_MAX ((size_t)64 << 10)

struct secret {
    char *p;  /* a NUL follows the n bytes */
    size_t n; /* <= capacity */
    size_t capacity;
};
/* Room for `capacity` bytes, none of them in use yet. ORIEL_ENOMEM, ORIEL_ELIMIT. */
int secret_open(struct secret *out, size_t capacity);
/* A copy. ORIEL_ENOMEM, ORIEL_ELIMIT. */
int secret_copy(struct secret *out, const char *p, size_t n);
/* Wipes. Takes one that is zeroed, or was closed. */
void secret_close(struct secret *s);

/* ---- what is known ---- */

/* Shorter ones are not looked for in texts: they are everywhere. */
#define SECRET_KNOWN_MIN 4u
enum { SECRET_KNOWN_MAX = 128 };

/* From now on these bytes are scrubbed from every text; of "Bearer T" and "Basic T"
 * also T alone, and the password in it. They are copied into locked memory, and
 * stay until the process ends. Known already, or too short: 0. ORIEL_ELIMIT: there
 * are SECRET_KNOWN_MAX; ORIEL_ENOMEM. */
int secret_known_add(const char *p, size_t n);
/* Tests only: none is known any more. No other thread may be scrubbing. */
void secret_known_forget(void);
/* Entry i in the order in which they came; false: there is none. */
bool secret_known(unsigned i, const char **out_p, size_t *out_n);

#endif
