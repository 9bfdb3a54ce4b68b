/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Address spaces for readers: a process, a thread, a file is told when the first sample needs
 * it, with that sample's time. Every 4 GiB of a file's addresses that are used have a window of
 * their own, the same in all processes. Runs on one thread.
 */
#include <assert.h>
#include <string.h>

#include "export/perf/perfdata.h"

#define ANONYMOUS MODEL_STR("//anon") /* readers look for /tmp/perf-PID.map */

static void no_memory(struct perfdata *p)
{
    p->failed = p->failed ? p->failed : ORIEL_ENOMEM;
}

/* True for the first time. */
static bool is_new(struct perfdata *p, struct map *known, uint64_t key)
{
    if (map_get(known, key))
        return false;
    if (map_put(known, key, 1))
        return true;
    no_memory(p);
    return false;
}

static struct perfdata_who who_of(const struct perfdata *p, const struct model_thread *t,
                                  uint64_t t_ns)
{
    return (struct perfdata_who){.pid = p->env.catalog->processes[t->process]->pid,
                                 .tid = t->tid,
                                 .t_ns = t_ns,
                                 .cpu = UINT32_MAX};
}

static void tell_later(struct perfdata *p, struct perfdata_told told)
{
    struct perfdata_told *later = VEC_PUSH(&p->told);
    if (!later)
        no_memory(p);
    else
        *later = told;
}

/* ---- files ---- */

static uint64_t window_base(const struct perfdata *p, const struct perfdata_window *w)
{
    uint64_t nth = (uint64_t)(w - p->window.items);
    assert(nth < p->window.count);
    return PERFDATA_SPACE_START + (nth << PERFDATA_WINDOW_BITS);
}

/* The nth segment that the window needs. False: there are not so many. */
static bool segment_of(const struct perfdata *p, const struct perfdata_window *w, uint32_t nth,
                       struct model_segment *out)
{
    const uint64_t from = (uint64_t)w->high << PERFDATA_WINDOW_BITS;
    const bool used = w->low < w->end;
    const uint64_t low = used ? w->low : from, end = used ? w->end : from + 1;
    const struct model_module *m =
        w->module == UINT32_MAX ? NULL : p->env.catalog->stacks.modules[w->module];
    uint32_t found = 0;
    if (!p->settling) { /* as good as it gets, should the end never come */
        *out = (struct model_segment){from, from, UINT64_C(1) << PERFDATA_WINDOW_BITS};
        return nth == 0;
    }
    for (uint32_t i = 0; m && i < m->segment_count; i++) {
        const struct model_segment *s = &m->segments[i];
        if (s->address < end && s->address + s->bytes > low && found++ == nth) {
            *out = *s;
            return true;
        }
    }
    /* Not known: an address is an offset, as linkers that are not told otherwise do it. */
    *out = (struct model_segment){low, low, end - low};
    return found == 0 && nth == 0;
}

/* The mapping of that segment, page by page as a loader makes it. */
static bool mapping_of(const struct perfdata *p, const struct perfdata_window *w, uint32_t nth,
                       struct perfdata_mapping *out)
{
    const uint64_t from = (uint64_t)w->high << PERFDATA_WINDOW_BITS, room = UINT64_C(1)
                                                                            << PERFDATA_WINDOW_BITS;
    const struct model_module *m =
        w->module == UINT32_MAX ? NULL : p->env.catalog->stacks.modules[w->module];
    struct model_segment s;
    if (!segment_of(p, w, nth, &s))
        return false;
    uint64_t skipped = s.address < from ? from - s.address : 0;
    uint64_t low = s.address + skipped - from, offset = s.offset + skipped;
    uint64_t end = s.bytes - skipped > room - low ? room : low + s.bytes - skipped;
    uint64_t slack = low % PERFDATA_PAGE < offset ? low % PERFDATA_PAGE : offset;
    assert(skipped < s.bytes && low < end);
    *out = (struct perfdata_mapping){
        .start = window_base(p, w) + low - slack, .offset = offset - slack, .path = w->path};
    out->bytes = (end - low + slack + PERFDATA_PAGE - 1) / PERFDATA_PAGE * PERFDATA_PAGE;
    if (m && m->build_id_bytes && m->build_id_bytes <= PERFDATA_ID_MAX) {
        out->build_id = m->build_id;
        out->build_id_bytes = m->build_id_bytes;
    }
    return true;
}

