/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Address spaces. A mapped file is opened when it is first mapped, through the
 * root of the process, because a moment later it may be gone. Its table of rows
 * is compiled once several walks have met it; until then rows are made one by
 * one, so a program that is sampled little costs little.
 */
#include "source/perf/space.h"

#include <assert.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/os.h"

enum {
    COMPILE_AFTER = 64, /* walks */
    PATH_BYTES = 4200
};

void spaces_init(struct spaces *s, struct model_catalog *catalog)
{
    memset(s, 0, sizeof *s);
    s->catalog = catalog;
    s->kernel = s->unknown = UINT32_MAX;
}

static void free_space(struct space *p)
{
    unwind_modules_done(&p->modules);
    mem_free(p);
}

void spaces_done(struct spaces *s)
{
    size_t at = 0;
    uint64_t key, value;
    while (map_next(&s->by_pid, &at, &key, &value))
        free_space((struct space *)(uintptr_t)value);
    for (size_t i = 0; i < s->files.count; i++)
        unwind_file_unref(s->files.items[i].file);
    VEC_DONE(&s->files);
    deep_stacks_done(&s->deep);
    map_done(&s->by_pid);
    map_done(&s->file_by_key);
    memset(s, 0, sizeof *s);
}

/* ---- processes ---- */

static struct space *find(struct spaces *s, int32_t pid)
{
    if (s->last && s->last->pid == pid)
        return s->last;
    const uint64_t *at = map_get(&s->by_pid, (uint32_t)pid);
    return at ? (s->last = (struct space *)(uintptr_t)*at) : NULL;
}

static struct space *find_or_make(struct spaces *s, int32_t pid)
{
    struct space *p = find(s, pid);
    if (p)
        return p;
    p = mem_calloc(1, sizeof *p);
    if (!p || unwind_modules_init(&p->modules, UNWIND_ARCH_HERE) < 0) {
        mem_free(p);
        return NULL;
    }
    p->pid = pid;
    if (!map_put(&s->by_pid, (uint32_t)pid, (uintptr_t)p)) {
        free_space(p);
        return NULL;
    }
    return s->last = p;
}

static void forget(struct spaces *s, int32_t pid)
{
    struct space *p = find(s, pid);
    if (!p)
        return;
    (void)map_remove(&s->by_pid, (uint32_t)pid);
    if (s->last == p)
        s->last = NULL;
    s->before.of = NULL;
    free_space(p);
}

/* A child begins with the mappings of its parent. */
static void copy_space(struct spaces *s, int32_t from, int32_t to)
{
    forget(s, to);
    const struct space *parent = find(s, from);
    struct space *child = parent ? find_or_make(s, to) : NULL;
    if (!child)
        return;
    child->failed = parent->failed;
    for (size_t i = 0; i < parent->modules.list.count; i++) {
        const struct unwind_module *m = &parent->modules.list.items[i];
        struct unwind_file *file = parent->modules.files.items[i];
        /* The bias is known; the offset only has to give the same one. */
        uint64_t offset = 0;
        for (uint32_t k = 0; file && k < unwind_file_elf(file)->segment_count; k++) {
            const struct unwind_segment *g = &unwind_file_elf(file)->segments[k];
            if (m->start - m->bias >= g->va && m->start - m->bias < g->va + g->memory_size)
                offset = m->start - m->bias - g->va + g->offset;
        }
        if (unwind_modules_map(&child->modules, m, offset, file) < 0)
            child->failed = true;
    }
}

/* ---- files ---- */

/* Bytes of an object file that somebody else opened. */
struct object {
    const uint8_t *bytes;
    size_t size;
};

static bool read_object(void *context, uint64_t offset, void *out, size_t n)
{
    const struct object *o = context;
    if (offset > o->size || n > o->size - offset)
        return false;
    memcpy(out, o->bytes + offset, n);
    return true;
}

