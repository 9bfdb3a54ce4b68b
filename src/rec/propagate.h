/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the files of context propagation share (include/oriel/propagation.h):
 * slices of text, characters, and one pair of functions for each format. Pure
 * but for current.c; nothing here allocates.
 */
#ifndef ORIEL_REC_PROPAGATE_H
#define ORIEL_REC_PROPAGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <oriel/propagation.h>

/* A stretch of somebody's text. */
struct slice {
    const char *p;
    size_t n;
};

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}
static inline struct slice slice_trim(struct slice s)
{
    while (s.n && is_blank(s.p[0]))
        s.p++, s.n--;
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}
static inline bool slice_equal(struct slice a, const char *text)
{
    return strlen(text) == a.n && memcmp(a.p, text, a.n) == 0;
}
/* What stands before the next `stop`, which is taken off too; false: nothing is left. */
static inline bool slice_next(struct slice *rest, char stop, struct slice *out)
{
    if (!rest->p)
        return false;
    const char *end = rest->n ? memchr(rest->p, stop, rest->n) : NULL;
    *out = (struct slice){rest->p, end ? (size_t)(end - rest->p) : rest->n};
    rest->n -= end ? out->n + 1 : out->n;
    rest->p = end ? end + 1 : NULL;
    return true;
}

/* 0..15; 16: no hexadecimal digit. Lower case only, and both cases. */
static inline unsigned hex_lower(char c)
{
    return c >= '0' && c <= '9' ? (unsigned)(c - '0')
                                : (c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16);
}
static inline unsigned hex_any(char c)
{
    return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : hex_lower(c);
}
/* 2 * n lower-case digits; false: they are not. */
bool hex_read(const char *text, uint8_t *out, size_t n);
char *hex_write(char *at, const uint8_t *bytes, size_t n);
/* The end of `text` behind what was copied. */
static inline char *text_write(char *at, const char *text)
{
    size_t n = strlen(text);
    return (char *)memcpy(at, text, n) + n;
}
bool is_token_char(char c); /* RFC 7230 */
/* Bytes of the UTF-8 sequence that begins here; 0: none does. */
size_t utf8_length(const unsigned char *p, size_t n);

/* What a setter's calls came to: the first failure stays. */
struct writer {
    const struct oriel_setter *setter;
    void *carrier;
    int rc;
};
static inline void write_header(struct writer *w, const char *name, const char *value, size_t n)
{
    int rc = w->setter->set(w->carrier, name, value, n);
    if (rc && !w->rc)
        w->rc = rc;
}
struct reader {
    const struct oriel_getter *getter;
    void *carrier;
};
static inline struct slice read_header(const struct reader *r, const char *name, size_t index)
{
    struct slice s = {NULL, 0};
    s.p = r->getter->get(r->carrier, name, index, &s.n);
    return s;
}

/* tracestate.c: of several headers one by one. Members are slices of the headers. */
struct state_members {
    struct {
        struct slice key, value;
    } at[ORIEL_TRACESTATE_MEMBERS];
    size_t count, total; /* total: with those that were repeated */
};
/* Empty; the members themselves are not cleared, for they are a kilobyte. */
static inline void state_begin(struct state_members *m)
{
    m->count = m->total = 0;
}
bool state_add(struct state_members *m, struct slice header); /* false: malformed */
/* Cuts *m to what a context has room for. */
void state_write(struct state_members *m, struct oriel_context *c);

/* Inject: what the context has. Extract: true when there was a span; *out is whole then. */
void w3c_inject(const struct oriel_context *c, struct writer *w);
bool w3c_extract(const struct reader *r, struct oriel_context *out);
void b3_inject(const struct oriel_context *c, struct writer *w);
void b3multi_inject(const struct oriel_context *c, struct writer *w);
bool b3_extract(const struct reader *r, struct oriel_context *out);
void jaeger_inject(const struct oriel_context *c, struct writer *w);
bool jaeger_extract(const struct reader *r, struct oriel_context *out);
void ottrace_inject(const struct oriel_context *c, struct writer *w);
bool ottrace_extract(const struct reader *r, struct oriel_context *out);

void baggage_inject(const struct oriel_baggage *b, struct writer *w);
void baggage_extract(const struct reader *r, struct oriel_baggage *b);
void jaeger_baggage_inject(const struct oriel_baggage *b, struct writer *w);
void jaeger_baggage_extract(const struct reader *r, struct oriel_baggage *b);
void ottrace_baggage_inject(const struct oriel_baggage *b, struct writer *w);
void ottrace_baggage_extract(const struct reader *r, struct oriel_baggage *b);

/* current.c: oriel_context_current, but what lies behind the end of `state` is not cleared. */
bool rec_current_context(struct oriel_context *out);
/* Values of what is current here; NULL: none. */
const struct oriel_context_value *rec_current_values(void);

/* baggage.c: percent-encoded text; bytes of it, without a NUL. `room` is enough for 3 * n. */
size_t percent_encode(struct slice s, char *out);
/* The other way, what is not UTF-8 replaced; SIZE_MAX: it does not fit. */
size_t percent_decode(struct slice s, char *out, size_t room);
/* As oriel_baggage_set, of texts that were read; 0 or ORIEL_ELIMIT. */
int baggage_put(struct oriel_baggage *b, struct slice name, struct slice value,
                struct slice properties);

#endif