static void tell_window(struct perfdata *p, const struct model_thread *t, uint64_t t_ns,
                        uint32_t window)
{
    struct perfdata_who who = who_of(p, t, t_ns);
    struct perfdata_mapping m;
    if (!is_new(p, &p->mapped, (uint64_t)t->process << 32 | window))
        return;
    who.tid = who.pid;
    tell_later(p, (struct perfdata_told){.at = p->env.out->bytes + p->buf.size - p->start,
                                         .t_ns = t_ns,
                                         .process = t->process,
                                         .what = window});
    if (mapping_of(p, &p->window.items[window], 0, &m))
        perfdata_put_mapping(&p->buf, &who, &m);
}

static uint32_t new_window(struct perfdata *p, uint32_t module, uint32_t high,
                           struct model_str path)
{
    const uint64_t room = (PERFDATA_SPACE_END - PERFDATA_SPACE_START) >> PERFDATA_WINDOW_BITS;
    if (p->window.count >= room)
        return UINT32_MAX;
    struct perfdata_window *w = VEC_PUSH(&p->window);
    if (!w) {
        no_memory(p);
        return UINT32_MAX;
    }
    *w = (struct perfdata_window){.module = module, .high = high, .path = path};
    w->low = UINT64_MAX;
    return (uint32_t)p->window.count - 1;
}

static uint32_t window_of(struct perfdata *p, const struct model_module *m, uint32_t high)
{
    uint64_t key = (uint64_t)m->index << 32 | high;
    const uint64_t *known = map_get(&p->windows, key);
    if (known)
        return (uint32_t)*known;
    uint32_t window = new_window(p, m->index, high, m->path);
    if (window != UINT32_MAX && !map_put(&p->windows, key, window))
        no_memory(p);
    return window;
}

/* ---- programs ---- */

static const struct model_module *module_of(const struct perfdata *p, struct model_str path)
{
    const struct model_stacks *s = &p->env.catalog->stacks;
    for (uint32_t i = 0; i < s->module_count; i++)
        if (s->modules[i]->kind == MODEL_MODULE_FILE && model_str_equal(s->modules[i]->path, path))
            return s->modules[i];
    return NULL;
}

/* The window that stands for a program, whether anything in it was sampled or not. */
static uint32_t program_window(struct perfdata *p, struct model_str path)
{
    uint32_t text = intern_add(&p->paths, path.p, path.n);
    if (text == UINT32_MAX) {
        no_memory(p);
        return UINT32_MAX;
    }
    const uint64_t *known = map_get(&p->programs, text);
    if (known)
        return (uint32_t)*known;
    const struct model_module *m = module_of(p, path);
    uint32_t window = m ? window_of(p, m, 0) : new_window(p, UINT32_MAX, 0, path);
    if (window != UINT32_MAX && !map_put(&p->programs, text, window))
        no_memory(p);
    return window;
}

/* ---- processes and threads ---- */

static struct model_str name_of(const struct perfdata *p, const struct model_thread *t)
{
    return t->name.n ? t->name : p->env.catalog->processes[t->process]->name;
}

static void tell_name(struct perfdata *p, const struct model_thread *t, uint64_t t_ns, bool exec)
{
    const struct perfdata_who who = who_of(p, t, t_ns);
    tell_later(p, (struct perfdata_told){.at = p->env.out->bytes + p->buf.size - p->start,
                                         .t_ns = t_ns,
                                         .process = t->process,
                                         .what = t->index,
                                         .thread = true,
                                         .exec = exec});
    perfdata_put_comm(&p->buf, &who, name_of(p, t), exec);
}