static struct unwind_file *open_past(const struct source_bytes *past, const char *path)
{
    struct object o;
    const void *bytes;
    struct unwind_file *f = NULL;
    if (!past->object || !past->object(past->ctx, path, &bytes, &o.size))
        return NULL;
    o.bytes = bytes;
    return unwind_file_read(read_object, &o, &f) == 0 ? f : NULL;
}

static struct unwind_file *open_file(const struct spaces *s, int32_t pid, const char *path)
{
    char through[PATH_BYTES];
    struct unwind_file *f = NULL;
    if (strcmp(path, "[vdso]") == 0)
        return unwind_file_vdso(&f) == 0 ? f : NULL;
    if (s->past)
        return open_past(s->past, path);
    int n = snprintf(through, sizeof through, "/proc/%d/root%s", pid, path);
    if (n > 0 && (size_t)n < sizeof through && unwind_file_open(through, &f) == 0)
        return f;
    /* The process is gone already. */
    return unwind_file_open(path, &f) == 0 ? f : NULL;
}

static uint8_t module_kind(const char *path)
{
    if (strcmp(path, "[vdso]") == 0)
        return MODEL_MODULE_VDSO;
    return path[0] == '/' && strncmp(path, "//anon", 6) != 0 && strncmp(path, "/memfd:", 7) != 0
               ? MODEL_MODULE_FILE
               : MODEL_MODULE_JIT;
}

/* The index of a mapped file in files; UINT32_MAX: no memory. */
static uint32_t file_of(struct spaces *s, const struct perf_record *r)
{
    const char *path = r->u.map.path;
    struct model_module like = {.kind = module_kind(path),
                                .process = UINT32_MAX,
                                .build_id_bytes = r->u.map.build_id_bytes,
                                .path = {path, (uint32_t)strlen(path)}};
    memcpy(like.build_id, r->u.map.build_id, sizeof r->u.map.build_id);
    if (like.kind == MODEL_MODULE_JIT) {
        const struct model_process *p = model_catalog_find_process(s->catalog, r->pid);
        like.process = p ? p->index : UINT32_MAX;
        like.build_id_bytes = 0;
        like.path = MODEL_STR("[jit]");
    }
    struct model_module *m = model_stacks_module(&s->catalog->stacks, &like);
    uint64_t *at = m ? map_put(&s->file_by_key, m->index, s->files.count) : NULL;
    if (!at)
        return UINT32_MAX;
    if (*at < s->files.count)
        return (uint32_t)*at;
    struct space_file *f = VEC_PUSH(&s->files);
    if (!f) {
        (void)map_remove(&s->file_by_key, m->index);
        return UINT32_MAX;
    }
    f->module = m;
    if (m->kind != MODEL_MODULE_JIT)
        f->file = open_file(s, r->pid, path);
    return (uint32_t)*at;
}

static void mapped(struct spaces *s, const struct perf_record *r)
{
    s->before.of = NULL; /* the same addresses may be other places now */
    if (!(r->u.map.prot & PROT_EXEC))
        return;
    struct space *p = find_or_make(s, r->pid);
    uint32_t file = p ? file_of(s, r) : UINT32_MAX;
    if (file == UINT32_MAX) {
        if (p)
            p->failed = true;
        return;
    }
    struct unwind_module range = {.start = r->u.map.start,
                                  .end = r->u.map.start + r->u.map.bytes,
                                  .bias = r->u.map.start - r->u.map.offset,
                                  .id = file};
    struct unwind_file *f = s->files.items[file].file;
    if (unwind_modules_map(&p->modules, &range, r->u.map.offset, f) < 0 &&
        unwind_modules_map(&p->modules, &range, 0, NULL) < 0)
        p->failed = true;
}

