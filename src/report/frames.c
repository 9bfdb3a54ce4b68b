/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Each place is looked at once; a function is its name within its module.
 */
#include "report/frames.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

int frames_init(struct frames *f, const struct model_stacks *stacks)
{
    memset(f, 0, sizeof *f);
    f->stacks = stacks;
    return intern_init(&f->names);
}

void frames_done(struct frames *f)
{
    intern_done(&f->names);
    map_done(&f->by_key);
    map_done(&f->by_build_id);
    VEC_DONE(&f->items);
    VEC_DONE(&f->at);
    VEC_DONE(&f->by_place);
}

/* The function of this name in this module; FRAMES_NONE: no memory. */
static uint32_t frame_of(struct frames *f, const struct model_module *module, struct model_str name,
                         const struct model_line *line)
{
    uint32_t text = intern_add(&f->names, name.p, name.n);
    if (text == UINT32_MAX)
        return FRAMES_NONE;
    uint32_t number = module ? module->index : UINT32_MAX;
    uint64_t *at = map_put(&f->by_key, (uint64_t)number << 32 | text, f->items.count);
    if (!at)
        return FRAMES_NONE;
    if (*at < f->items.count)
        return (uint32_t)*at;
    struct frame *new = VEC_PUSH(&f->items);
    if (!new) {
        (void)map_remove(&f->by_key, (uint64_t)number << 32 | text);
        return FRAMES_NONE;
    }
    struct intern_str kept = intern_get(&f->names, text);
    *new = (struct frame){.name = {kept.p, kept.n}, .module = module};
    if (line) {
        new->file = line->file;
        new->line = line->start_line;
        new->resolved = true;
    }
    return (uint32_t)(f->items.count - 1);
}

struct model_str frames_base_name(struct model_str path)
{
    uint32_t at = path.n;
    while (at > 0 && path.p[at - 1] != '/')
        at--;
    return (struct model_str){path.p + at, path.n - at};
}

static const char lock_hooks[] = "";

/* As one frame, lock_hooks: as the functions it has. NULL: it is none of ours. */
static const char *own_frame(const struct model_module *m)
{
    static const struct {
        const char *begin, *frame;
    } ours[] = {{"liboriel-alloc.so", "[Oriel's heap hooks]"},
                {"liboriel-lock.so", lock_hooks},
                {"liboriel-calls.so", "[Oriel's call hooks]"},
                {"liboriel-cpu.so", "[Oriel's sampler]"}};
    struct model_str name = m ? frames_base_name(m->path) : MODEL_STR("");
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (name.n >= strlen(ours[i].begin) &&
            memcmp(name.p, ours[i].begin, strlen(ours[i].begin)) == 0)
            return ours[i].frame;
    return NULL;
}

bool frames_is_own(const struct model_module *m)
{
    return own_frame(m) != NULL;
}

static bool is_folded(const struct model_module *m)
{
    const char *own = own_frame(m);
    return own && own != lock_hooks;
}

bool frames_is_start(const struct model_module *m, const struct model_line *line)
{
    struct model_str base =
        m && m->kind == MODEL_MODULE_FILE ? frames_base_name(m->path) : MODEL_STR("");
    struct model_str name = line->function;
    if (base.n == 0 || line->file.n || name.n <= base.n + 3 ||
        memcmp(name.p, base.p, base.n) != 0 || memcmp(name.p + base.n, "+0x", 3) != 0)
        return false;
    for (uint32_t i = base.n + 3; i < name.n; i++)
        if (!strchr("0123456789abcdef", name.p[i]) || !name.p[i])
            return false;
    return true;
}

/* "[libz.so.1]"; special modules have their brackets already. */
static uint32_t module_frame(struct frames *f, const struct model_module *m)
{
    char label[256];
    struct model_str name = frames_base_name(m->path);
    const char *own = own_frame(m);
    if (own && own != lock_hooks)
        return frame_of(f, m, (struct model_str){own, (uint32_t)strlen(own)}, NULL);
    if (name.n == 0)
        return frame_of(f, m, MODEL_STR("[unknown]"), NULL);
    if (name.p[0] == '[')
        return frame_of(f, m, name, NULL);
    uint32_t n = name.n < sizeof label - 2 ? name.n : (uint32_t)sizeof label - 2;
    label[0] = '[';
    memcpy(label + 1, name.p, n);
    label[n + 1] = ']';
    return frame_of(f, m, (struct model_str){label, n + 2}, NULL);
}

