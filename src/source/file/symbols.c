/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What places are called, as the recorder found out. Every number is checked,
 * growth of the catalog is paid from the same budget as everything else. What
 * is known of a place already stays. Untrusted bytes; one thread.
 */
#include "source/file/file.h"

#include <assert.h>

#include "base/err.h"

enum {
    MODULE_COST = 192,
    PLACE_COST = 128,
    LINE_COST = 80,
    TEXT_COST = 64,
    TEXTS_MAX = 1 << 18,
    MODULES_MAX = 1 << 16
};

struct hearing {
    struct decoder *d;
    struct wire_cursor c;
    VEC(struct model_str) texts;
    VEC(uint32_t) modules; /* of the catalog; UINT32_MAX: of a process nobody told of */
};

static uint64_t get_count(struct hearing *h, uint64_t max)
{
    uint64_t n = wire_number_get(&h->c);
    if (n > max || n > (uint64_t)(h->c.end - h->c.at))
        h->c.failed = true;
    return h->c.failed ? 0 : n;
}

static struct model_str get_text(struct hearing *h)
{
    uint64_t i = wire_number_get(&h->c);
    if (i < h->texts.count)
        return h->texts.items[i];
    h->c.failed = true;
    return MODEL_STR("");
}

static uint32_t get_u32(struct hearing *h)
{
    uint64_t v = wire_number_get(&h->c);
    if (v > UINT32_MAX)
        h->c.failed = true;
    return (uint32_t)v;
}

static int get_texts(struct hearing *h)
{
    uint64_t n = get_count(h, TEXTS_MAX);
    for (uint64_t i = 0; i <= n && !h->c.failed; i++) {
        struct model_str *s = VEC_PUSH(&h->texts);
        if (!s)
            return ORIEL_ENOMEM;
        *s = MODEL_STR("");
        if (i == 0)
            continue;
        uint64_t bytes = wire_number_get(&h->c);
        const uint8_t *p = bytes <= UINT32_MAX ? wire_bytes_get(&h->c, bytes) : NULL;
        if (!p)
            return ORIEL_EDAMAGED;
        if (!decoder_pay(h->d, bytes + TEXT_COST))
            return ORIEL_ELIMIT;
        *s = (struct model_str){(const char *)p, (uint32_t)bytes};
    }
    return h->c.failed ? ORIEL_EDAMAGED : 0;
}

/* The process that a module belongs to, UINT32_MAX none. False: nobody told of it. */
static bool get_owner(struct hearing *h, uint32_t *out)
{
    struct model_process told = {0};
    *out = UINT32_MAX;
    if (wire_number_get(&h->c) == 0)
        return true;
    told.pid = (int32_t)wire_unzigzag(wire_number_get(&h->c));
    told.start_ns = wire_number_get(&h->c);
    told.trace_hi = wire_word_get(&h->c);
    told.trace_salt = wire_word_get(&h->c);
    const struct model_process *p = h->c.failed ? NULL : decoder_known_process(h->d, &told);
    if (p)
        *out = p->index;
    return p != NULL;
}

static int get_module(struct hearing *h, uint32_t *out)
{
    struct model_module m = {0};
    uint64_t kind = wire_number_get(&h->c);
    bool known = get_owner(h, &m.process);
    m.path = get_text(h);
    uint64_t bytes = wire_number_get(&h->c);
    const uint8_t *id = bytes <= MODEL_BUILD_ID_MAX ? wire_bytes_get(&h->c, bytes) : NULL;
    if (!id || h->c.failed || kind > MODEL_MODULE_JIT)
        return ORIEL_EDAMAGED;
    *out = UINT32_MAX;
    if (!known)
        return 0;
    m.kind = (uint8_t)kind;
    m.build_id_bytes = (uint8_t)bytes;
    memcpy(m.build_id, id, bytes);
    if (!decoder_pay(h->d, MODULE_COST + m.path.n))
        return ORIEL_ELIMIT;
    const struct model_module *own = model_stacks_module(&h->d->catalog->stacks, &m);
    if (!own)
        return ORIEL_ENOMEM;
    *out = own->index;
    return 0;
}

