/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * YAML 1.2 (core schema) as a tree. libyaml cuts the text into events; what a
 * scalar means is decided here, so that "no" is a text and 1e3 a number. One
 * document, bounded in depth and number of values; aliases and tags of one's own
 * are refused. Pure; any thread.
 */
#ifndef ORIEL_UTIL_YAML_H
#define ORIEL_UTIL_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

enum { YAML_DEPTH_MAX = 48, YAML_VALUES_MAX = 20000 };

enum yaml_type {
    YAML_NULL,
    YAML_BOOL,
    YAML_INTEGER,
    YAML_FLOAT,
    YAML_STRING,
    YAML_SEQUENCE,
    YAML_MAPPING
};
struct yaml_value {
    enum yaml_type type;
    const char *key;  /* of a mapping's member; "" else */
    const char *text; /* of a scalar, without quotes, after `expand` */
    bool truth;       /* of YAML_BOOL */
    bool expanded;    /* the whole text is what `expand` said of one reference */
    unsigned line;
    struct yaml_value *first, *next; /* members; the next member of the same parent */
    size_t count;
};

/* Rewrites the text of a scalar (never of a key), before its type is decided.
 * *out_whole: the text was one reference and nothing else. 0 or a code with a line. */
typedef int yaml_expand_fn(void *user, const char *text, size_t n, struct buf *out, bool *out_whole,
                           struct oriel_err *err);
struct yaml_options {
    const char *name; /* for messages */
    yaml_expand_fn *expand;
    void *user;
};
/* The root, in the arena. ORIEL_EFORMAT, ORIEL_ELIMIT, ORIEL_EUNSUPPORTED, with
 * "name:line: ..."; ORIEL_ENOMEM; what `expand` says. A key twice is ORIEL_EFORMAT. */
int yaml_read(struct arena *arena, const char *text, size_t n, const struct yaml_options *options,
              struct yaml_value **out, struct oriel_err *err);
/* The member of a mapping; NULL: none, or no mapping. */
const struct yaml_value *yaml_get(const struct yaml_value *v, const char *key);

#endif