/* Which parent it has only some programs tell. */
static void tell_process(struct perfdata *p, const struct model_thread *first, uint64_t t_ns)
{
    const struct model_catalog *c = p->env.catalog;
    const struct model_process *process = c->processes[first->process];
    struct model_thread main = {.index = UINT32_MAX, .process = first->process};
    struct perfdata_who who = {process->pid, process->pid, t_ns, UINT32_MAX};
    const struct model_thread *told = model_catalog_find_thread(c, process->index, process->pid);
    main.tid = process->pid;
    if (process->ppid > 0 && model_catalog_find_process(c, process->ppid))
        perfdata_put_life(&p->buf, PERFDATA_FORK, &who, process->ppid, process->ppid);
    told = first->tid == process->pid ? first : told;
    if (told) {
        (void)is_new(p, &p->threads, told->index);
        tell_name(p, told, t_ns, true);
        if (!map_put(&p->tids, (uint64_t)(uint32_t)who.pid << 32 | (uint32_t)told->tid, 1))
            no_memory(p);
    } else {
        perfdata_put_comm(&p->buf, &who, process->name, true);
    }
    if (process->exe.n && process->exe.p[0] == '/') {
        uint32_t window = program_window(p, process->exe);
        if (window != UINT32_MAX)
            tell_window(p, told ? told : &main, t_ns, window);
    }
}

void perfdata_introduce(struct perfdata *p, const struct model_thread *t, uint64_t t_ns)
{
    assert(t->process < p->env.catalog->process_count);
    if (map_get(&p->threads, t->index))
        return;
    struct perfdata_who who = who_of(p, t, t_ns);
    if (is_new(p, &p->processes, t->process))
        tell_process(p, t, t_ns);
    if (!is_new(p, &p->threads, t->index))
        return;
    /* A number that comes again is another thread's: the one before has ended. */
    if (!is_new(p, &p->tids, (uint64_t)(uint32_t)who.pid << 32 | (uint32_t)t->tid)) {
        perfdata_put_life(&p->buf, PERFDATA_EXIT, &who, who.pid, who.pid);
        perfdata_put_life(&p->buf, PERFDATA_FORK, &who, who.pid, who.pid);
    }
    tell_name(p, t, t_ns, false);
}

/* ---- addresses ---- */

static bool is_plain(uint64_t address)
{
    return address && address < PERFDATA_USER_END &&
           (address < PERFDATA_SPACE_START || address >= PERFDATA_SPACE_END);
}

static bool address_in_file(struct perfdata *p, const struct model_thread *t, uint64_t t_ns,
                            const struct model_module *m, uint64_t address, uint64_t *out)
{
    /* Imported names have numbers in place of addresses, far above all of these. */
    if (!m->path.n || address >= PERFDATA_USER_END)
        return false;
    uint32_t window = window_of(p, m, (uint32_t)(address >> PERFDATA_WINDOW_BITS));
    if (window == UINT32_MAX)
        return false;
    struct perfdata_window *w = &p->window.items[window];
    w->low = address < w->low ? address : w->low;
    w->end = address >= w->end ? address + 1 : w->end;
    tell_window(p, t, t_ns, window);
    *out = window_base(p, w) + (uint32_t)address;
    return true;
}

static void tell_piece(struct perfdata *p, const struct model_thread *t, uint64_t t_ns,
                       uint64_t address)
{
    uint64_t piece = address >> PERFDATA_JIT_SHIFT;
    struct perfdata_who who = who_of(p, t, t_ns);
    const struct perfdata_mapping m = {.start = piece << PERFDATA_JIT_SHIFT,
                                       .bytes = UINT64_C(1) << PERFDATA_JIT_SHIFT,
                                       .path = ANONYMOUS};
    if (!is_new(p, &p->pieces, (uint64_t)t->process << 32 | piece))
        return;
    who.tid = who.pid;
    perfdata_put_mapping(&p->buf, &who, &m);
}

