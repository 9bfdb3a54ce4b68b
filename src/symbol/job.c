/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One job: group the asked addresses by unit, read each touched unit once, and
 * write what was found around each address as segments, so that the next
 * question for the same function needs no reading. Opens nothing; one thread.
 */
#include "symbol/job.h"

#include <assert.h>
#include <stdio.h>

#include "symbol/demangle.h"
#include "symbol/module.h"
#include "symbol/sort.h"

#define NONE UINT32_MAX

/* A unit while its addresses are answered. */
struct work {
    struct module *m;
    struct dw_unit *unit;
    struct asked asked;
    struct tree tree;
    struct dw_line line;
    bool thorough;
    uint32_t *files;       /* file number to string of the table; NONE not yet */
    uint32_t *nodes;       /* tree node to table node, if ... */
    uint32_t *generations; /* ... of this generation: one function under one symbol */
    uint32_t generation;
    size_t node_room, symbol; /* the symbol that names the function */
    const struct dw_row *row; /* near the last one used */
};

/* The half-open range for which one answer holds. */
struct window {
    uint64_t lo, hi;
};

/* A forged size may cover half the address space: look no further than needed. */
static void narrow(struct window *in, uint64_t addr)
{
    const uint64_t reach = UINT64_C(1) << 28;
    if (addr > reach && in->lo < addr - reach)
        in->lo = addr - reach;
    if (in->hi - addr > reach)
        in->hi = addr + reach;
}

static uint32_t add_string(struct module *m, const char *s)
{
    return s && *s ? intern_add(&m->maker.strings, s, strlen(s)) : 0;
}

/* A readable name for a linkage name; `plain` when it is not mangled. */
static uint32_t add_readable(struct module *m, const char *linkage, uint32_t plain)
{
    buf_clear(&m->text);
    if (linkage && demangle(linkage, &m->text))
        return intern_add(&m->maker.strings, m->text.data, m->text.size);
    return plain;
}

/* Names of the entry that `entry` stands for; kept, as inlined ones repeat. */
static const struct known_name *entry_name(struct module *m, struct dw_unit *u, uint64_t entry)
{
    struct tree_name name;
    uint64_t key = tree_origin(u, entry, &u, &entry);
    uint64_t *index = map_put(&m->name_index, key, m->known_names.count);
    if (!index)
        return NULL;
    if (*index < m->known_names.count)
        return &m->known_names.items[*index];
    tree_name(u, entry, &name);
    const char *linkage = name.linkage ? name.linkage : name.name;
    struct known_name *known = VEC_PUSH(&m->known_names);
    if (!known)
        return NULL;
    known->linkage = add_string(m, linkage);
    known->name = add_readable(m, linkage, add_string(m, name.name ? name.name : linkage));
    known->line = name.line;
    return known;
}

/* The symbol's name, "@plt" included, as linkage and readable name of a node. */
static void name_by_symbol(struct module *m, size_t symbol, struct table_node *node)
{
    const struct elf_symbol *s = &m->symbols.items[symbol];
    uint32_t plain = add_string(m, s->name);
    node->linkage = plain;
    node->name = add_readable(m, s->name, plain);
    const char *at = strchr(s->name, '@');
    if (node->name == plain && at) /* a version is no part of the readable name */
        node->name = intern_add(&m->maker.strings, s->name, (size_t)(at - s->name));
    if (!s->plt)
        return;
    struct intern_str linkage = intern_get(&m->maker.strings, plain);
    struct intern_str name = intern_get(&m->maker.strings, node->name);
    buf_clear(&m->text);
    buf_put(&m->text, linkage.p, linkage.n);
    buf_puts(&m->text, "@plt");
    node->linkage = intern_add(&m->maker.strings, m->text.data, m->text.size);
    buf_clear(&m->text);
    buf_put(&m->text, name.p, name.n);
    buf_puts(&m->text, "@plt");
    node->name = intern_add(&m->maker.strings, m->text.data, m->text.size);
}

/* A node without debug information. NONE: out of memory. */
static uint32_t symbol_node(struct module *m, size_t symbol)
{
    struct table_node *node = VEC_PUSH(&m->maker.nodes);
    if (!node)
        return NONE;
    node->parent = TABLE_NONE;
    name_by_symbol(m, symbol, node);
    return (uint32_t)(m->maker.nodes.count - 1);
}

