/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: meta log entries of exact length, all three kinds; every byte
 * that a view promises is read.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(struct wire_text t)
{
    volatile uint32_t sum = 0;
    for (uint32_t i = 0; i < t.n; i++)
        sum = sum + (uint8_t)t.p[i];
}

static void touch_site(struct wire_meta_site_view *v)
{
    struct wire_meta_field_view f;
    uint32_t fields = 0;
    touch(v->name);
    touch(v->target);
    touch(v->file);
    touch(v->function);
    touch(v->format);
    for (; wire_meta_site_next(v, &f); fields++) {
        touch(f.name);
        if (f.type < ORIEL_TYPE_BOOL || f.type > ORIEL_TYPE_PTR)
            abort();
    }
    if (fields != v->field_count || v->id < ORIEL_SITE_ID_FIRST || v->id > ORIEL_SITE_ID_MAX)
        abort();
}

static void touch_scope(struct wire_meta_scope_view *v)
{
    struct wire_meta_attr_view a;
    uint32_t attrs = 0;
    touch(v->target);
    touch(v->version);
    touch(v->schema_url);
    for (; wire_meta_scope_next(v, &a); attrs++) {
        touch(a.key);
        touch(a.text);
        if (a.type < ORIEL_TYPE_BOOL || a.type > ORIEL_TYPE_PTR)
            abort();
    }
    if (attrs != v->attr_count || !v->target.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_meta_site_view site;
    struct wire_meta_scope_view scope;
    struct wire_meta_resource_view resource;
    struct wire_meta_module_view module;
    void *entry = malloc(size ? size : 1);
    if (!entry)
        return 0;
    memcpy(entry, data, size);
    if (wire_meta_site_parse(entry, size, &site))
        touch_site(&site);
    if (wire_meta_resource_parse(entry, size, &resource)) {
        touch(resource.key);
        touch(resource.value);
    }
    if (wire_meta_module_parse(entry, size, &module)) {
        touch(module.build_id);
        touch(module.path);
    }
    if (wire_meta_scope_parse(entry, size, &scope))
        touch_scope(&scope);
    free(entry);
    return 0;
}