static uint64_t text_of_kernel(const struct model_module *m)
{
    return m->segment_count ? m->segments[0].address : 0;
}

static void tell_kernel(struct perfdata *p, uint64_t t_ns, const struct model_module *m)
{
    if (p->kernel_at)
        return;
    p->kernel_at = p->env.out->bytes + p->buf.size - p->start;
    p->kernel_ns = t_ns;
    p->kernel = m->index;
    perfdata_put_kernel(&p->buf, t_ns, text_of_kernel(m));
}

/* Readers take the first address of a part for where the thread was, and all others for where
 * calls return to, one behind the call. */
static uint64_t as_read(const struct model_place *place, bool first)
{
    const uint64_t address = place->address;
    if (first && place->caller && address & UINT32_MAX)
        return address - 1;
    if (!first && !place->caller && (address & UINT32_MAX) != UINT32_MAX)
        return address + 1;
    return address;
}

bool perfdata_address(struct perfdata *p, const struct model_thread *t, uint64_t t_ns,
                      const struct model_place *place, bool first, uint64_t *out)
{
    const struct model_module *m = p->env.catalog->stacks.modules[place->module];
    uint64_t address = as_read(place, first);
    switch (m->kind) {
    case MODEL_MODULE_KERNEL:
        /* The last page's worth of numbers are markers. */
        if (address < PERFDATA_KERNEL_START || address >= UINT64_MAX - PERFDATA_PAGE)
            return false;
        tell_kernel(p, t_ns, m);
        break;
    case MODEL_MODULE_JIT:
        if (!is_plain(address))
            return false;
        tell_piece(p, t, t_ns, address);
        break;
    case MODEL_MODULE_UNKNOWN:
        if (!is_plain(address))
            return false;
        break;
    default:
        if (!address_in_file(p, t, t_ns, m, address, &address))
            return false;
    }
    *out = address;
    return true;
}

/* ---- at the end ---- */

static void write_at(struct perfdata *p, uint64_t at, const struct buf *b)
{
    if (b->failed)
        no_memory(p);
    else if (!p->failed)
        p->failed = out_write_at(p->env.out, p->start + at, b->data, b->size);
}

static void write_again(struct perfdata *p, const struct perfdata_told *told, struct buf *b)
{
    const struct model_catalog *c = p->env.catalog;
    struct perfdata_who who = {c->processes[told->process]->pid, c->processes[told->process]->pid,
                               told->t_ns, UINT32_MAX};
    struct perfdata_mapping m;
    buf_clear(b);
    if (told->thread) {
        who.tid = c->threads[told->what]->tid;
        perfdata_put_comm(b, &who, name_of(p, c->threads[told->what]), told->exec);
    } else if (mapping_of(p, &p->window.items[told->what], 0, &m)) {
        perfdata_put_mapping(b, &who, &m);
        for (uint32_t nth = 1; mapping_of(p, &p->window.items[told->what], nth, &m); nth++)
            perfdata_put_mapping(&p->buf, &who, &m);
    }
    write_at(p, told->at, b);
}

void perfdata_settle(struct perfdata *p)
{
    struct buf b;
    buf_init(&b);
    assert(p->buf.size == 0); /* all of them are in the file */
    p->settling = true;
    for (size_t i = 0; i < p->told.count && !p->failed; i++)
        write_again(p, &p->told.items[i], &b);
    if (p->kernel_at) {
        buf_clear(&b);
        perfdata_put_kernel(&b, p->kernel_ns,
                            text_of_kernel(p->env.catalog->stacks.modules[p->kernel]));
        write_at(p, p->kernel_at, &b);
    }
    buf_done(&b);
}
