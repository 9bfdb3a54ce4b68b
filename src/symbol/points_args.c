/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What DWARF says of a function's parameters, as far as the calling convention
 * puts them into registers at its first instruction: integers, pointers and
 * texts, up to the first one of which it is not certain. Runs in the confined
 * child; reads memory only.
 */
#include <assert.h>
#include <elf.h>
#include <stdlib.h>

#include "symbol/points_job.h"
#include "symbol/sort.h"

enum { HOPS_MAX = 16, ARGS_MAX = 16, LANGUAGE_C89 = 1, LANGUAGE_C = 2, LANGUAGE_C99 = 0xc };
enum { LANGUAGE_C11 = 0x1d, LANGUAGE_C17 = 0x2c, LANGUAGE_RUST = 0x1c };
enum { ENCODING_BOOL = 2, ENCODING_FLOAT = 4, ENCODING_SIGNED = 5, ENCODING_CHAR = 6 };

/* An entry with what matters here; forms are 0 where it says nothing. */
struct die {
    uint32_t tag;
    bool children, external;
    struct dw_value type, location, origin;
    uint64_t byte_size, encoding, language;
    uint64_t next; /* offset of what follows */
};

static bool read_die(struct dw_unit *u, uint64_t entry, struct die *out)
{
    *out = (struct die){0};
    if (!dw_unit_open(u))
        return false;
    struct reader r = rd_at(bytes_part(u->dw->info, 0, u->end), entry);
    const struct dw_abbrev *a = r.bad ? NULL : dw_abbrev_find(u->abbrevs, rd_uleb(&r));
    if (!a)
        return false;
    out->tag = a->tag;
    out->children = a->children;
    for (uint32_t i = 0; i < a->attr_count && !r.bad; i++) {
        const struct dw_attr *attr = &u->abbrevs->attrs.items[a->attr + i];
        struct dw_value value;
        dw_value_read(u, &r, attr, &value);
        switch (attr->name) {
        case DW_AT_type:
            out->type = value;
            break;
        case DW_AT_location:
            out->location = value;
            break;
        case DW_AT_abstract_origin:
        case DW_AT_specification:
            out->origin = value;
            break;
        case DW_AT_byte_size:
            out->byte_size = value.raw;
            break;
        case DW_AT_encoding:
            out->encoding = value.raw;
            break;
        case DW_AT_language:
            out->language = value.raw;
            break;
        case DW_AT_external:
            out->external = value.raw != 0;
            break;
        default:
            break;
        }
    }
    out->next = (uint64_t)(r.p - u->dw->info.p);
    return !r.bad;
}

/* ---- types ---- */

enum type_class {
    CLASS_NONE,      /* void */
    CLASS_SCALAR,    /* in one register for integers */
    CLASS_ELSEWHERE, /* in none: floating point */
    CLASS_LARGE,     /* a struct of more than 16 bytes */
    CLASS_UNSURE
};
struct type {
    enum type_class class;
    uint8_t kind, bytes; /* enum point_type */
};

static struct type base_type(const struct die *d)
{
    struct type t = {CLASS_SCALAR, POINT_UINT, (uint8_t)d->byte_size};
    if (d->encoding == 3 || d->encoding == ENCODING_FLOAT)
        t.class = d->byte_size <= 8 ? CLASS_ELSEWHERE : CLASS_UNSURE;
    else if (d->byte_size != 1 && d->byte_size != 2 && d->byte_size != 4 && d->byte_size != 8)
        t.class = CLASS_UNSURE;
    else if (d->encoding == ENCODING_BOOL)
        t.kind = POINT_BOOL;
    else if (d->encoding == ENCODING_SIGNED || d->encoding == ENCODING_CHAR)
        t.kind = POINT_INT;
    return t;
}

static bool is_wrapper(uint32_t tag)
{
    return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
           tag == DW_TAG_restrict_type || tag == DW_TAG_atomic_type;
}

/* The type without typedefs and qualifiers. False: void, or not to be read. */
static bool strip(struct dw_unit **u, struct dw_value type, struct die *out)
{
    uint64_t entry;
    for (int i = 0; i < HOPS_MAX && type.form != 0; i++) {
        if (!dw_reference(*u, &type, u, &entry) || !read_die(*u, entry, out))
            return false;
        if (!is_wrapper(out->tag))
            return true;
        type = out->type;
    }
    return false;
}