/* A node for a function that only has a beginning. */
static uint32_t start_node(struct module *m, uint64_t start)
{
    char name[32];
    struct table_node *node = VEC_PUSH(&m->maker.nodes);
    if (!node)
        return NONE;
    snprintf(name, sizeof name, "+0x%llx", (unsigned long long)start);
    *node = (struct table_node){
        .parent = TABLE_NONE, .name = add_string(m, name), .flags = TABLE_NODE_START};
    return (uint32_t)(m->maker.nodes.count - 1);
}

static uint32_t file_string(struct work *w, uint64_t file)
{
    char path[4096];
    if (file > w->line.files.count)
        return 0;
    if (w->files[file] == NONE) {
        size_t n = dw_line_path(&w->line, file, path, sizeof path);
        w->files[file] = n ? intern_add(&w->m->maker.strings, path, n) : 0;
    }
    return w->files[file];
}

/* The table's node for a tree node, parents first. */
static uint32_t emit_node(struct work *w, uint32_t index)
{
    uint32_t chain[512], depth = 0, parent = TABLE_NONE;
    for (; index != NONE && w->generations[index] != w->generation; depth++) {
        if (depth == sizeof chain / sizeof *chain)
            return NONE;
        chain[depth] = index;
        index = w->tree.nodes.items[index].parent;
    }
    if (index != NONE)
        parent = w->nodes[index];
    while (depth > 0) {
        const struct tree_node *from = &w->tree.nodes.items[chain[--depth]];
        const struct known_name *known = entry_name(w->m, w->tree.unit, from->entry);
        struct table_node *node = known ? VEC_PUSH(&w->m->maker.nodes) : NULL;
        if (!node)
            return NONE;
        *node = (struct table_node){.parent = parent,
                                    .name = known->name,
                                    .linkage = known->linkage,
                                    .start_line = known->line,
                                    .flags = TABLE_NODE_DWARF};
        if (from->parent != NONE) {
            node->flags |= TABLE_NODE_INLINED;
            node->call_file = file_string(w, from->call_file);
            node->call_line = from->call_line;
            node->call_column = from->call_column;
        } else if (w->symbol != SIZE_MAX) {
            name_by_symbol(w->m, w->symbol, node);
        }
        parent = (uint32_t)(w->m->maker.nodes.count - 1);
        w->nodes[chain[depth]] = parent;
        w->generations[chain[depth]] = w->generation;
    }
    return parent;
}

/* The row of an address, sought from the last one on; and where the next begins. */
static const struct dw_row *row_at(struct work *w, uint64_t addr, uint64_t *out_next)
{
    const struct dw_row *row = w->row;
    enum { NEAR = 16 };
    if (row && row->addr <= addr)
        for (int i = 0; i < NEAR && !row[1].end && row[1].addr <= addr; i++)
            row++;
    if (!row || row->addr > addr || row[1].addr <= addr)
        row = dw_line_find(&w->line, addr);
    w->row = row;
    *out_next = row ? row[1].addr : dw_line_next(&w->line, addr);
    return row;
}

/* Write lines of one stretch in which the node stays the same. */
static int emit_lines(struct work *w, uint64_t lo, uint64_t hi, uint32_t node)
{
    int rc = 0;
    while (lo < hi && rc == 0) {
        uint64_t next;
        const struct dw_row *row = row_at(w, lo, &next);
        assert(!row || next > lo);
        struct table_segment s = {.node = node};
        if (row) {
            s.file = file_string(w, row->file);
            s.line = row->line;
            s.column = row->column;
        } else if (w->symbol != SIZE_MAX && w->m->maker.nodes.items[node].parent == TABLE_NONE) {
            s.file = add_string(w->m, w->m->symbols.items[w->symbol].file);
        }
        uint64_t end = next < hi ? next : hi;
        rc = table_maker_add(&w->m->maker, lo, end, &s);
        lo = end;
    }
    return rc;
}

