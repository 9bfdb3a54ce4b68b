/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Threads of programs that tell them: what has the attribute thread.id stands in a lane
 * of that thread. Ids are the other side's to choose: there are only so many lanes, and
 * what has no lane of its own stands in that of its program. One thread.
 */
#include <assert.h>
#include <string.h>

#include "source/otlp/otlp.h"

enum {
    LANES_MAX = 256,     /* of one program */
    STREAMS_MAX = 8192,  /* of all */
    LANE_COST = 256,     /* memory of one */
    NAME_BYTES_MAX = 64, /* of a thread */
    KEY = 1,             /* of KeyValue */
    VALUE = 2,           /* likewise */
    TEXT = 1,            /* of AnyValue */
    INTEGER = 3          /* likewise */
};

struct said {
    uint64_t id;
    struct model_str name;
};

/* Every encoder writes the key first: a look at the bytes tells which few are read. */
static bool has_key(const struct pb_field *pair, const char *key, size_t n)
{
    return pair->size > n + 2 && pair->bytes[0] == (KEY << 3 | PB_BYTES) && pair->bytes[1] == n &&
           memcmp(pair->bytes + 2, key, n) == 0;
}

static void read_pair(const struct pb_field *pair, struct said *out)
{
    static const char id[] = "thread.id", name[] = "thread.name";
    const bool is_id = has_key(pair, id, sizeof id - 1);
    struct pb_field value, one;
    if (!is_id && !has_key(pair, name, sizeof name - 1))
        return;
    if (!pb_find(pb_read_nested(pair), VALUE, &value))
        return;
    if (is_id && pb_find(pb_read_nested(&value), INTEGER, &one))
        out->id = one.value;
    else if (!is_id && pb_find(pb_read_nested(&value), TEXT, &one) && one.size <= NAME_BYTES_MAX)
        out->name = (struct model_str){(const char *)one.bytes, (uint32_t)one.size};
}

static uint64_t key_of(uint32_t stream, uint64_t id)
{
    return (uint64_t)stream << 32 | (uint32_t)id;
}

/* One more, or UINT32_MAX. */
static uint32_t make_lane(struct otlp_tell *t, uint32_t stream, uint64_t id)
{
    const struct model_thread *first = t->streams.items[stream].thread;
    uint32_t at = (uint32_t)t->streams.count;
    if (t->streams.items[stream].lanes == LANES_MAX || at >= STREAMS_MAX)
        return UINT32_MAX;
    struct otlp_stream *s = VEC_PUSH(&t->streams);
    if (!s)
        return UINT32_MAX;
    *s = (struct otlp_stream){.of = stream};
    s->thread = model_catalog_add_thread(t->catalog, first->process, (int32_t)id, at + 1);
    if (!s->thread || !map_put(&t->lane_by_key, key_of(stream, id), at)) {
        t->streams.count--;
        return UINT32_MAX;
    }
    t->streams.items[stream].lanes++;
    t->name_bytes += LANE_COST;
    return at;
}

uint32_t otlp_tell_lane(struct otlp_tell *t, uint32_t stream, const struct pb_field *item,
                        uint32_t attributes)
{
    struct pb_reader r = pb_read_nested(item);
    struct said said = {.name = MODEL_STR("")};
    struct pb_field f;
    assert(stream < t->streams.count && t->streams.items[stream].of == stream);
    while (pb_next(&r, &f))
        if (f.number == attributes && f.wire == PB_BYTES)
            read_pair(&f, &said);
    if (said.id == 0 || said.id > INT32_MAX)
        return stream;
    uint32_t at = stream;
    if ((uint64_t)t->streams.items[stream].thread->tid != said.id) {
        const uint64_t *known = map_get(&t->lane_by_key, key_of(stream, said.id));
        at = known ? (uint32_t)*known : make_lane(t, stream, said.id);
    }
    if (at == UINT32_MAX)
        return stream;
    struct model_thread *thread = t->streams.items[at].thread;
    if (said.name.n && !thread->name.n) /* the first name stays: each new one takes memory */
        (void)model_thread_set_name(t->catalog, thread, said.name);
    return at;
}