static bool add_at(struct frames *f, uint32_t frame, const struct model_line *line)
{
    struct frame_at *at = frame == FRAMES_NONE ? NULL : VEC_PUSH(&f->at);
    if (!at)
        return false;
    *at = (struct frame_at){.frame = frame, .file = MODEL_STR("")};
    if (line) {
        at->line = line->line;
        at->file = line->file;
        at->inlined = line->inlined;
    }
    return true;
}

/* The first module that is the same file: the kernel tells what a link leads to, the loader how
 * it was asked for it. NULL: no memory. */
static const struct model_module *first_of(struct frames *f, const struct model_module *m)
{
    if (m->kind != MODEL_MODULE_FILE || m->build_id_bytes == 0)
        return m;
    const uint64_t hash = map_hash_bytes(m->build_id, m->build_id_bytes, m->build_id_bytes);
    const uint64_t *at = map_put(&f->by_build_id, hash, m->index);
    if (!at)
        return NULL;
    const struct model_module *first = f->stacks->modules[*at];
    bool same = first->build_id_bytes == m->build_id_bytes &&
                memcmp(first->build_id, m->build_id, m->build_id_bytes) == 0;
    return same ? first : m;
}

static bool look_at(struct frames *f, uint32_t place)
{
    const struct model_place *p = f->stacks->places[place];
    const struct model_module *m = first_of(f, f->stacks->modules[p->module]);
    size_t first = f->at.count;
    bool done = m != NULL;
    const uint32_t lines = is_folded(m) ? 0 : p->line_count; /* not the program's */
    for (uint32_t i = 0; done && i < lines; i++)
        done = add_at(f, frame_of(f, m, p->lines[i].function, &p->lines[i]), &p->lines[i]);
    if (done && lines == 0)
        done = add_at(f, module_frame(f, m), NULL);
    if (!done)
        f->at.count = first;
    else
        f->by_place.items[place] = (uint64_t)first << 8 | (f->at.count - first);
    return done;
}

/* The functions at a place, innermost first. Valid until the next call. NULL: no
 * memory. */
static const struct frame_at *frames_of(struct frames *f, uint32_t place, uint32_t *out_count)
{
    assert(place < f->stacks->place_count);
    while (f->by_place.count <= place) {
        uint64_t *next = VEC_PUSH(&f->by_place);
        if (!next)
            return NULL;
        *next = UINT64_MAX;
    }
    if (f->by_place.items[place] == UINT64_MAX && !look_at(f, place))
        return NULL;
    uint64_t entry = f->by_place.items[place];
    *out_count = entry & 0xff;
    return f->at.items + (entry >> 8);
}

static int list_unknown(struct frames *f, struct frame_list *out)
{
    uint32_t frame = frame_of(f, NULL, MODEL_STR("[unknown]"), NULL);
    struct frame_at *at = frame == FRAMES_NONE ? NULL : VEC_PUSH(&out->items);
    if (!at)
        return ORIEL_ENOMEM;
    *at = (struct frame_at){.frame = frame, .file = MODEL_STR("")};
    return 0;
}

int frames_list(struct frames *f, uint32_t stack, struct frame_list *out)
{
    out->items.count = 0;
    const struct model_stack *node = model_stack(f->stacks, stack);
    if (!node)
        return list_unknown(f, out);
    for (; node; node = model_stack(f->stacks, node->parent)) {
        uint32_t count;
        const struct frame_at *at = frames_of(f, node->place, &count);
        for (uint32_t i = 0; at && i < count; i++) {
            if (out->items.count && at[i].frame == out->items.items[out->items.count - 1].frame &&
                is_folded(f->items.items[at[i].frame].module))
                continue;
            struct frame_at *next = VEC_PUSH(&out->items);
            if (!next)
                return ORIEL_ENOMEM;
            *next = at[i];
        }
        if (!at)
            return ORIEL_ENOMEM;
    }
    return 0;
}