/* What a function may not write to: a text, not room for one. */
static bool is_const(struct dw_unit *u, struct dw_value type)
{
    struct die d;
    uint64_t entry;
    return type.form != 0 && dw_reference(u, &type, &u, &entry) && read_die(u, entry, &d) &&
           d.tag == DW_TAG_const_type;
}

/* A pointer to `to`: a text where it is one of characters. */
static struct type pointer_type(struct dw_unit *u, struct dw_value to, bool result)
{
    struct type t = {CLASS_SCALAR, POINT_POINTER, 8};
    struct die d;
    bool text = result || is_const(u, to);
    if (text && strip(&u, to, &d) && d.tag == DW_TAG_base_type && d.byte_size == 1 &&
        d.encoding >= ENCODING_CHAR)
        t.kind = POINT_STRING;
    return t;
}

static struct type read_type(struct dw_unit *u, struct dw_value type, bool result)
{
    struct type t = {CLASS_NONE, POINT_NONE, 0};
    struct die d;
    if (type.form == 0)
        return t;
    t.class = CLASS_UNSURE;
    if (!strip(&u, type, &d))
        return t;
    switch (d.tag) {
    case DW_TAG_base_type:
        return base_type(&d);
    case DW_TAG_enumeration_type:
        return d.byte_size == 1 || d.byte_size == 2 || d.byte_size == 4 || d.byte_size == 8
                   ? (struct type){CLASS_SCALAR, POINT_INT, (uint8_t)d.byte_size}
                   : t;
    case DW_TAG_pointer_type:
        return pointer_type(u, d.type, result);
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
        return (struct type){CLASS_SCALAR, POINT_POINTER, 8};
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
        t.class = d.byte_size > 16 ? CLASS_LARGE : CLASS_UNSURE;
        return t;
    default:
        return t;
    }
}

/* ---- functions ---- */

/* What an entry and those it stands for say together. */
static bool read_whole(struct dw_unit **u, uint64_t entry, struct die *out)
{
    struct die more;
    if (!read_die(*u, entry, out))
        return false;
    struct dw_value origin = out->origin;
    struct dw_unit *at = *u;
    for (int i = 0; i < HOPS_MAX && origin.form != 0; i++) {
        if (!dw_reference(at, &origin, &at, &entry) || !read_die(at, entry, &more))
            break;
        out->external |= more.external;
        if (out->type.form == 0 && more.type.form != 0) {
            out->type = more.type;
            *u = at; /* whose offsets the type is told in */
        }
        origin = more.origin;
    }
    return true;
}

static bool is_c(uint64_t language)
{
    return language == LANGUAGE_C89 || language == LANGUAGE_C || language == LANGUAGE_C99 ||
           language == LANGUAGE_C11 || language == LANGUAGE_C17;
}

/* One function while its parameters are read. */
struct reading {
    struct points_maker *p;
    struct point *point;
    struct dw_unit *unit;
    bool c, arm;
    unsigned reg, reg_count;
};

/* One parameter; false: what follows is not certain. */
static bool add_parameter(struct reading *g, uint64_t entry, bool local)
{
    struct dw_unit *u = g->unit;
    struct die d;
    struct tree_name name;
    if (!read_whole(&u, entry, &d))
        return false;
    /* A function of one file only may be called in the compiler's own way, unless
     * it was not optimised: then its parameters have one place for good. */
    if (local && d.location.form != DW_FORM_exprloc)
        return false;
    struct type t = read_type(u, d.type, false);
    tree_name(g->unit, entry, &name);
    if (t.class == CLASS_ELSEWHERE || (t.class == CLASS_LARGE && g->c && !g->arm))
        return true;
    if (t.class != CLASS_SCALAR || g->reg >= g->reg_count ||
        (name.name && strncmp(name.name, "__", 2) == 0)) /* of a constructor: not always there */
        return false;
    struct point_arg *arg = VEC_PUSH(&g->p->args);
    if (!arg)
        return false;
    arg->name = name.name ? points_add_text(g->p, name.name, strlen(name.name)) : 0;
    arg->type = t.kind;
    arg->bytes = t.bytes;
    arg->reg = (uint8_t)g->reg++;
    g->point->arg_count++;
    return g->point->arg_count < ARGS_MAX;
}

