/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One resource in bytes behind a lock, and who is told of it.
 */
#include "session/published.h"

#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "base/os.h"
#include "export/resource.h"
#include "session/inprocess.h"
#include "util/pb.h"

enum { COPIES_MAX = 16 };
enum { RESOURCE_ATTRIBUTES = 1, RESOURCE_DROPPED = 2, PAIR_KEY = 1, PAIR_VALUE = 2, ANY_TEXT = 1 };
enum { DROPPED_BYTES = 4 }; /* of their number, at most */

static struct {
    pthread_mutex_t lock;
    instance_told_fn *copies[COPIES_MAX];
    size_t copy_count;
    uint32_t common, own, adds;
    char bytes[INSTANCE_TOLD_MAX];
} self = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct encoding {
    struct buf *out;
    uint32_t dropped;
};

static void put_text(void *user, const struct model_value *v)
{
    struct encoding *e = user;
    struct buf *b = e->out;
    const size_t before = b->size;
    if (v->type != ORIEL_TYPE_STR)
        return;
    const struct pb_mark pair = pb_open(b, RESOURCE_ATTRIBUTES, 2);
    pb_bytes(b, PAIR_KEY, v->key.p, v->key.n);
    const struct pb_mark any = pb_open(b, PAIR_VALUE, 2);
    pb_bytes(b, ANY_TEXT, v->v.str.p, v->v.str.n);
    pb_close(b, any);
    pb_close(b, pair);
    if (b->size > INSTANCE_TOLD_MAX - DROPPED_BYTES) {
        b->size = before;
        e->dropped++;
    }
}

static void put_shared(struct encoding *e, const struct model_catalog *c)
{
    struct model_catalog alone; /* what is a secret in the name of the program stays one */
    char exe[256] = "";         /* as much as a process says of it (wire/region.h) */
    const struct model_str name = model_catalog_resource(c, "service.name");
    const struct export_env env = {
        .catalog = c, .service_name = name.n ? name.p : "oriel", .version = ORIEL_VERSION_TEXT};
    os_exe_path(exe, sizeof exe);
    model_catalog_init(&alone);
    const struct model_process *p = model_catalog_add_process(
        &alone, os_getpid(), (struct model_str){exe, (uint32_t)strlen(exe)}, MODEL_STR(""));
    if (p)
        export_resource_shared(&env, p, put_text, e);
    model_catalog_done(&alone);
    if (e->dropped)
        pb_uint(e->out, RESOURCE_DROPPED, e->dropped);
}

/* The lock is held. */
static void tell_all(void)
{
    for (size_t i = 0; i < self.copy_count; i++)
        self.copies[i](self.bytes, self.common, self.own, self.adds);
}

void published_set(const struct model_catalog *c)
{
    const struct model_str id = export_resource_id(c);
    const bool empty = export_resource_is_empty(c);
    struct buf b;
    buf_init(&b);
    struct encoding e = {&b, 0};
    put_shared(&e, c);
    const size_t common = b.size;
    if (id.n && c->said_pid == os_getpid())
        put_text(&e, &(struct model_value){.key = MODEL_STR("service.instance.id"),
                                           .type = ORIEL_TYPE_STR,
                                           .v.str = id});
    pthread_mutex_lock(&self.lock);
    if (!b.failed && b.size <= sizeof self.bytes) {
        memcpy(self.bytes, b.data, b.size);
        self.common = (uint32_t)common;
        self.own = (uint32_t)(b.size - common);
        self.adds = INSTANCE_TOLD | (!empty || id.n ? INSTANCE_ADDS_ID : 0) |
                    (empty ? 0 : INSTANCE_ADDS_PIDS);
        tell_all();
    }
    pthread_mutex_unlock(&self.lock);
    buf_done(&b);
}

void published_clear(void)
{
    pthread_mutex_lock(&self.lock);
    self.common = self.own = self.adds = 0;
    tell_all();
    pthread_mutex_unlock(&self.lock);
}

void published_forked(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    self.lock = unlocked;
}

void oriel_inprocess_published(instance_told_fn *told)
{
    size_t i = 0;
    pthread_mutex_lock(&self.lock);
    while (i < self.copy_count && self.copies[i] != told)
        i++;
    if (i < COPIES_MAX)
        self.copies[i] = told;
    if (i == self.copy_count && i < COPIES_MAX) {
        self.copy_count++;
        if (self.adds)
            told(self.bytes, self.common, self.own, self.adds);
    }
    pthread_mutex_unlock(&self.lock);
}
