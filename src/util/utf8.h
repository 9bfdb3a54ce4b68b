/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * UTF-8: check, repair, cut, measure. Text inside Oriel is raw bytes; sinks
 * that promise UTF-8 come here. Pure; any thread.
 */
#ifndef ORIEL_UTIL_UTF8_H
#define ORIEL_UTIL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* One character at p: its length 1..4 and code point, or 0 when the bytes
 * there are not valid UTF-8 (overlong, surrogate, beyond U+10FFFF, cut). n > 0. */
unsigned utf8_next(const char *p, size_t n, uint32_t *out_char);
/* Bytes to skip at a place where utf8_next gave 0: the longest start of a
 * character there, which counts as one error (Unicode 3.9, table 3-8). */
unsigned utf8_error_size(const char *p, size_t n);

/* The 1..4 bytes of a character; returns the end. c is no surrogate and at most U+10FFFF. */
char *utf8_put(char *out, uint32_t c);

/* Of no bytes, here and below: p may be NULL, as an empty buffer's is. */
bool utf8_valid(const char *p, size_t n);
/* Appends the bytes with each error as U+FFFD. */
void utf8_repair(struct buf *out, const char *p, size_t n);
/* Same, and what a terminal could take as a command becomes U+FFFD too:
 * control characters (tab and newline included) and direction overrides. */
void utf8_printable(struct buf *out, const char *p, size_t n);

/* Characters; an error counts as one. */
size_t utf8_count(const char *p, size_t n);
/* Bytes of the longest start with at most max_chars characters. */
size_t utf8_cut_chars(const char *p, size_t n, size_t max_chars);
/* Bytes of the longest start of at most max_bytes that splits no character. */
size_t utf8_cut_bytes(const char *p, size_t n, size_t max_bytes);

/* Terminal columns: 0 for combining, 2 for wide characters, else 1 each. */
size_t utf8_width(const char *p, size_t n);
/* Bytes of the longest start that takes at most max_columns. */
size_t utf8_cut_width(const char *p, size_t n, size_t max_columns);

#endif
