/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Copies of sites that bindings make at run time: their texts may be freed by
 * the caller, ours live as long as the process. Not on the record path.
 */
#include "rec/rec.h"

#include <string.h>

#include "base/mem.h"

static const char *copy_text(const char *s)
{
    return s ? mem_strdup(s) : NULL;
}

__attribute__((cold)) struct oriel_site_node *rec_site_copy(const struct oriel_site *site)
{
    struct oriel_site_node *node = mem_calloc(1, sizeof *node);
    struct oriel_field *fields = mem_calloc(site->field_count + 1, sizeof *fields);
    if (!node || !fields) {
        mem_free(node);
        mem_free(fields);
        return NULL;
    }
    node->site = *site;
    for (uint32_t i = 0; i < site->field_count; i++) {
        fields[i] = site->fields[i];
        fields[i].name = copy_text(site->fields[i].name);
        if (!fields[i].name)
            fields[i].name = "";
    }
    node->site.fields = fields;
    node->site.name = copy_text(site->name);
    node->site.target = copy_text(site->target);
    node->site.file = copy_text(site->file);
    node->site.function = copy_text(site->function);
    node->site.format = copy_text(site->format);
    if (site->name && !node->site.name)
        node->site.name = ""; /* out of memory: nameless, still recorded */
    return node;
}
