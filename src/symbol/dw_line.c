/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Line tables: the program of a unit is run once into an array of rows, cut
 * into sequences of rising addresses. Reads memory only; one thread.
 */
#include <assert.h>

#include "base/err.h"
#include "symbol/dw.h"
#include "symbol/sort.h"

enum { ROWS_MAX = 1 << 26, FORMATS_MAX = 16 };

struct program {
    struct dw_line *l;
    const struct dw_unit *u;
    struct reader r;
    uint64_t min_length;
    int line_base;
    unsigned line_range, opcode_base;
    const uint8_t *lengths; /* of the arguments of standard opcodes */
    struct dw_row row;      /* the registers */
    size_t first;           /* row of this sequence */
    uint64_t line;
    bool default_stmt, no_memory;
};

static void reset(struct program *p)
{
    p->row = (struct dw_row){.file = 1, .stmt = p->default_stmt};
    p->line = 1;
    p->first = p->l->rows.count;
}

static void append(struct program *p)
{
    struct dw_row *row = p->l->rows.count < ROWS_MAX ? VEC_PUSH(&p->l->rows) : NULL;
    if (!row) {
        p->no_memory = true;
        return;
    }
    *row = p->row;
    row->line = (uint32_t)p->line;
}

/* A sequence whose addresses fall is damaged: its rows are dropped. */
static void end_sequence(struct program *p)
{
    struct dw_line *l = p->l;
    p->row.end = true;
    append(p);
    size_t n = l->rows.count - p->first;
    const struct dw_row *rows = l->rows.items + p->first;
    bool rising = n > 1;
    for (size_t i = 1; i < n && rising; i++)
        rising = rows[i - 1].addr <= rows[i].addr;
    if (rising && rows[0].addr < rows[n - 1].addr) {
        struct dw_sequence *s = VEC_PUSH(&l->sequences);
        if (s)
            *s = (struct dw_sequence){rows[0].addr, rows[n - 1].addr, (uint32_t)p->first,
                                      (uint32_t)n};
        else
            p->no_memory = true;
    } else {
        l->rows.count = p->first;
    }
    reset(p);
}

static void extended(struct program *p)
{
    uint64_t n = rd_uleb(&p->r);
    if (n == 0 || n > rd_left(&p->r)) {
        rd_fail(&p->r);
        return;
    }
    const uint8_t *end = p->r.p + n;
    switch (rd_u8(&p->r)) {
    case DW_LNE_end_sequence:
        end_sequence(p);
        break;
    case DW_LNE_set_address:
        p->row.addr = n - 1 <= 8 ? rd_uint(&p->r, (unsigned)(n - 1)) : 0;
        break;
    default:
        break;
    }
    p->r.p = end;
}

static void skip_arguments(struct program *p, unsigned opcode)
{
    for (unsigned i = p->lengths[opcode - 1]; i > 0; i--)
        rd_uleb(&p->r);
}

static void standard(struct program *p, unsigned opcode)
{
    uint64_t value;
    switch (opcode) {
    case DW_LNS_copy:
        append(p);
        break;
    case DW_LNS_advance_pc:
        p->row.addr += rd_uleb(&p->r) * p->min_length;
        break;
    case DW_LNS_advance_line:
        p->line += (uint64_t)rd_sleb(&p->r);
        break;
    case DW_LNS_set_file:
        p->row.file = (uint32_t)rd_uleb(&p->r);
        break;
    case DW_LNS_set_column:
        value = rd_uleb(&p->r);
        p->row.column = (uint16_t)value;
        break;
    case DW_LNS_negate_stmt:
        p->row.stmt = !p->row.stmt;
        break;
    case DW_LNS_set_basic_block:
    case DW_LNS_set_prologue_end:
    case DW_LNS_set_epilogue_begin:
        break;
    case DW_LNS_const_add_pc:
        p->row.addr += (255 - p->opcode_base) / p->line_range * p->min_length;
        break;
    case DW_LNS_fixed_advance_pc:
        p->row.addr += rd_u16(&p->r);
        break;
    default:
        skip_arguments(p, opcode);
    }
}