/* "start-end prot offset device inode   path"; false: not such a line. */
static bool parse_map(char *line, struct perf_record *out)
{
    char *at = line;
    uint64_t start = strtoull(at, &at, 16);
    if (*at != '-')
        return false;
    uint64_t end = strtoull(at + 1, &at, 16);
    const char *prot = at + 1;
    if (*at != ' ' || strlen(prot) < 5 || end <= start)
        return false;
    out->u.map.prot = prot[2] == 'x' ? PROT_EXEC : 0;
    out->u.map.offset = strtoull(prot + 4, &at, 16);
    for (int field = 0; field < 2; field++) { /* device, inode */
        at += strspn(at, " ");
        at += strcspn(at, " \n");
    }
    at += strspn(at, " ");
    at[strcspn(at, "\n")] = 0;
    out->u.map.start = start;
    out->u.map.bytes = end - start;
    out->u.map.path = at;
    return true;
}

int spaces_read(struct spaces *s, int32_t pid)
{
    char line[PATH_BYTES + 128], path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return ORIEL_ENOTFOUND;
    while (fgets(line, sizeof line, maps)) {
        struct perf_record r = {.pid = pid};
        if (parse_map(line, &r))
            mapped(s, &r);
    }
    fclose(maps);
    return 0;
}

void spaces_record(struct spaces *s, const struct perf_record *r)
{
    switch (r->type) {
    case PERF_RECORD_MMAP2:
        mapped(s, r);
        break;
    case PERF_RECORD_COMM:
        if (r->u.comm.exec)
            forget(s, r->pid);
        break;
    case PERF_RECORD_FORK:
        if (r->pid != r->u.life.parent_pid)
            copy_space(s, r->u.life.parent_pid, r->pid);
        break;
    case PERF_RECORD_EXIT:
        deep_stacks_forget(&s->deep, r->tid);
        if (r->pid == r->tid)
            forget(s, r->pid);
        break;
    default:
        break;
    }
}

/* ---- walks ---- */

/* Compile what is met often. */
static void count_hits(struct spaces *s, struct space *p, const uint64_t *pcs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct unwind_module *m = unwind_space_find(&p->modules.space, pcs[i]);
        struct space_file *f = m && m->id < s->files.count ? &s->files.items[m->id] : NULL;
        if (f && f->file && f->hits <= COMPILE_AFTER && ++f->hits == COMPILE_AFTER)
            (void)unwind_modules_compile(&p->modules, pcs[i]);
    }
}

static struct unwind_result walk(struct spaces *s, struct space *p, const struct perf_user *u,
                                 const struct unwind_memory *memory)
{
    struct unwind_regs regs = {.arch = UNWIND_ARCH_HERE};
    const unsigned pc = unwind_pc_reg(regs.arch), sp = unwind_sp_reg(regs.arch),
                   fp = unwind_fp_reg(regs.arch);
    regs.r[pc] = u->ip;
    regs.r[sp] = u->sp;
    regs.r[fp] = u->fp;
    regs.known = UINT64_C(1) << pc | UINT64_C(1) << sp | UINT64_C(1) << fp;
    if (regs.arch == UNWIND_AARCH64) {
        regs.r[UNWIND_ARM_LR] = u->lr;
        regs.known |= UINT64_C(1) << UNWIND_ARM_LR;
    }
    struct unwind_result r =
        unwind_walk(&p->modules.space, memory, &regs, s->pcs, SPACE_FRAMES_MAX);
    s->counts.walks++;
    s->counts.frames += r.count;
    s->counts.ends[r.end]++;
    s->counts.last = r.end;
    count_hits(s, p, s->pcs, r.count);
    return r;
}

/* Over the copy of the stack, and what lies below it in the process. */
static struct unwind_result walk_copy(struct spaces *s, struct space *p, const struct perf_user *u,
                                      int32_t pid, int32_t tid)
{
    struct deeper deeper;
    deeper_init(&deeper, &s->deep, u, pid, tid);
    const struct unwind_memory memory = {.stack = u->stack,
                                         .stack_start = u->sp,
                                         .stack_size = u->stack_bytes,
                                         .read = s->past ? NULL : deeper_read,
                                         .context = &deeper};
    struct unwind_result r = walk(s, p, u, &memory);
    s->counts.deep += deeper.asked;
    s->counts.read_live += deeper.used;
    return r;
}