static int emit_function(struct work *w, uint32_t function, struct window in)
{
    struct tree_function *f = &w->tree.functions.items[function];
    int rc = tree_flatten(&w->tree, f);
    w->generation++;
    size_t lo = f->first_slot, end = lo + f->slot_count, hi = end;
    while (lo < hi && rc == 0) { /* the first slot that ends behind in.lo */
        size_t mid = lo + (hi - lo) / 2;
        if (w->tree.slots.items[mid].hi <= in.lo)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < end && rc == 0; lo++) {
        struct tree_slot slot = w->tree.slots.items[lo];
        if (slot.lo >= in.hi)
            break;
        uint32_t node = emit_node(w, slot.node);
        if (node == NONE)
            return ORIEL_ENOMEM;
        rc = emit_lines(w, slot.lo > in.lo ? slot.lo : in.lo, slot.hi < in.hi ? slot.hi : in.hi,
                        node);
    }
    return rc;
}

/* An address of a unit, but of none of its functions: assembler, mostly. */
static int emit_row(struct work *w, uint64_t addr, struct window *in)
{
    uint64_t next;
    const struct dw_row *row = row_at(w, addr, &next);
    if (row) {
        in->lo = row->addr > in->lo ? row->addr : in->lo;
        in->hi = next < in->hi ? next : in->hi;
    } else {
        *in = (struct window){addr, addr + 1};
    }
    struct table_segment s = {.node = TABLE_NONE};
    if (w->symbol != SIZE_MAX && (s.node = symbol_node(w->m, w->symbol)) == NONE)
        return ORIEL_ENOMEM;
    if (row) {
        s.file = file_string(w, row->file);
        s.line = row->line;
        s.column = row->column;
    } else if (w->symbol != SIZE_MAX) {
        s.file = add_string(w->m, w->m->symbols.items[w->symbol].file);
    }
    return table_maker_add(&w->m->maker, in->lo, in->hi, &s);
}

static int make_room(struct work *w)
{
    size_t n = w->tree.nodes.count + 1;
    mem_free(w->nodes);
    mem_free(w->generations);
    w->nodes = mem_calloc(n, sizeof *w->nodes);
    w->generations = mem_calloc(n, sizeof *w->generations);
    return w->nodes && w->generations ? 0 : ORIEL_ENOMEM;
}

/* Functions inside of what was passed over: once more, entry by entry. */
static int scan_again(struct work *w)
{
    w->thorough = true;
    struct dw_unit *entries = w->tree.unit;
    tree_done(&w->tree);
    int rc = tree_scan(&w->tree, entries, w->asked, true);
    return rc == 0 ? make_room(w) : rc;
}

static int answer(struct work *w, uint64_t addr, struct window *in)
{
    struct tree_interval interval;
    uint64_t lo, hi;
    tree_find(&w->tree, addr, &interval);
    if (interval.function == NONE && !w->thorough && w->tree.unit) {
        int rc = scan_again(w);
        if (rc != 0)
            return rc;
        tree_find(&w->tree, addr, &interval);
    }
    w->symbol = elf_symbols_find(&w->m->symbols, addr, &lo, &hi);
    in->lo = interval.lo > lo ? interval.lo : lo;
    in->hi = interval.hi < hi ? interval.hi : hi;
    narrow(in, addr);
    if (interval.function != NONE && w->tree.functions.items[interval.function].asked)
        return emit_function(w, interval.function, *in);
    return emit_row(w, addr, in);
}

static int open_work(struct work *w)
{
    struct dw_unit *entries = module_entries(w->m, w->unit);
    int rc = dw_line_read(&w->line, w->unit);
    if (rc == 0 && entries)
        rc = tree_scan(&w->tree, entries, w->asked, false);
    if (rc == 0)
        rc = make_room(w);
    size_t files = w->line.files.count + 1;
    w->files = rc == 0 ? mem_alloc(files * sizeof *w->files) : NULL;
    if (!w->files)
        return rc == 0 ? ORIEL_ENOMEM : rc;
    memset(w->files, 0xff, files * sizeof *w->files);
    return 0;
}

/* All asked addresses that lie in one unit. */
static int do_unit(struct module *m, uint32_t unit, struct asked asked)
{
    struct work w = {.m = m, .unit = &m->dw.units.items[unit], .asked = asked};
    struct window in = {0, 0};
    int rc = open_work(&w);
    for (size_t i = 0; i < asked.count && rc == 0; i++)
        if (asked.addrs[i] >= in.hi || asked.addrs[i] < in.lo)
            rc = answer(&w, asked.addrs[i], &in);
    if (w.tree.damaged || w.line.damaged)
        m->dw.damaged = true;
    tree_done(&w.tree);
    dw_line_done(&w.line);
    mem_free(w.files);
    mem_free(w.nodes);
    mem_free(w.generations);
    return rc;
}

