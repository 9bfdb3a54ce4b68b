/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Puts the parts of a resource together. Order, lowest first: detectors, the
 * attributes that are said, the service's name. Reads nothing itself.
 */
#include "session/resource.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "config/otlp.h"

void resource_done(struct resource *r)
{
    VEC_DONE(&r->attrs);
}

static struct resource_attr *find(const struct resource *r, const char *key)
{
    for (size_t i = 0; i < r->attrs.count; i++)
        if (strcmp(r->attrs.items[i].key, key) == 0)
            return &r->attrs.items[i];
    return NULL;
}

/* At most n - 1 bytes, and no half character at the end. */
static void copy_cut(char *out, size_t n, const char *text)
{
    size_t size = strnlen(text, n - 1);
    if (text[size])
        while (size && ((unsigned char)text[size] & 0xc0) == 0x80)
            size--;
    memcpy(out, text, size);
    out[size] = 0;
}

void resource_set(struct resource *r, const char *key, const char *value)
{
    if (!key[0] || !value || !value[0] || strlen(key) >= sizeof r->attrs.items->key)
        return;
    struct resource_attr *a = find(r, key);
    if (!a)
        a = VEC_PUSH(&r->attrs);
    r->no_memory = r->no_memory || !a;
    if (!a)
        return;
    copy_cut(a->key, sizeof a->key, key);
    copy_cut(a->value, sizeof a->value, value);
}

const char *resource_get(const struct resource *r, const char *key)
{
    const struct resource_attr *a = find(r, key);
    return a ? a->value : "";
}

void resource_merge(struct resource *r, const struct resource *upper)
{
    for (size_t i = 0; i < upper->attrs.count; i++)
        resource_set(r, upper->attrs.items[i].key, upper->attrs.items[i].value);
    if (!r->schema_url[0])
        memcpy(r->schema_url, upper->schema_url, sizeof r->schema_url);
    else if (upper->schema_url[0] && strcmp(r->schema_url, upper->schema_url) != 0)
        r->conflict = true;
    r->conflict = r->conflict || upper->conflict;
    r->no_memory = r->no_memory || upper->no_memory;
}

/* ---- all of it ---- */

static const struct {
    const char *name;
    unsigned detector;
    void (*find)(struct resource *r, const struct resource_input *in);
} detectors[] = {{"process", RESOURCE_PROCESS, resource_find_process},
                 {"host", RESOURCE_HOST, resource_find_host},
                 {"os", RESOURCE_OS, resource_find_os},
                 {"container", RESOURCE_CONTAINER, resource_find_container},
                 {"k8s", RESOURCE_K8S, resource_find_k8s},
                 {"aws", RESOURCE_AWS, NULL},
                 {"gcp", RESOURCE_GCP, NULL},
                 {"azure", RESOURCE_AZURE, NULL}};
enum { DETECTORS = sizeof detectors / sizeof *detectors };

unsigned resource_detectors(const char *list)
{
    unsigned found = 0;
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        for (size_t i = 0; i < DETECTORS; i++)
            if (strlen(detectors[i].name) == n && memcmp(detectors[i].name, p, n) == 0)
                found |= detectors[i].detector;
        p += n + (p[n] == ',');
    }
    return found;
}

static int put_pair(void *user, const char *key, const char *value)
{
    resource_set(user, key, value);
    return 0;
}

/* Of the executable, which the process is asked for whether it is told or not. */
static void put_unknown_service(struct resource *r, const struct resource_input *in)
{
    struct resource process = {.schema_url = ""};
    char name[160];
    resource_find_process(&process, in);
    const char *exe = resource_get(&process, "process.executable.name");
    snprintf(name, sizeof name, "unknown_service%s%.128s", exe[0] ? ":" : "", exe);
    resource_set(r, "service.name", name);
    resource_done(&process);
}

void resource_find(struct resource *r, const struct resource_input *in)
{
    struct resource said = {.schema_url = ""};
    assert(in->root && in->attributes && in->service_name);
    for (size_t i = 0; i < DETECTORS; i++) {
        struct resource found = {.schema_url = RESOURCE_SCHEMA_URL};
        if ((in->detectors & detectors[i].detector) && detectors[i].find)
            detectors[i].find(&found, in);
        resource_merge(r, &found);
        resource_done(&found);
    }
    (void)config_pairs_read(in->attributes, CONFIG_PAIRS_ATTRIBUTES, put_pair, &said, NULL);
    if (in->service_name[0])
        resource_set(&said, "service.name", in->service_name);
    resource_merge(r, &said);
    if (!resource_get(r, "service.name")[0])
        put_unknown_service(r, in);
    resource_done(&said);
}

int resource_apply(const struct resource *r, struct model_catalog *c)
{
    int rc = r->no_memory ? ORIEL_ENOMEM : 0;
    for (size_t i = 0; rc == 0 && i < r->attrs.count; i++) {
        const struct resource_attr *a = &r->attrs.items[i];
        rc = model_catalog_set_resource(c, (struct model_str){a->key, (uint32_t)strlen(a->key)},
                                        (struct model_str){a->value, (uint32_t)strlen(a->value)});
    }
    return rc;
}