/* ---- places ---- */

static uint32_t special_module(struct spaces *s, uint8_t kind, struct model_str path, uint32_t *at)
{
    struct model_module like = {.kind = kind, .process = UINT32_MAX, .path = path};
    if (*at == UINT32_MAX) {
        struct model_module *m = model_stacks_module(&s->catalog->stacks, &like);
        *at = m ? m->index : UINT32_MAX;
    }
    return *at;
}

static uint32_t add_place(struct spaces *s, uint32_t parent, uint32_t module, uint64_t address,
                          bool caller)
{
    struct model_place *place =
        module == UINT32_MAX ? NULL
                             : model_stacks_place(&s->catalog->stacks, module, address, caller);
    uint32_t node = place ? model_stacks_node(&s->catalog->stacks, parent, place->index) : 0;
    return node ? node : parent; /* without memory: the rest of the stack */
}

static uint32_t add_user(struct spaces *s, uint32_t parent, struct space *p, uint64_t pc,
                         bool caller)
{
    const struct unwind_module *m =
        p ? unwind_space_find(&p->modules.space, caller ? pc - 1 : pc) : NULL;
    if (!m || m->id >= s->files.count)
        return add_place(
            s, parent, special_module(s, MODEL_MODULE_UNKNOWN, MODEL_STR("[unknown]"), &s->unknown),
            pc, caller);
    const struct space_file *f = &s->files.items[m->id];
    uint64_t address = f->module->kind == MODEL_MODULE_JIT ? pc : pc - m->bias;
    return add_place(s, parent, f->module->index, address, caller);
}

/* A chain is runs of addresses, innermost first, each behind a marker that says
 * whose they are. */
enum chain_part { CHAIN_KERNEL, CHAIN_USER, CHAIN_OTHER };
static enum chain_part chain_part(uint64_t marker)
{
    return marker == (uint64_t)PERF_CONTEXT_USER     ? CHAIN_USER
           : marker == (uint64_t)PERF_CONTEXT_KERNEL ? CHAIN_KERNEL
                                                     : CHAIN_OTHER;
}

static uint64_t chain_at(const struct perf_record *r, uint64_t i)
{
    uint64_t pc;
    memcpy(&pc, (const uint8_t *)r->u.sample.chain + i * sizeof pc, sizeof pc);
    return pc;
}

/* One part of the chain on top of `parent`. */
static uint32_t add_chain(struct spaces *s, uint32_t parent, struct space *p,
                          const struct perf_record *r, enum chain_part wanted)
{
    uint64_t count = r->u.sample.chain_count;
    for (uint64_t i = count; i-- > 0;) {
        uint64_t pc = chain_at(r, i), first = i;
        if (pc >= (uint64_t)PERF_CONTEXT_MAX)
            continue;
        /* Back to the marker of its run. */
        while (first > 0 && chain_at(r, first - 1) < (uint64_t)PERF_CONTEXT_MAX)
            first--;
        enum chain_part part = first > 0 ? chain_part(chain_at(r, first - 1)) : CHAIN_KERNEL;
        if (part != wanted) {
            i = first;
            continue;
        }
        for (uint64_t k = i + 1; k-- > first;) {
            pc = chain_at(r, k);
            if (part == CHAIN_USER)
                parent = add_user(s, parent, p, pc, k > first);
            else
                parent = add_place(
                    s, parent,
                    special_module(s, MODEL_MODULE_KERNEL, MODEL_STR("[kernel]"), &s->kernel), pc,
                    k > first);
        }
        i = first;
    }
    return parent;
}

static bool is_caller(uint32_t i, uint32_t interrupted)
{
    return i > 0 && i != interrupted;
}

/* How many frames from the start on are those of the walk before, whose places are
 * found already. */
