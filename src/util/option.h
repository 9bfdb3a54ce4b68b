/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Option tables: one const table per room describes what can be set. TOML
 * keys, environment names, --help, man pages, completions and docs/CONFIG.md
 * all come out of it.
 */
#ifndef ORIEL_UTIL_OPTION_H
#define ORIEL_UTIL_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum option_type {
    OPTION_BOOL,    /* bool */
    OPTION_INT,     /* int64_t, in [min, max] */
    OPTION_FLOAT,   /* double, in [min, max] */
    OPTION_STRING,  /* const char *; the setter copies and owns */
    OPTION_ENUM,    /* int: index in choices */
    OPTION_SIZE,    /* uint64_t bytes: 64, 4KiB, 16MiB, 1GiB (also K, M, G) */
    OPTION_DURATION /* uint64_t ns: 500ms, 5s, 2m; bare number = seconds */
};

struct option_def {
    const char *name; /* snake_case, as in TOML; --snake-case on the command line */
    enum option_type type;
    size_t offset;              /* of the member in the options struct */
    const char *fallback;       /* default as text, parsed like any other value */
    const char *help;           /* one line, no full stop */
    const char *const *choices; /* OPTION_ENUM, NULL-terminated */
    double min, max;            /* both 0: no bounds; in bytes and ns for those types */
    char letter;                /* short option, 0 none */
    bool secret;                /* never printed, never accepted from a file */
    const char *arg;            /* placeholder in help, e.g. "FILE"; NULL: by type */
    const char *variable;       /* of the environment: its value before the fallback; NULL none */
    bool filled;                /* OPTION_STRING: who gives it on a command line says something */
    bool list;                  /* OPTION_STRING: may be given again; values joined by newlines */
};
#define OPTION_END                                                                                 \
    {                                                                                              \
        0                                                                                          \
    }

/* Set every member to its default; what was in them before is not freed.
 * 0, or ORIEL_ENOMEM with nothing left to free. */
int option_defaults(const struct option_def *defs, void *options);
/* Parse one value. 0, ORIEL_EINVAL with a line that names option, value and
 * what is allowed, or ORIEL_ENOMEM. */
int option_set(const struct option_def *def, void *options, const char *text,
               struct oriel_err *err);
/* The value as text, as option_set would take it. "***" for secrets. */
void option_text(const struct option_def *def, const void *options, char *out, size_t n);
/* Free what the setters own. */
void option_done(const struct option_def *defs, void *options);
/* By name, "-" counting as "_"; NULL if there is none. */
const struct option_def *option_find(const struct option_def *defs, const char *name, size_t n);
/* Closest name within two edits, NULL if none: for "did you mean". */
const struct option_def *option_nearest(const struct option_def *defs, const char *name);

/* What the two types accept, whole or with a fraction; K is 1024. 0 or ORIEL_EINVAL. */
int option_parse_size(const char *text, uint64_t *out);
int option_parse_duration(const char *text, uint64_t *out_ns);

#endif
