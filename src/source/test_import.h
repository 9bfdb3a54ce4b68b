/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For tests of sources that read other tools' profiles only: everything a
 * source hands out, as
 * "root;child;leaf kind weight count" lines. What is inlined stands behind a +.
 */
#ifndef ORIEL_SOURCE_TEST_IMPORT_H
#define ORIEL_SOURCE_TEST_IMPORT_H

#include <stdlib.h>

#include "source/source.h"
#include "source/test_bytes.h"
#include "test.h"

struct imported {
    struct model_catalog catalog;
    struct model_batch batch;
    struct buf text;
    size_t records;
};

static inline void imported_init(struct imported *m)
{
    memset(m, 0, sizeof *m);
    model_catalog_init(&m->catalog);
    model_batch_init(&m->batch, &m->catalog);
    buf_init(&m->text);
}

static inline void imported_done(struct imported *m)
{
    model_batch_done(&m->batch);
    model_catalog_done(&m->catalog);
    buf_done(&m->text);
}

static inline void imported_put_stack(struct imported *m, uint32_t at)
{
    const struct model_stacks *s = &m->catalog.stacks;
    const struct model_stack *node = model_stack(s, at);
    if (!node)
        return;
    imported_put_stack(m, node->parent);
    if (node->parent)
        buf_putc(&m->text, ';');
    const struct model_place *p = model_stack_place(s, node);
    if (!p->line_count) {
        const struct model_module *module = s->modules[p->module];
        buf_putc(&m->text, '<');
        buf_put(&m->text, module->path.p, module->path.n);
        buf_putc(&m->text, '>');
    }
    for (unsigned i = p->line_count; i > 0; i--) {
        buf_put(&m->text, p->lines[i - 1].function.p, p->lines[i - 1].function.n);
        buf_puts(&m->text, i > 1 ? "+" : "");
    }
}

/* To the end; the lines are in m->text. */
static inline void imported_run(struct imported *m, const struct source *source, void *state)
{
    struct oriel_err err = {0};
    int rc;
    do {
        model_batch_clear(&m->batch);
        rc = source->poll(state, &m->batch, 3, &err);
        for (size_t i = 0; i < m->batch.record_count; i++) {
            const struct model_record *r = &m->batch.records[i];
            imported_put_stack(m, (uint32_t)r->raw[2]);
            buf_printf(&m->text, " %u %llu %llu\n", r->flags, (unsigned long long)r->raw[3],
                       (unsigned long long)r->raw[4]);
            m->records++;
        }
    } while (rc == SOURCE_DATA);
    CHECK_EQ(rc, SOURCE_END);
    CHECK(m->batch.last);
}

/* One line of them, as it is. */
static inline void imported_expect(struct imported *m, const char *line)
{
    const char *text = buf_cstr(&m->text), *at = text;
    size_t n = strlen(line);
    while ((at = strstr(at, line)) != NULL) {
        if ((at == text || at[-1] == '\n') && at[n] == '\n')
            return;
        at++;
    }
    test_fail(__FILE__, __LINE__, "no line \"%s\" in:\n%s", line, text);
}

#endif