static void run(struct program *p)
{
    reset(p);
    while (!p->r.bad && !p->no_memory && rd_left(&p->r) > 0) {
        unsigned opcode = rd_u8(&p->r);
        if (opcode >= p->opcode_base) {
            unsigned k = opcode - p->opcode_base;
            p->row.addr += k / p->line_range * p->min_length;
            p->line += (uint64_t)(int64_t)(p->line_base + (int)(k % p->line_range));
            append(p);
        } else if (opcode == 0) {
            extended(p);
        } else {
            standard(p, opcode);
        }
    }
    p->l->rows.count = p->first; /* a sequence without an end covers nothing */
}

static int add_dir(struct dw_line *l, const char *name)
{
    const char **dir = VEC_PUSH(&l->dirs);
    if (dir)
        *dir = name;
    return dir ? 0 : ORIEL_ENOMEM;
}

static int add_file(struct dw_line *l, const char *name, uint64_t dir)
{
    struct dw_file *file = VEC_PUSH(&l->files);
    if (file)
        *file = (struct dw_file){name, dir};
    return file ? 0 : ORIEL_ENOMEM;
}

/* DWARF 2 to 4: strings up to an empty one. */
static int read_names_old(struct dw_line *l, struct reader *r)
{
    int rc = 0;
    while (rc == 0 && !r->bad) {
        const char *name = rd_str(r);
        if (!*name)
            break;
        rc = add_dir(l, name);
    }
    while (rc == 0 && !r->bad) {
        const char *name = rd_str(r);
        if (!*name)
            break;
        uint64_t dir = rd_uleb(r);
        rd_uleb(r); /* time */
        rd_uleb(r); /* size */
        rc = add_file(l, name, dir);
    }
    return rc;
}

/* DWARF 5: a format, then entries of it. */
static int read_names(struct dw_line *l, const struct dw_unit *u, struct reader *r, bool files)
{
    struct dw_attr formats[FORMATS_MAX];
    unsigned format_count = rd_u8(r);
    int rc = 0;
    if (format_count > FORMATS_MAX)
        rd_fail(r);
    for (unsigned i = 0; i < format_count && !r->bad; i++) {
        formats[i] = (struct dw_attr){.name = (uint32_t)rd_uleb(r)};
        formats[i].form = (uint32_t)rd_uleb(r);
    }
    uint64_t count = rd_uleb(r);
    for (uint64_t k = 0; k < count && rc == 0 && !r->bad && format_count; k++) {
        const char *name = NULL;
        const uint8_t *before = r->p;
        uint64_t dir = 0;
        for (unsigned i = 0; i < format_count; i++) {
            struct dw_value value;
            dw_value_read(u, r, &formats[i], &value);
            if (formats[i].name == DW_LNCT_path)
                name = dw_string(u, &value);
            else if (formats[i].name == DW_LNCT_directory_index)
                dir = value.raw;
        }
        if (r->bad || r->p == before)
            break;
        rc = files ? add_file(l, name, dir) : add_dir(l, name ? name : "");
    }
    return rc;
}

/* Everything up to the program. */
static int read_header(struct program *p)
{
    struct dw_unit u = *p->u; /* its forms may differ in size from the table's */
    uint64_t n = rd_unit_length(&p->r, &u.offset_size);
    if (p->r.bad || n > rd_left(&p->r))
        return ORIEL_EDAMAGED;
    p->r.end = p->r.p + n;
    p->l->version = rd_u16(&p->r);
    if (p->l->version < 2 || p->l->version > 5)
        return ORIEL_EDAMAGED;
    if (p->l->version >= 5)
        rd_skip(&p->r, 2); /* sizes of addresses and segments */
    uint64_t header = rd_uint(&p->r, u.offset_size);
    if (p->r.bad || header > rd_left(&p->r))
        return ORIEL_EDAMAGED;
    struct reader r = {p->r.p, p->r.p + header, false};
    p->r.p += header;
    p->min_length = rd_u8(&r);
    if (p->l->version >= 4)
        rd_u8(&r); /* operations of an instruction: VLIW only */
    p->default_stmt = rd_u8(&r) != 0;
    p->line_base = (int8_t)rd_u8(&r);
    p->line_range = rd_u8(&r);
    p->opcode_base = rd_u8(&r);
    p->lengths = rd_take(&r, p->opcode_base ? p->opcode_base - 1u : 0);
    if (r.bad || p->line_range == 0 || p->opcode_base == 0)
        return ORIEL_EDAMAGED;
    if (p->l->version < 5)
        return read_names_old(p->l, &r);
    int rc = read_names(p->l, &u, &r, false);
    return rc == 0 ? read_names(p->l, &u, &r, true) : rc;
}