static uint32_t same_as_before(const struct spaces *s, const struct space *p,
                               const struct unwind_result *w)
{
    const struct space_stack *b = &s->before;
    uint32_t same = 0;
    while (b->of == p && same < b->count && same < w->count) {
        uint32_t i = w->count - 1 - same, k = b->count - 1 - same;
        if (s->pcs[i] != b->pcs[k] || is_caller(i, w->interrupted) != is_caller(k, b->interrupted))
            break;
        same++;
    }
    return same;
}

static uint32_t add_walked(struct spaces *s, struct space *p, const struct unwind_result *w)
{
    struct space_stack *b = &s->before;
    uint32_t same = same_as_before(s, p, w), fresh = w->count - same;
    assert(same <= b->count && w->count <= SPACE_FRAMES_MAX);
    memmove(b->nodes + fresh, b->nodes + (b->count - same), same * sizeof *b->nodes);
    memcpy(b->pcs, s->pcs, w->count * sizeof *b->pcs);
    b->of = p;
    b->count = w->count;
    b->interrupted = w->interrupted;
    uint32_t node = same ? b->nodes[fresh] : 0;
    for (uint32_t i = fresh; i-- > 0;)
        b->nodes[i] = node = add_user(s, node, p, s->pcs[i], is_caller(i, w->interrupted));
    return node;
}

/* A thread's stack has one start; a signal's may be another one. */
static uint64_t depth_of(const struct unwind_result *w, uint64_t sp)
{
    bool whole = unwind_end_is_complete(w->end) && w->interrupted == 0;
    return whole && w->sp > sp ? w->sp - sp : 0;
}

/* Without a chain: only where it was. */
static uint32_t add_ip(struct spaces *s, struct space *p, const struct perf_record *r)
{
    switch (r->misc & PERF_RECORD_MISC_CPUMODE_MASK) {
    case PERF_RECORD_MISC_KERNEL:
        return add_place(s, 0,
                         special_module(s, MODEL_MODULE_KERNEL, MODEL_STR("[kernel]"), &s->kernel),
                         r->u.sample.ip, false);
    case PERF_RECORD_MISC_USER:
        return add_user(s, 0, p, r->u.sample.ip, false);
    default:
        return 0;
    }
}

uint32_t spaces_stack(struct spaces *s, const struct perf_record *r, uint64_t *out_depth)
{
    assert(r->type == PERF_RECORD_SAMPLE);
    const struct perf_user *u = &r->u.sample.user;
    struct space *p = find(s, r->pid);
    uint32_t node = 0;
    uint64_t depth = 0;
    if (p && u->has_regs) {
        struct unwind_result w = walk_copy(s, p, u, r->pid, r->tid);
        node = add_walked(s, p, &w);
        depth = depth_of(&w, u->sp);
    } else {
        node = add_chain(s, 0, p, r, CHAIN_USER);
    }
    if (out_depth)
        *out_depth = depth;
    node = add_chain(s, node, p, r, CHAIN_KERNEL);
    return node ? node : add_ip(s, p, r);
}

uint32_t spaces_stack_still(struct spaces *s, int32_t pid, uint64_t pc, uint64_t sp)
{
    struct space *p = find(s, pid);
    struct unwind_peek peek = {.pid = pid};
    const struct perf_user user = {.ip = pc, .sp = sp};
    const struct unwind_memory memory = {.read = unwind_peek_read, .context = &peek};
    if (!p)
        return 0;
    struct unwind_result w = walk(s, p, &user, &memory);
    return add_walked(s, p, &w);
}

uint32_t spaces_stack_named(struct spaces *s, const char *name)
{
    uint32_t module = UINT32_MAX;
    struct model_str path = {name, (uint32_t)strlen(name)};
    return add_place(s, 0, special_module(s, MODEL_MODULE_UNKNOWN, path, &module), 0, false);
}

uint32_t spaces_stack_on(struct spaces *s, uint32_t parent, const struct perf_record *sample)
{
    return add_chain(s, parent, NULL, sample, CHAIN_KERNEL);
}

bool spaces_knows(struct spaces *s, int32_t pid)
{
    return find(s, pid) != NULL;
}
