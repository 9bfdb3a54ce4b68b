/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * profile.proto, gzipped or not, of Go, of ourselves, of anybody. Types of
 * values that we know become kinds of samples: CPU time, waiting, allocations
 * (what is in use is what was allocated and not freed), locks, faults. If none
 * is known, the type that the profile shows first counts as CPU time. One
 * thread.
 */
#include "source/pprof/pprof.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "util/gzip.h"

/* Field numbers of profile.proto. */
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING = 6,
    PROFILE_TIME = 9,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    PROFILE_DEFAULT_TYPE = 14,
    PROFILE_FIELD_MAX = 15,

    GZIP_RATIO_MAX = 1024
};

/* ---- is it one ---- */

/* Every field at the top has a number and a type that the format knows; it
 * begins with the types of its values. */
static bool looks_like(const uint8_t *p, size_t n, bool cut)
{
    struct pb_reader r = pb_read(p, n);
    struct pb_field f;
    unsigned types = 0, fields = 0;
    while (pb_next(&r, &f)) {
        bool message = f.number >= PROFILE_SAMPLE_TYPE && f.number <= PROFILE_STRING;
        if (f.number == 0 || f.number > PROFILE_FIELD_MAX ||
            (message ? f.wire != PB_BYTES : f.wire != PB_VARINT && f.wire != PB_BYTES))
            return false;
        types += f.number == PROFILE_SAMPLE_TYPE;
        fields++;
    }
    return types > 0 && fields > 1 && (cut || !r.failed);
}

static bool pprof_recognizes(const uint8_t *head, size_t n)
{
    /* Nothing else that is packed is read here. */
    return gzip_is(head, n) || looks_like(head, n, n == SOURCE_HEAD_BYTES);
}

/* ---- tables ---- */

static uint64_t number_of(struct pb_reader m, uint32_t field)
{
    struct pb_field f;
    return pb_find(m, field, &f) && f.wire == PB_VARINT ? f.value : 0;
}

static struct model_str text(const struct pprof_source *s, uint64_t id)
{
    return id < s->texts.count ? s->texts.items[id] : MODEL_STR("");
}

static bool is(const struct pprof_source *s, uint64_t id, const char *name)
{
    struct model_str t = text(s, id);
    return t.n == strlen(name) && memcmp(t.p, name, t.n) == 0;
}

static int take_text(struct pprof_source *s, const struct pb_field *f)
{
    struct model_str *t = VEC_PUSH(&s->texts);
    if (!t)
        return ORIEL_ENOMEM;
    *t = (struct model_str){(const char *)f->bytes,
                            f->size < UINT32_MAX ? (uint32_t)f->size : UINT32_MAX};
    return 0;
}

static int take_function(struct pprof_source *s, struct pb_reader m)
{
    struct pprof_function *f = VEC_PUSH(&s->functions);
    if (!f || !map_put(&s->function_by_id, number_of(m, 1), s->functions.count - 1))
        return ORIEL_ENOMEM;
    f->name = (uint32_t)number_of(m, 2);
    f->linkage = (uint32_t)number_of(m, 3);
    f->file = (uint32_t)number_of(m, 4);
    f->start_line = (uint32_t)number_of(m, 5);
    return 0;
}

static uint8_t hex_digit(char c)
{
    return (uint8_t)(c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 255);
}

static void read_build_id(struct model_str hex, struct model_module *out)
{
    if (hex.n % 2 || hex.n > 2 * MODEL_BUILD_ID_MAX)
        return;
    for (uint32_t i = 0; i < hex.n; i += 2) {
        uint8_t high = hex_digit(hex.p[i]), low = hex_digit(hex.p[i + 1]);
        if (high > 15 || low > 15)
            return;
        out->build_id[i / 2] = (uint8_t)(high << 4 | low);
    }
    out->build_id_bytes = (uint8_t)(hex.n / 2);
}

