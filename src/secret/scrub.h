/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a secret looks like, and texts without it. Three ways to know one: the
 * name it goes by (password, authorization), its shape (ghp_.., a PEM block, a
 * password in a URL), and the very bytes of one that is known. Pure apart from the
 * list of known ones; any thread; no memory.
 */
#ifndef ORIEL_SECRET_SCRUB_H
#define ORIEL_SECRET_SCRUB_H

#include <stdbool.h>
#include <stddef.h>

#define SCRUB_TEXT "[redacted]"

enum scrub_what {
    SCRUB_KNOWN = 1,  /* secrets of secret_known_add */
    SCRUB_SHAPES = 2, /* tokens, keys, credentials, by how they are written */
    SCRUB_PAIRS = 4,  /* the value of password=.., "secret": "..", Authorization: .. */
    SCRUB_ARGS = 8,   /* of a command line: what follows --password (after a NUL or a space) */
    SCRUB_FILES =
        16, /* of a line that begins with a file's name: "/etc/passwd: " is no such pair */
    SCRUB_TEXTS = SCRUB_KNOWN | SCRUB_SHAPES | SCRUB_PAIRS,
    SCRUB_ALL = 15
};

/* With false only known secrets are looked for, and what a call site marks: the
 * explicit way to say that shapes and names are to be left alone. True at first. */
void scrub_set_guessing(bool on);
bool scrub_guesses(void);

/* Whether a value that goes by this name is secret: "password", "x-api-key",
 * "authToken", but not "token_count" or "passwordLength". False without guessing. */
bool scrub_key(const char *name, size_t n);

/* The same of the argument `index` of a printf format, by what stands before it:
 * "password=%s", "Authorization: Bearer %s". */
bool scrub_argument(const char *format, size_t n, unsigned index);

struct scrub_hit {
    size_t at, n; /* what is to go; n > 0 */
};
/* The first secret that begins at or after `from`; false: none. */
bool scrub_find(const char *p, size_t n, size_t from, unsigned what, struct scrub_hit *out);

/* Replaces each secret by SCRUB_TEXT ("***" where it is shorter than that), which
 * never makes the text longer. Returns what it is long now; there is no NUL. */
size_t scrub_in_place(char *p, size_t n, unsigned what);
/* The same with as many bytes as before: SCRUB_TEXT, then stars. Whether there were any. */
bool scrub_mask(char *p, size_t n, unsigned what);
/* All of it, in the same way. */
void scrub_mask_whole(char *p, size_t n);
/* A text that ends with NUL. */
void scrub_line(char *text);

#endif
