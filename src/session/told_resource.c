/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One resource behind a lock, which is held for copies only. Threads of the program and the
 * drain thread.
 */
#include "session/told_resource.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "base/err.h"
#include "export/resource.h"
#include "session/inprocess.h"
#include "session/published.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct resource told;

void told_resource_keep(const struct model_catalog *c)
{
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < c->resource_count; i++) {
        char key[sizeof((struct resource_attr *)0)->key];
        char value[sizeof((struct resource_attr *)0)->value];
        const struct model_attr_text *a = &c->resource[i];
        if (!export_resource_tells(c, a->key))
            continue;
        snprintf(key, sizeof key, "%.*s", (int)a->key.n, a->key.p);
        snprintf(value, sizeof value, "%.*s", (int)a->value.n, a->value.p);
        resource_set(&told, key, value);
    }
    pthread_mutex_unlock(&lock);
}

int told_resource_apply(const struct resource *found, struct model_catalog *c)
{
    pthread_mutex_lock(&lock);
    resource_merge(&told, found);
    pthread_mutex_unlock(&lock);
    return resource_apply(found, c);
}

void told_resource_clear(void)
{
    pthread_mutex_lock(&lock);
    resource_done(&told);
    told = (struct resource){.schema_url = ""};
    pthread_mutex_unlock(&lock);
}

void told_resource_forked(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    lock = unlocked;
    told = (struct resource){.schema_url = ""};
    published_forked();
}

int oriel_inprocess_resource(const char *key, char *out, size_t size)
{
    int rc = ORIEL_ENOTFOUND;
    assert(key && (out || !size));
    pthread_mutex_lock(&lock);
    const char *value = resource_get(&told, key);
    if (value[0])
        rc = snprintf(out, size, "%s", value);
    pthread_mutex_unlock(&lock);
    return rc;
}
