/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Trees to TOML text. Of each table the plain pairs come first, as they would
 * belong to the table of a header before them; then its tables and arrays of
 * tables. Pure; depth is bounded by the tree's.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "util/num.h"
#include "util/toml.h"
#include "util/utf8.h"

static bool is_bare(const char *key, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = key[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return n > 0;
}

static void put_key(struct buf *out, const char *key, size_t n)
{
    if (is_bare(key, n))
        buf_put(out, key, n);
    else
        toml_put_string(out, key, n);
}

static void put_escaped(struct buf *out, unsigned char c)
{
    static const char from[] = "\b\t\n\f\r\"\\", to[] = "btnfr\"\\";
    const char *at = c ? strchr(from, c) : NULL;
    if (at)
        buf_printf(out, "\\%c", to[at - from]);
    else
        buf_printf(out, "\\u%04X", c);
}

void toml_put_string(struct buf *out, const char *p, size_t n)
{
    size_t start = 0;
    buf_putc(out, '"');
    for (size_t i = 0; i <= n; i++) {
        unsigned char c = i < n ? (unsigned char)p[i] : 0;
        if (i < n && c >= 0x20 && c != 0x7f && c != '"' && c != '\\')
            continue;
        utf8_repair(out, p + start, i - start);
        start = i + 1;
        if (i < n)
            put_escaped(out, c);
    }
    buf_putc(out, '"');
}

static void put_double(struct buf *out, double v)
{
    char text[NUM_DOUBLE_MAX + 1];
    if (isnan(v)) {
        buf_puts(out, "nan");
        return;
    }
    if (isinf(v)) {
        buf_puts(out, v < 0 ? "-inf" : "inf");
        return;
    }
    *num_put_double(text, v) = 0;
    buf_puts(out, text);
    if (!strpbrk(text, ".e"))
        buf_puts(out, ".0"); /* or it would be an integer */
}

static void put_items(struct buf *out, const struct toml_value *v)
{
    bool table = v->type == TOML_TABLE;
    buf_puts(out, table ? "{" : "[");
    for (const struct toml_value *item = v->first; item; item = item->next) {
        buf_puts(out, item != v->first ? ", " : table ? " " : "");
        if (table) {
            put_key(out, item->key, item->key_n);
            buf_puts(out, " = ");
        }
        toml_put_value(out, item);
    }
    buf_puts(out, table ? v->first ? " }" : "}" : "]");
}

void toml_put_value(struct buf *out, const struct toml_value *v)
{
    switch (v->type) {
    case TOML_STRING:
        toml_put_string(out, v->text, v->text_n);
        break;
    case TOML_INTEGER:
        buf_printf(out, "%lld", (long long)v->integer);
        break;
    case TOML_FLOAT:
        put_double(out, v->number);
        break;
    case TOML_BOOL:
        buf_puts(out, v->boolean ? "true" : "false");
        break;
    case TOML_DATETIME:
    case TOML_DATETIME_LOCAL:
    case TOML_DATE:
    case TOML_TIME:
        toml_put_time(out, v->type, &v->time);
        break;
    case TOML_ARRAY:
    case TOML_TABLE:
        put_items(out, v);
        break;
    }
}

/* ---- documents ---- */

/* Not an empty array: [[ ]] always makes an item. */
static bool is_array_of_tables(const struct toml_value *v)
{
    if (v->type != TOML_ARRAY || !v->first)
        return false;
    for (const struct toml_value *item = v->first; item; item = item->next)
        if (item->type != TOML_TABLE)
            return false;
    return true;
}

static bool has_header(const struct toml_value *v)
{
    return v->type == TOML_TABLE || is_array_of_tables(v);
}

/* The key of a table from the root on; items of arrays have none of their own. */
static void put_path(struct buf *out, const struct toml_value *v)
{
    const struct toml_value *chain[TOML_DEPTH_MAX + 1];
    size_t n = 0;
    for (; v->parent; v = v->parent) {
        assert(n <= TOML_DEPTH_MAX);
        if (v->key)
            chain[n++] = v;
    }
    while (n--) {
        put_key(out, chain[n]->key, chain[n]->key_n);
        if (n)
            buf_putc(out, '.');
    }
}

static void put_table(struct buf *out, const struct toml_value *table);

static void put_section(struct buf *out, const struct toml_value *table, bool item)
{
    bool plain = !table->first;
    for (const struct toml_value *v = table->first; v; v = v->next)
        plain = plain || !has_header(v);
    if (item || plain) { /* else its tables imply it */
        buf_puts(out, out->size ? "\n" : "");
        buf_puts(out, item ? "[[" : "[");
        put_path(out, table);
        buf_puts(out, item ? "]]\n" : "]\n");
    }
    put_table(out, table);
}

static void put_table(struct buf *out, const struct toml_value *table)
{
    for (const struct toml_value *v = table->first; v; v = v->next) {
        if (has_header(v))
            continue;
        put_key(out, v->key, v->key_n);
        buf_puts(out, " = ");
        toml_put_value(out, v);
        buf_putc(out, '\n');
    }
    for (const struct toml_value *v = table->first; v; v = v->next) {
        if (v->type == TOML_TABLE)
            put_section(out, v, false);
        else if (has_header(v))
            for (const struct toml_value *item = v->first; item; item = item->next)
                put_section(out, item, true);
    }
}

void toml_write(struct buf *out, const struct toml_value *root)
{
    assert(root->type == TOML_TABLE && !root->parent);
    put_table(out, root);
}