/* The children of a function that are parameters. */
static void add_parameters(struct reading *g, const struct die *function)
{
    struct dw_unit *u = g->unit;
    struct reader r = rd_at(bytes_part(u->dw->info, 0, u->end), function->next);
    bool going = function->children;
    for (unsigned depth = 1; going && depth > 0 && !r.bad && rd_left(&r) > 0;) {
        uint64_t at = (uint64_t)(r.p - u->dw->info.p), code = rd_uleb(&r);
        const struct dw_abbrev *a = code ? dw_abbrev_find(u->abbrevs, code) : NULL;
        if (code == 0) {
            depth--;
            continue;
        }
        if (!a)
            return;
        if (depth == 1 && a->tag == DW_TAG_formal_parameter)
            going = add_parameter(g, at, !function->external);
        dw_skip(u, a, &r);
        depth += a->children;
    }
}

static void set_result(struct reading *g, struct type t)
{
    if (t.class != CLASS_SCALAR)
        return;
    g->point->result = (struct point_arg){.type = t.kind, .bytes = t.bytes};
    g->point->flags |= POINT_RETURNS;
}

/* Compilers name what they call in a way of their own. */
static bool is_changed(const char *linkage)
{
    return strstr(linkage, ".isra") || strstr(linkage, ".constprop") || strstr(linkage, ".part");
}

static void read_function(struct points_maker *p, struct point *point, struct module *m,
                          struct dw_unit *u, uint64_t entry, uint64_t language)
{
    struct die d;
    struct dw_unit *type_unit = u;
    struct reading g = {.p = p, .point = point, .unit = u, .c = is_c(language)};
    g.arm = m->main.machine == EM_AARCH64;
    g.reg_count = g.arm ? 8 : 6;
    point->first_arg = (uint32_t)p->args.count;
    if (language == LANGUAGE_RUST || is_changed(p->strings.data + point->linkage) ||
        !read_whole(&type_unit, entry, &d))
        return;
    struct type result = read_type(type_unit, d.type, true);
    set_result(&g, result);
    if (result.class == CLASS_LARGE && !g.arm)
        g.reg = 1; /* where the result goes */
    if (result.class == CLASS_UNSURE && !g.c)
        return;
    add_parameters(&g, &d);
}

/* ---- units ---- */

/* All functions of one unit; keys[i].index is an item, sorted by address. */
static int read_unit(struct points_maker *p, struct module *m, uint32_t unit,
                     const struct sort_key *keys, size_t n)
{
    struct dw_unit *skeleton = &m->dw.units.items[unit], *u = module_entries(m, skeleton);
    uint64_t *addrs = mem_calloc(n + 1, sizeof *addrs);
    struct tree t = {0};
    struct die first = {0};
    int rc = addrs ? 0 : ORIEL_ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++)
        addrs[i] = p->items.items[keys[i].index].addr;
    if (rc == 0 && u && read_die(u, u->die, &first))
        rc = tree_scan(&t, u, (struct asked){addrs, n}, false);
    for (size_t i = 0; i < n && rc == 0 && t.unit; i++) {
        struct point *point = &p->items.items[keys[i].index];
        struct tree_interval in;
        tree_find(&t, point->addr, &in);
        const struct tree_function *f =
            in.function == UINT32_MAX ? NULL : &t.functions.items[in.function];
        if (f && f->asked && f->root != UINT32_MAX && in.lo == point->addr)
            read_function(p, point, m, u, t.nodes.items[f->root].entry, first.language);
    }
    tree_done(&t);
    mem_free(addrs);
    return rc;
}

int points_read_args(struct points_maker *p, struct module *m)
{
    size_t n = p->items.count;
    struct sort_key *keys = mem_calloc(n + 1, sizeof *keys);
    int rc = keys ? 0 : ORIEL_ENOMEM;
    /* Items stand in the order of their addresses, and the sort keeps it. */
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct unit_range range = {0, 0, UINT32_MAX};
        if (p->items.items[i].kind == POINT_FUNCTION)
            module_find_unit(m, p->items.items[i].addr, &range);
        keys[i] = (struct sort_key){range.unit, (uint32_t)i};
    }
    if (rc == 0)
        rc = sort_keys(keys, n);
    for (size_t i = 0, end; i < n && rc == 0; i = end) {
        for (end = i; end < n && keys[end].key == keys[i].key; end++) {
        }
        if (keys[i].key != UINT32_MAX)
            rc = read_unit(p, m, (uint32_t)keys[i].key, &keys[i], end - i);
    }
    mem_free(keys);
    assert(rc <= 0);
    return rc == 0 && p->strings.failed ? ORIEL_ENOMEM : rc;
}
