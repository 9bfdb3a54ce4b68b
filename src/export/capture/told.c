/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The end of a chunk's tables, where there is any of it: what processes of programs of
 * other makes said of themselves, and the scopes of sites.
 * source/file/told.c is the mirror of it. One thread at a time.
 */
#include "export/capture/encode.h"

#include "base/intern.h"

static void put_text(struct buf *b, struct intern *texts, struct model_str s)
{
    uint32_t id = intern_add(texts, s.p, s.n);
    if (id == UINT32_MAX)
        b->failed = true;
    encoder_table_number(b, id);
}

static void put_told(struct intern *texts, struct buf *b, const struct model_told *told)
{
    put_text(b, texts, told->schema_url);
    encoder_table_number(b, told->dropped_attrs);
    encoder_table_number(b, told->attr_count);
    for (uint32_t i = 0; i < told->attr_count; i++) {
        const struct model_value *v = &told->attrs[i];
        put_text(b, texts, v->key);
        buf_putc(b, (char)v->type);
        buf_putc(b, (char)v->flags);
        if (v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES) {
            put_text(b, texts, v->v.str);
            encoder_table_number(b, v->full_bytes);
        } else {
            encoder_table_number(b, v->v.u64);
        }
    }
}

static void put_processes(const struct encoder *e, struct intern *texts, struct buf *b)
{
    uint64_t n = 0;
    for (size_t i = 0; i < e->processes.count; i++)
        n += e->processes.items[i].process->told != NULL;
    encoder_table_number(b, n);
    for (size_t i = 0; i < e->processes.count; i++) {
        const struct model_told *told = e->processes.items[i].process->told;
        if (!told)
            continue;
        encoder_table_number(b, i);
        put_told(texts, b, told);
    }
}

/* Scopes in the order in which sites use them first, then who uses which. */
static void put_scopes(const struct encoder *e, struct intern *texts, struct buf *b)
{
    struct map numbers = {0};
    VEC(uint32_t) used = {0};
    uint64_t sites = 0;
    for (size_t i = 0; i < e->sites.count; i++) {
        uint32_t scope = e->sites.items[i]->scope, *slot;
        if (!scope)
            continue;
        sites++;
        uint64_t *at = map_put(&numbers, scope, used.count);
        if (!at || (*at == used.count && !(slot = VEC_PUSH(&used))))
            b->failed = true;
        else if (*at + 1 == used.count)
            used.items[*at] = scope;
    }
    encoder_table_number(b, used.count);
    for (size_t i = 0; i < used.count; i++) {
        const struct model_scope *s = e->catalog->scopes[used.items[i] - 1];
        put_text(b, texts, s->name);
        put_text(b, texts, s->version);
        put_told(texts, b, &s->told);
    }
    encoder_table_number(b, b->failed ? 0 : sites);
    for (size_t i = 0; i < e->sites.count && !b->failed; i++) {
        const uint64_t *at = map_get(&numbers, e->sites.items[i]->scope);
        if (!e->sites.items[i]->scope || !at)
            continue;
        encoder_table_number(b, i);
        encoder_table_number(b, *at);
    }
    VEC_DONE(&used);
    map_done(&numbers);
}

void encoder_put_told(struct encoder *e, struct intern *texts, struct buf *b)
{
    bool any = false;
    for (size_t i = 0; i < e->processes.count && !any; i++)
        any = e->processes.items[i].process->told != NULL;
    for (size_t i = 0; i < e->sites.count && !any; i++)
        any = e->sites.items[i]->scope != 0;
    if (!any)
        return;
    put_processes(e, texts, b);
    put_scopes(e, texts, b);
}