static int get_modules(struct hearing *h)
{
    uint64_t n = get_count(h, MODULES_MAX);
    for (uint64_t i = 0; i < n; i++) {
        uint32_t *slot = VEC_PUSH(&h->modules);
        int rc = slot ? get_module(h, slot) : ORIEL_ENOMEM;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static struct model_line get_line(struct hearing *h)
{
    struct model_line l;
    l.function = get_text(h);
    l.linkage = get_text(h);
    l.file = get_text(h);
    l.line = get_u32(h);
    l.column = get_u32(h);
    uint64_t start = wire_number_get(&h->c);
    l.start_line = (uint32_t)(start >> 1);
    l.inlined = start & 1;
    if (l.function.n == 0 || start >> 33)
        h->c.failed = true;
    return l;
}

/* Texts are paid for; but looking at long ones again and again takes time. */
static uint64_t cost_of(const struct model_line *lines, uint64_t n)
{
    uint64_t cost = 0;
    for (uint64_t i = 0; i < n; i++)
        cost += LINE_COST + (lines[i].function.n + lines[i].linkage.n + lines[i].file.n) / 16;
    return cost;
}

static int get_place(struct hearing *h, uint64_t *address)
{
    struct model_line lines[WIRE_CAPTURE_LINES_MAX];
    uint64_t module = wire_number_get(&h->c);
    *address += wire_unzigzag(wire_number_get(&h->c));
    uint64_t n = get_count(h, WIRE_CAPTURE_LINES_MAX);
    if (module >> 1 >= h->modules.count)
        return ORIEL_EDAMAGED;
    for (uint64_t i = 0; i < n && !h->c.failed; i++)
        lines[i] = get_line(h);
    if (h->c.failed)
        return ORIEL_EDAMAGED;
    uint32_t at = h->modules.items[module >> 1];
    if (at == UINT32_MAX || n == 0)
        return 0;
    struct model_stacks *s = &h->d->catalog->stacks;
    uint32_t before = s->place_count;
    struct model_place *p = model_stacks_place(s, at, *address, module & 1);
    if (!p)
        return ORIEL_ENOMEM;
    if (!decoder_pay(h->d, cost_of(lines, n) + (s->place_count > before ? PLACE_COST : 0)))
        return ORIEL_ELIMIT;
    return p->resolved ? 0 : model_place_set_lines(s, p, lines, (uint32_t)n);
}

static int hear(struct hearing *h)
{
    uint64_t address = 0;
    int rc = get_texts(h);
    if (rc == 0)
        rc = get_modules(h);
    uint64_t n = rc == 0 ? get_count(h, WIRE_CAPTURE_RAW_MAX) : 0;
    for (uint64_t i = 0; rc == 0 && i < n; i++)
        rc = get_place(h, &address);
    return rc < 0 ? rc : h->c.failed ? ORIEL_EDAMAGED : 0;
}

int decoder_symbols(struct decoder *d, struct zip *zip, const struct wire_capture_frame *f,
                    const uint8_t *payload)
{
    struct hearing h = {.d = d, .c = {payload, payload + f->stored_bytes, false}};
    struct buf raw;
    int rc = 0;
    assert(f->type == WIRE_CAPTURE_SYMBOLS);
    buf_init(&raw);
    if (f->stored_bytes != f->raw_bytes) { /* equal: stored as it is */
        rc = zip_decompress(zip, payload, f->stored_bytes, f->raw_bytes, &raw);
        const uint8_t *at = raw.size ? (const uint8_t *)raw.data : payload;
        h.c = (struct wire_cursor){at, at + raw.size, false};
    }
    if (rc == 0)
        rc = hear(&h);
    VEC_DONE(&h.texts);
    VEC_DONE(&h.modules);
    buf_done(&raw);
    /* More names than memory is set aside for: the rest is looked up, as without any. */
    return rc == ORIEL_ELIMIT ? 0 : rc == ORIEL_ENOMEM ? rc : rc < 0 ? ORIEL_EDAMAGED : 0;
}