static int take_mapping(struct pprof_source *s, struct pb_reader m)
{
    struct model_module like = {.process = UINT32_MAX, .path = text(s, number_of(m, 5))};
    struct model_str path = like.path;
    bool kernel = path.n >= 7 && memcmp(path.p, "[kernel", 7) == 0;
    like.kind = kernel                       ? MODEL_MODULE_KERNEL
                : path.n && path.p[0] == '/' ? MODEL_MODULE_FILE
                                             : MODEL_MODULE_UNKNOWN;
    read_build_id(text(s, number_of(m, 6)), &like);
    if (!like.path.n)
        like.path = MODEL_STR("[unknown]");
    struct model_module *module = model_stacks_module(&s->import.catalog->stacks, &like);
    uint32_t *at = module ? VEC_PUSH(&s->modules) : NULL;
    if (!at || !map_put(&s->module_by_id, number_of(m, 1), s->modules.count - 1))
        return ORIEL_ENOMEM;
    *at = module->index;
    return 0;
}

static struct model_line line_of(const struct pprof_source *s, struct pb_reader m)
{
    const uint64_t *at = map_get(&s->function_by_id, number_of(m, 1));
    struct model_line l = {.line = (uint32_t)number_of(m, 2), .column = (uint32_t)number_of(m, 3)};
    if (at) {
        const struct pprof_function *f = &s->functions.items[*at];
        l.function = text(s, f->name);
        l.linkage = f->linkage == f->name ? MODEL_STR("") : text(s, f->linkage);
        l.file = text(s, f->file);
        l.start_line = f->start_line;
    }
    if (!l.function.n)
        l.function = l.linkage.n ? l.linkage : MODEL_STR("[unknown]");
    return l;
}

/* With functions: a place of its own. Without: an address to look up. */
static int take_location(struct pprof_source *s, struct pb_reader m)
{
    struct model_line lines[IMPORT_INLINED_MAX];
    struct pb_reader r = m;
    struct pb_field f;
    uint32_t count = 0;
    const uint64_t *mapping = map_get(&s->module_by_id, number_of(m, 2));
    uint32_t module = mapping ? s->modules.items[*mapping] : s->unknown;
    while (pb_next(&r, &f))
        if (f.number == 4 && f.wire == PB_BYTES && count < IMPORT_INLINED_MAX)
            lines[count++] = line_of(s, pb_read_nested(&f));
    for (uint32_t i = 0; i + 1 < count; i++)
        lines[i].inlined = true;
    struct model_place *p =
        model_stacks_place(&s->import.catalog->stacks, module, number_of(m, 3), false);
    uint32_t place = p ? p->index : UINT32_MAX;
    if (count && p && !p->resolved && number_of(m, 3))
        place = model_place_set_lines(&s->import.catalog->stacks, p, lines, count) < 0 ? UINT32_MAX
                                                                                       : place;
    else if (count && p)
        place = import_place(&s->import, module, lines, count);
    uint32_t *at = place == UINT32_MAX ? NULL : VEC_PUSH(&s->places);
    if (!at || !map_put(&s->place_by_id, number_of(m, 1), s->places.count - 1))
        return ORIEL_ENOMEM;
    *at = place;
    return 0;
}

/* ---- types of values ---- */

static const struct known {
    const char *type;
    uint8_t kind;
    bool is_count;
} known[] = {
    {"samples", ORIEL_SAMPLE_CPU, true},
    {"cpu", ORIEL_SAMPLE_CPU, false},
    {"waits", ORIEL_SAMPLE_OFF_CPU, true},
    {"off_cpu", ORIEL_SAMPLE_OFF_CPU, false},
    {"alloc_objects", ORIEL_SAMPLE_ALLOC, true},
    {"alloc_space", ORIEL_SAMPLE_ALLOC, false},
    {"free_objects", ORIEL_SAMPLE_FREE, true},
    {"free_space", ORIEL_SAMPLE_FREE, false},
    {"inuse_objects", ORIEL_SAMPLE_FREE, true}, /* told as what is not in use: see in_use */
    {"inuse_space", ORIEL_SAMPLE_FREE, false},
    {"contentions", ORIEL_SAMPLE_LOCK, true},
    {"delay", ORIEL_SAMPLE_LOCK, false},
    {"fault_samples", ORIEL_SAMPLE_FAULT, true},
    {"page_faults", ORIEL_SAMPLE_FAULT, false},
    {"preemptions", ORIEL_SAMPLE_PREEMPTED, true},
    {"preempted", ORIEL_SAMPLE_PREEMPTED, false},
    {"wakes", ORIEL_SAMPLE_WAKE, true},
    {"wait_ended", ORIEL_SAMPLE_WAKE, false},
    {"deeper", ORIEL_SAMPLE_DEPTH, true},
    {"stack_depth", ORIEL_SAMPLE_DEPTH, false},
    {"held", ORIEL_SAMPLE_HOLDER, true},
    {"held_delay", ORIEL_SAMPLE_HOLDER, false},
    {"condition_waits", ORIEL_SAMPLE_CONDITION, true},
    {"condition_delay", ORIEL_SAMPLE_CONDITION, false},
    {"calls", ORIEL_SAMPLE_CALL, true},
    {"call_time", ORIEL_SAMPLE_CALL, false},
};

