/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * TOML 1.0: a reader that keeps where everything stands, a writer, and edits
 * that change a file and leave its comments, order and layout as they are.
 *
 * A document is two things side by side: the tree of values, and the text with
 * its statements (headers, pairs, comments, blank lines), which put together
 * are the file byte for byte. Who rewrites a file replaces pieces of the text.
 *
 * Everything lives in the caller's arena. Pure; one thread per arena.
 */
#ifndef ORIEL_UTIL_TOML_H
#define ORIEL_UTIL_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

enum toml_type {
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOL,
    TOML_DATETIME,       /* with an offset */
    TOML_DATETIME_LOCAL, /* without */
    TOML_DATE,
    TOML_TIME,
    TOML_ARRAY,
    TOML_TABLE
};
enum { TOML_DEPTH_MAX = 100 };

/* How a table or array came to be, which decides who may add to it. */
enum toml_form {
    TOML_INLINE,   /* { } or [ ]: complete where it stands */
    TOML_HEADER,   /* [a]; for an array: of tables, by [[a]] */
    TOML_IMPLICIT, /* the a of [a.b] */
    TOML_DOTTED    /* the a of a.b = 1 */
};

/* Bytes of the text; line and column count from 1, the column in characters. */
struct toml_place {
    uint32_t offset, size;
    uint32_t line, column;
};

struct toml_time {
    uint16_t year;
    uint8_t month, day, hour, minute, second; /* second up to 60 */
    uint8_t digits;                           /* of the fraction, 9 at most; more are cut */
    uint32_t ns;
    int16_t offset_min; /* TOML_DATETIME only */
};

struct toml_value {
    enum toml_type type;
    enum toml_form form;
    uint16_t depth; /* the root's is 0 */
    bool boolean;
    uint32_t count;           /* items of an array or table */
    struct toml_place key_at; /* its part of the key; size 0: an item of an array */
    struct toml_place at;     /* of the value; a table with a header: the header */
    const char *key;          /* decoded, with a NUL; NULL in an array */
    size_t key_n;
    union {
        struct {
            const char *text; /* UTF-8 with a NUL; may have NULs inside */
            size_t text_n;
        };
        int64_t integer;
        double number;
        struct toml_time time;
    };
    struct toml_value *parent, *first, *last, *next; /* in the order of the file */
};

enum toml_statement_kind { TOML_BLANK, TOML_COMMENT, TOML_PAIR, TOML_TABLE_HEADER };

/* Whole lines, their end included; a pair may have several. */
struct toml_statement {
    enum toml_statement_kind kind;
    struct toml_place at;     /* offset at the start of a line */
    struct toml_value *value; /* of a pair; the table of a header; else NULL */
    struct toml_value *table; /* the last header's table, or the root */
    struct toml_statement *next;
};

struct toml_doc {
    struct toml_value *root;
    const char *text; /* the caller's, not a copy */
    size_t text_n;
    struct toml_statement *statements;
};

struct toml_read_options {
    size_t size;        /* sizeof of this struct */
    size_t max_bytes;   /* 0: 16 MiB */
    size_t max_values;  /* 0: 1 million, tables and keys' parts included */
    unsigned max_depth; /* 0: TOML_DEPTH_MAX, which is also the most */
    const char *name;   /* of the file, for errors; NULL: "TOML" */
};

/* `text` has to outlive the document. 0; ORIEL_EFORMAT with "name:line:column: "
 * and what is wrong; ORIEL_ELIMIT; ORIEL_ENOMEM; ORIEL_EINVAL for the options. */
int toml_read(struct arena *arena, const char *text, size_t n,
              const struct toml_read_options *options, struct toml_doc **out,
              struct oriel_err *err);

/* ---- the tree ---- */

/* "string", "integer", ..., "table". */
const char *toml_type_name(enum toml_type type);
/* Member of a table, NULL if `table` is NULL, not a table, or has none. */
struct toml_value *toml_get(const struct toml_value *table, const char *key);
/* Item of an array or table by position; NULL when there are not so many. */
struct toml_value *toml_at(const struct toml_value *v, size_t index);
/* For a tree that is made, not read; NULL: no memory. The form is TOML_HEADER. */
struct toml_value *toml_new(struct arena *arena, enum toml_type type);
/* Append `item`, which has no parent yet, to a table under `key` (copied; not
 * there yet), or to an array with key NULL. 0, ORIEL_ENOMEM, or ORIEL_ELIMIT
 * when that is deeper than TOML_DEPTH_MAX. */
int toml_add(struct arena *arena, struct toml_value *to, const char *key, size_t key_n,
             struct toml_value *item);
/* The whole of [p, p+n) as one of the four kinds of time; false if it is none. */
bool toml_parse_time(const char *p, size_t n, enum toml_type *out_type, struct toml_time *out);

/* ---- writing; failure is the buf's ---- */

void toml_put_string(struct buf *out, const char *p, size_t n); /* repaired to UTF-8 */
void toml_put_time(struct buf *out, enum toml_type type, const struct toml_time *t);
void toml_put_value(struct buf *out, const struct toml_value *v); /* on one line */
/* The whole tree: the pairs of a table, then its tables under headers, and
 * arrays of tables under [[ ]]. Reading it again gives the same tree. */
void toml_write(struct buf *out, const struct toml_value *root);

/* ---- editing: pieces of the text replaced, the rest byte for byte ---- */

struct toml_edits {
    struct toml_edit *items; /* sorted by offset, none overlaps */
    size_t count, capacity;
    struct arena *arena; /* keeps the new text */
};
void toml_edits_init(struct toml_edits *e, struct arena *arena);
void toml_edits_done(struct toml_edits *e);
/* Put `with` in the place of `size` bytes at `offset`; size 0 inserts, and what
 * is inserted at one place stays in the order it came, before what is replaced
 * there. 0, ORIEL_ENOMEM, or
 * ORIEL_EINVAL where it overlaps an earlier edit. */
int toml_edits_replace(struct toml_edits *e, size_t offset, size_t size, const char *with,
                       size_t with_n);
void toml_edits_apply(const struct toml_edits *e, const struct toml_doc *doc, struct buf *out);

#endif