/* Rows stay where they are; sequences are ordered by where they end. */
static int sort_sequences(struct dw_line *l)
{
    size_t n = l->sequences.count;
    struct sort_key *keys = mem_calloc(n + 1, sizeof *keys);
    struct dw_sequence *sorted = mem_calloc(n + 1, sizeof *sorted);
    int rc = keys && sorted ? 0 : ORIEL_ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++)
        keys[i] = (struct sort_key){l->sequences.items[i].hi, (uint32_t)i};
    if (rc == 0)
        rc = sort_keys(keys, n);
    for (size_t i = 0; i < n && rc == 0; i++)
        sorted[i] = l->sequences.items[keys[i].index];
    if (rc == 0 && n)
        memcpy(l->sequences.items, sorted, n * sizeof *sorted);
    mem_free(keys);
    mem_free(sorted);
    return rc;
}

int dw_line_read(struct dw_line *l, const struct dw_unit *u)
{
    *l = (struct dw_line){.comp_dir = u->comp_dir};
    if (!u->has_stmt_list)
        return 0;
    struct program p = {.l = l, .u = u, .r = rd_at(u->dw->line, u->stmt_list)};
    int rc = read_header(&p);
    if (rc == ORIEL_EDAMAGED) {
        l->damaged = true;
        return 0;
    }
    if (rc != 0)
        return rc;
    run(&p);
    l->damaged |= p.r.bad;
    return p.no_memory ? ORIEL_ENOMEM : sort_sequences(l);
}

void dw_line_done(struct dw_line *l)
{
    VEC_DONE(&l->rows);
    VEC_DONE(&l->sequences);
    VEC_DONE(&l->files);
    VEC_DONE(&l->dirs);
}

/* The first sequence that ends behind addr; their number if none does. */
static size_t sequence_at(const struct dw_line *l, uint64_t addr)
{
    size_t lo = 0, hi = l->sequences.count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (l->sequences.items[mid].hi <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint64_t dw_line_next(const struct dw_line *l, uint64_t addr)
{
    size_t i = sequence_at(l, addr);
    return i < l->sequences.count && l->sequences.items[i].lo > addr ? l->sequences.items[i].lo
                                                                     : UINT64_MAX;
}

const struct dw_row *dw_line_find(const struct dw_line *l, uint64_t addr)
{
    size_t lo = sequence_at(l, addr);
    if (lo == l->sequences.count || l->sequences.items[lo].lo > addr)
        return NULL;
    const struct dw_sequence *s = &l->sequences.items[lo];
    assert(s->first + s->count <= l->rows.count);
    const struct dw_row *rows = l->rows.items + s->first;
    /* The last row at or before addr; the end row is none. */
    size_t from = 0, to = s->count - 1;
    while (to - from > 1) {
        size_t mid = from + (to - from) / 2;
        if (rows[mid].addr <= addr)
            from = mid;
        else
            to = mid;
    }
    return &rows[from];
}

static size_t add_text(char *out, size_t at, size_t n, const char *text)
{
    size_t size = text ? strlen(text) : 0;
    if (size == 0)
        return at;
    if (at && out[at - 1] != '/' && text[0] != '/' && at + 1 < n)
        out[at++] = '/';
    if (size > n - 1 - at)
        size = n - 1 - at;
    memcpy(out + at, text, size);
    return at + size;
}

size_t dw_line_path(const struct dw_line *l, uint64_t file, char *out, size_t n)
{
    uint64_t index = l->version >= 5 ? file : file - 1;
    size_t at = 0;
    assert(n > 0);
    out[0] = 0;
    if (index >= l->files.count || !l->files.items[index].name)
        return 0;
    const struct dw_file *f = &l->files.items[index];
    if (f->name[0] != '/') {
        uint64_t dir = l->version >= 5 ? f->dir : f->dir - 1;
        const char *folder = dir < l->dirs.count ? l->dirs.items[dir] : "";
        if (folder[0] != '/')
            at = add_text(out, at, n, l->comp_dir);
        at = add_text(out, at, n, folder);
    }
    at = add_text(out, at, n, f->name);
    out[at] = 0;
    return at;
}