static uint64_t scale_of(const struct pprof_source *s, uint64_t unit)
{
    return is(s, unit, "microseconds")   ? 1000
           : is(s, unit, "milliseconds") ? 1000000
           : is(s, unit, "seconds")      ? 1000000000
           : is(s, unit, "kilobytes")    ? 1024
           : is(s, unit, "megabytes")    ? 1024 * 1024
                                         : 1;
}

static bool in_use(const struct pprof_source *s, const struct pprof_column *c)
{
    return is(s, c->type, "inuse_space") || is(s, c->type, "inuse_objects");
}

static void choose_columns(struct pprof_source *s)
{
    bool any = false;
    for (uint32_t i = 0; i < s->column_count; i++) {
        struct pprof_column *c = &s->columns[i];
        c->scale = scale_of(s, c->unit);
        for (size_t k = 0; k < sizeof known / sizeof *known && !c->kind; k++)
            if (is(s, c->type, known[k].type)) {
                c->kind = known[k].kind;
                c->is_count = known[k].is_count;
            }
        any |= c->kind && !c->is_count;
    }
    if (any || !s->column_count)
        return;
    /* No weight is known. Counts times a period of CPU time are as good. */
    uint32_t first = s->column_count - 1;
    for (uint32_t i = 0; i < s->column_count; i++)
        if (s->default_type && s->columns[i].type == s->default_type)
            first = i;
    for (uint32_t i = 0; i < s->column_count; i++)
        s->columns[i].kind = 0;
    bool timed = is(s, s->columns[first].type, "samples") && is(s, s->period_type, "cpu") &&
                 s->period && s->period < UINT32_MAX;
    s->columns[first].kind = ORIEL_SAMPLE_CPU;
    s->columns[first].is_count = false;
    s->columns[first].scale = timed ? s->period * scale_of(s, s->period_unit) : 1;
}

/* ---- samples ---- */

static int read_numbers(struct pprof_source *s, struct pb_reader m, uint32_t field)
{
    struct pb_field f;
    s->ids.count = 0;
    while (pb_next(&m, &f)) {
        if (f.number != field)
            continue;
        struct pb_reader packed = pb_read_nested(&f);
        uint64_t v = f.value;
        while (f.wire == PB_VARINT || pb_next_varint(&packed, &v)) {
            uint64_t *at = VEC_PUSH(&s->ids);
            if (!at)
                return ORIEL_ENOMEM;
            *at = v;
            if (f.wire == PB_VARINT)
                break;
        }
    }
    return 0;
}

static int make_stack(struct pprof_source *s, struct pb_reader m, uint32_t *stack)
{
    int rc = read_numbers(s, m, 1);
    for (size_t i = s->ids.count; i-- > 0 && rc == 0;) {
        const uint64_t *at = map_get(&s->place_by_id, s->ids.items[i]);
        uint32_t node =
            at ? model_stacks_node(&s->import.catalog->stacks, *stack, s->places.items[*at]) : 0;
        *stack = node ? node : *stack;
        s->import.damage.records += !at;
    }
    return rc;
}

