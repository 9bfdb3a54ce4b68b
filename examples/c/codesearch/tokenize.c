/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Words of source code. Pure; the hottest loop of the indexer, so it is not
 * annotated inside: its caller spans the whole, and whoever wants to see more
 * asks for a span per so many lines.
 */
#define ORIEL_TARGET "codesearch.tokenize"
#include "codesearch.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <oriel/oriel.h>

enum { WORD_MIN = 2, WORD_MAX = 64 };

struct output {
    char *text;
    size_t size, capacity;
    uint32_t words;
    bool failed;
};

static void add_word(struct output *out, const char *p, size_t n)
{
    if (n < WORD_MIN || n > WORD_MAX || out->failed)
        return;
    if (out->size + n + 2 > out->capacity) {
        size_t capacity = out->capacity * 2 + n + 4096;
        char *grown = realloc(out->text, capacity);
        if (!grown) {
            out->failed = true;
            return;
        }
        out->text = grown;
        out->capacity = capacity;
    }
    for (size_t i = 0; i < n; i++)
        out->text[out->size++] = (char)tolower((unsigned char)p[i]);
    out->text[out->size++] = ' ';
    out->words++;
}

/* `make demo` compares two versions: in the second one somebody found a list
 * easier to read. */
static bool is_word(char c)
{
#ifdef CODESEARCH_WORDS_BY_LIST
    static const char list[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    return c && strchr(list, c);
#else
    return isalnum((unsigned char)c) || c == '_';
#endif
}

/* The parts of an identifier, split at underscores and case changes. */
static void add_parts(struct output *out, const char *p, size_t n)
{
    size_t start = 0;
    for (size_t i = 1; i <= n; i++) {
        bool edge = i == n || p[i] == '_' || p[i - 1] == '_' ||
                    (isupper((unsigned char)p[i]) && !isupper((unsigned char)p[i - 1]));
        if (!edge)
            continue;
        if (i - start < n && p[start] != '_')
            add_word(out, p + start, i - start);
        start = i;
    }
}

static void add_words(struct output *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t start = i;
        while (i < size && is_word(text[i]))
            i++;
        if (i > start) {
            add_word(out, text + start, i - start);
            add_parts(out, text + start, i - start);
        } else {
            i++;
        }
    }
}

/* Words never cross a line, so pieces give the same words as the whole. */
static size_t piece_of(const char *text, size_t size, unsigned lines)
{
    size_t at = 0;
    for (const char *end; lines-- && at < size; at = (size_t)(end - text) + 1)
        if (!(end = memchr(text + at, '\n', size - at)))
            return size;
    return at;
}

char *tokenize(const char *text, size_t size, unsigned detail, size_t *out_bytes,
               uint32_t *out_count)
{
    struct output out = {NULL, 0, 0, 0, false};
    for (size_t at = 0, n; detail && at < size; at += n) {
        ORIEL_SPAN_AT(ORIEL_LEVEL_TRACE, "tokenize.lines", "offset", at);
        n = piece_of(text + at, size - at, detail);
        add_words(&out, text + at, n);
    }
    if (!detail)
        add_words(&out, text, size);
    if (out.failed) {
        free(out.text);
        return NULL;
    }
    *out_bytes = out.size;
    *out_count = out.words;
    if (!out.text)
        return strdup("");
    out.text[out.size] = 0;
    return out.text;
}