/* An address that no unit covers: symbols have to do. */
static int do_plain(struct module *m, uint64_t addr, struct window *in)
{
    struct unit_range gap;
    struct table_segment s = {.node = TABLE_NONE};
    uint64_t lo, hi;
    if (!module_text(m, addr, &in->lo, &in->hi)) {
        *in = (struct window){addr, addr + 1};
        return addr == UINT64_MAX ? 0 : table_maker_add(&m->maker, in->lo, in->hi, &s);
    }
    module_find_unit(m, addr, &gap);
    size_t symbol = elf_symbols_find(&m->symbols, addr, &lo, &hi);
    struct window known = {0, UINT64_MAX};
    size_t start =
        symbol == SIZE_MAX ? elf_starts_find(&m->starts, addr, &known.lo, &known.hi) : SIZE_MAX;
    lo = lo > known.lo ? lo : known.lo;
    hi = hi < known.hi ? hi : known.hi;
    lo = lo > gap.lo ? lo : gap.lo;
    hi = hi < gap.hi ? hi : gap.hi;
    in->lo = lo > in->lo ? lo : in->lo;
    in->hi = hi < in->hi ? hi : in->hi;
    narrow(in, addr);
    if (symbol != SIZE_MAX) {
        s.node = symbol_node(m, symbol);
        if (s.node == NONE)
            return ORIEL_ENOMEM;
        s.file = add_string(m, m->symbols.items[symbol].file);
    } else if (start != SIZE_MAX && (s.node = start_node(m, m->starts.items[start])) == NONE) {
        return ORIEL_ENOMEM;
    }
    return table_maker_add(&m->maker, in->lo, in->hi, &s);
}

/* Sort addresses by unit; those of one unit stay in order. */
static int group(struct module *m, struct sort_key *keys, uint64_t *addrs)
{
    struct asked asked = m->job->asked;
    struct unit_range range = {1, 0, NONE};
    for (size_t i = 0; i < asked.count; i++) {
        if (asked.addrs[i] < range.lo || asked.addrs[i] >= range.hi)
            module_find_unit(m, asked.addrs[i], &range);
        keys[i] = (struct sort_key){range.unit, (uint32_t)i};
    }
    int rc = sort_keys(keys, asked.count);
    for (size_t i = 0; i < asked.count && rc == 0; i++)
        addrs[i] = asked.addrs[keys[i].index];
    return rc;
}

static int answer_all(struct module *m)
{
    size_t n = m->job->asked.count;
    struct sort_key *keys = mem_calloc(n + 1, sizeof *keys);
    uint64_t *addrs = mem_calloc(n + 1, sizeof *addrs);
    struct window in = {0, 0};
    int rc = keys && addrs ? group(m, keys, addrs) : ORIEL_ENOMEM;
    for (size_t i = 0, end; i < n && rc == 0; i = end) {
        for (end = i; end < n && keys[end].key == keys[i].key; end++) {
        }
        if (keys[i].key != NONE)
            rc = do_unit(m, (uint32_t)keys[i].key, (struct asked){addrs + i, end - i});
        for (size_t k = i; keys[i].key == NONE && k < end && rc == 0; k++)
            if (addrs[k] < in.lo || addrs[k] >= in.hi)
                rc = do_plain(m, addrs[k], &in);
    }
    mem_free(keys);
    mem_free(addrs);
    return rc;
}

int job_run(const struct job *job, struct buf *out, struct job_result *result)
{
    struct module m;
    assert(job->asked.count < UINT32_MAX);
    int rc = module_open(&m, job, result);
    if (rc == 0)
        rc = answer_all(&m);
    if (rc == 0 && (m.dw.damaged || m.main.damaged || m.debug.damaged))
        module_note(&m, "has damaged debug information: some lines are unknown");
    struct bytes id = job->build_id.n ? job->build_id : m.main.build_id;
    if (rc == 0)
        rc = table_maker_finish(&m.maker, result->flags, id, out);
    if (rc == ORIEL_ELIMIT)
        module_note(&m, "has more debug information than can be read");
    module_close(&m);
    return rc;
}