/* Labels that name a thread: ours and those of others. */
static uint32_t thread_of(struct pprof_source *s, struct pb_reader m)
{
    struct pb_field f;
    int32_t pid = 1, tid = 0;
    struct model_str name = {"", 0};
    while (pb_next(&m, &f)) {
        if (f.number != 3 || f.wire != PB_BYTES)
            continue;
        struct pb_reader label = pb_read_nested(&f);
        uint64_t key = number_of(label, 1), value = number_of(label, 3);
        if (is(s, key, "thread_id") || is(s, key, "thread-id"))
            tid = (int32_t)value;
        else if (is(s, key, "process_id") || is(s, key, "pid"))
            pid = (int32_t)value;
        else if (is(s, key, "thread_name") || is(s, key, "thread"))
            name = text(s, number_of(label, 2));
    }
    struct model_str exe = s->modules.count
                               ? s->import.catalog->stacks.modules[s->modules.items[0]]->path
                               : MODEL_STR("");
    return import_thread(&s->import, pid, tid ? tid : pid, name, exe);
}

static uint64_t scaled(uint64_t value, uint64_t scale)
{
    uint64_t out;
    if ((int64_t)value < 0) /* a difference of profiles: not a weight */
        return 0;
    return __builtin_mul_overflow(value, scale, &out) ? UINT64_MAX : out;
}

static int take_sample(struct pprof_source *s, struct pb_reader m)
{
    uint64_t weight[ORIEL_SAMPLE_KINDS] = {0}, count[ORIEL_SAMPLE_KINDS] = {0};
    uint64_t used[2] = {0};
    struct import_row row = {.t_ns = s->time_ns};
    int rc = make_stack(s, m, &row.stack);
    row.thread = thread_of(s, m);
    if (rc == 0)
        rc = row.thread == UINT32_MAX ? ORIEL_ENOMEM : read_numbers(s, m, 2);
    bool heap = false;
    for (uint32_t i = 0; rc == 0 && i < s->column_count && i < s->ids.count; i++) {
        const struct pprof_column *c = &s->columns[i];
        uint64_t v = scaled(s->ids.items[i], c->is_count ? 1 : c->scale);
        if (!c->kind)
            s->skipped += v != 0;
        else if (in_use(s, c))
            used[c->is_count] = v, heap = true;
        else
            *(c->is_count ? &count[c->kind] : &weight[c->kind]) = v;
    }
    if (heap) {
        const int a = ORIEL_SAMPLE_ALLOC, f = ORIEL_SAMPLE_FREE;
        weight[f] = weight[a] > used[0] ? weight[a] - used[0] : 0;
        count[f] = count[a] > used[1] ? count[a] - used[1] : 0;
    }
    for (uint8_t kind = 1; kind < ORIEL_SAMPLE_KINDS && rc == 0; kind++) {
        if (!weight[kind] && !count[kind])
            continue;
        row.kind = kind;
        row.weight = weight[kind];
        row.count = count[kind] ? count[kind] : 1;
        rc = import_add(&s->import, &row);
    }
    return rc;
}

/* ---- the message ---- */

static int each(struct pprof_source *s, struct pb_reader r, uint32_t number,
                int (*take)(struct pprof_source *, struct pb_reader))
{
    struct pb_field f;
    int rc = 0;
    while (rc == 0 && pb_next(&r, &f))
        if (f.number == number && f.wire == PB_BYTES)
            rc = take(s, pb_read_nested(&f));
    return rc;
}

static int read_top(struct pprof_source *s, struct pb_reader r)
{
    struct pb_field f;
    int rc = 0;
    while (rc == 0 && pb_next(&r, &f)) {
        struct pb_reader inner = pb_read_nested(&f);
        if (f.number == PROFILE_STRING && f.wire == PB_BYTES)
            rc = take_text(s, &f);
        else if (f.number == PROFILE_SAMPLE_TYPE && s->column_count < PPROF_TYPES_MAX)
            s->columns[s->column_count++] =
                (struct pprof_column){.type = number_of(inner, 1), .unit = number_of(inner, 2)};
        else if (f.number == PROFILE_TIME)
            s->time_ns = f.value;
        else if (f.number == PROFILE_PERIOD)
            s->period = f.value;
        else if (f.number == PROFILE_DEFAULT_TYPE)
            s->default_type = f.value;
        else if (f.number == PROFILE_PERIOD_TYPE) {
            s->period_type = number_of(inner, 1);
            s->period_unit = number_of(inner, 2);
        }
    }
    if (r.failed)
        import_note_damage(&s->import, s->import.size);
    return rc;
}

