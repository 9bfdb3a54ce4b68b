/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the files of the TOML reader share: the place they are at, and how they
 * refuse. Nobody else includes this. One thread.
 */
#ifndef ORIEL_UTIL_TOML_READER_H
#define ORIEL_UTIL_TOML_READER_H

#include "base/map.h"
#include "util/toml.h"

struct toml_reader {
    struct arena *arena;
    const char *start, *p, *end;
    uint32_t line;
    const char *line_start;
    const char *counted; /* columns are known up to here, on this line */
    uint32_t counted_column;
    size_t values_left;
    unsigned max_depth;
    struct map members; /* table and key, hashed: the member */
    struct buf scratch; /* of one string or number */
    const char *name;
    struct oriel_err *err;
};

/* One part of a key, decoded. */
struct toml_part {
    const char *text;
    size_t n;
    struct toml_place at;
};

/* ---- toml.c ---- */

/* Where the reader stands; its size is set by toml_close_place. */
struct toml_place toml_here(struct toml_reader *r);
void toml_close_place(const struct toml_reader *r, struct toml_place *at);
int toml_refuse(struct toml_reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int toml_refuse_at(struct toml_reader *r, struct toml_place at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int toml_no_memory(struct toml_reader *r);
/* At an end of line ("\n" or "\r\n"): steps over it and counts it. */
bool toml_take_newline(struct toml_reader *r);
/* Spaces and tabs. */
void toml_skip_space(struct toml_reader *r);
bool toml_take(struct toml_reader *r, char c);
/* From # to the end of the line, if there is one. 0 or ORIEL_EFORMAT. */
int toml_skip_comment(struct toml_reader *r);
/* The character at p for a message: 'x', "the end of the line", a code. */
const char *toml_what(const struct toml_reader *r, char out[32]);

/* ---- toml_keys.c ---- */

/* A key of a pair up to its last part, the tables between made or found. */
int toml_read_pair_key(struct toml_reader *r, struct toml_value *table,
                       struct toml_value **out_table, struct toml_part *out);
/* The inside of [ ] or [[ ]]: the table to fill. */
int toml_read_header_key(struct toml_reader *r, struct toml_value *root, bool array,
                         struct toml_value **out);
/* A new value with no type yet, as member of a table (part) or item (NULL). */
int toml_add_new(struct toml_reader *r, struct toml_value *to, const struct toml_part *part,
                 struct toml_value **out);

/* ---- toml_value.c, toml_string.c ---- */

/* `key = value` without the line's end. */
int toml_read_pair(struct toml_reader *r, struct toml_value *table, struct toml_value **out);
/* The string that begins at p; `multiline`: three quotes are more than two. */
int toml_read_string(struct toml_reader *r, bool multiline, const char **out, size_t *out_n);

#endif