static int parse(struct pprof_source *s)
{
    struct pb_reader r = pb_read(s->import.text, s->import.size);
    s->unknown = import_module(&s->import, MODEL_MODULE_UNKNOWN, MODEL_STR("[unknown]"));
    int rc = s->unknown == UINT32_MAX ? ORIEL_ENOMEM : read_top(s, r);
    if (rc == 0 && s->column_count == 0)
        return ORIEL_EDAMAGED;
    if (s->time_ns == 0 || s->time_ns > INT64_MAX)
        s->time_ns = 1;
    choose_columns(s);
    rc = rc < 0 ? rc : each(s, r, PROFILE_FUNCTION, take_function);
    rc = rc < 0 ? rc : each(s, r, PROFILE_MAPPING, take_mapping);
    rc = rc < 0 ? rc : each(s, r, PROFILE_LOCATION, take_location);
    rc = rc < 0 ? rc : each(s, r, PROFILE_SAMPLE, take_sample);
    s->texts.count = 0;
    import_sort(&s->import);
    import_set_format(&s->import, "pprof");
    return rc;
}

static int unpack(struct pprof_source *s)
{
    struct import *i = &s->import;
    if (!gzip_is(i->text, i->size))
        return 0;
    uint64_t limit = (uint64_t)i->size * GZIP_RATIO_MAX + (1 << 20);
    int rc = gzip_decompress(
        i->text, i->size, limit < IMPORT_UNPACKED_MAX ? limit : IMPORT_UNPACKED_MAX, &i->unpacked);
    i->text = i->unpacked.size ? i->unpacked.data : "";
    i->size = i->unpacked.size;
    return rc;
}

/* ---- the source ---- */

static void pprof_close(void *state)
{
    struct pprof_source *s = state;
    import_done(&s->import);
    VEC_DONE(&s->texts);
    VEC_DONE(&s->functions);
    VEC_DONE(&s->modules);
    VEC_DONE(&s->places);
    VEC_DONE(&s->ids);
    map_done(&s->function_by_id);
    map_done(&s->module_by_id);
    map_done(&s->place_by_id);
}

static int pprof_open(void *state, const struct source_bytes *file, struct model_catalog *catalog,
                      struct oriel_err *err)
{
    struct pprof_source *s = state;
    memset(s, 0, sizeof *s);
    int rc = import_init(&s->import, file, catalog);
    if (rc == 0)
        rc = unpack(s);
    if (rc == 0)
        rc = parse(s);
    if (rc == 0)
        return 0;
    pprof_close(s);
    if (rc == ORIEL_EDAMAGED || rc == ORIEL_EFORMAT)
        return err_set(err, rc, "%s: damaged, or packed but not a pprof profile", file->path);
    return err_set(err, rc, "%s: %s", file->path, err_text(rc));
}

static int pprof_poll(void *state, struct model_batch *batch, size_t max_records,
                      struct oriel_err *err)
{
    int rc = import_poll(&((struct pprof_source *)state)->import, batch, max_records);
    return rc < 0 ? err_set(err, rc, "pprof: %s", err_text(rc)) : rc;
}

static void pprof_damage(const void *state, struct source_damage *out)
{
    import_damage(&((const struct pprof_source *)state)->import, out);
}

const struct source source_pprof = {.name = "pprof",
                                    .state_size = sizeof(struct pprof_source),
                                    .recognizes = pprof_recognizes,
                                    .open_bytes = pprof_open,
                                    .poll = pprof_poll,
                                    .damage = pprof_damage,
                                    .close = pprof_close};
