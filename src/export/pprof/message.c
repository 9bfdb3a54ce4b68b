/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One Profile message. Locations are places, mappings are modules: their
 * numbers are those of the catalog plus one, and only what is used is written.
 * Addresses are those of the object file; a mapping that begins and ends at 0
 * tells readers not to move them. Runs on one thread.
 */
#include <assert.h>
#include <string.h>

#include "base/intern.h"
#include "base/vec.h"
#include "export/pprof/pprof.h"
#include "util/pb.h"
#include "util/utf8.h"

/* The two values of a kind: how many there were, and what they weigh. Names
 * that viewers know from Go's own profiles where there are such. */
struct value_type {
    const char *name, *unit;
};
static const struct value_type values[ORIEL_SAMPLE_KINDS][2] = {
    [0] = {{"samples", "count"}, {"unknown", "count"}},
    [ORIEL_SAMPLE_CPU] = {{"samples", "count"}, {"cpu", "nanoseconds"}},
    [ORIEL_SAMPLE_OFF_CPU] = {{"waits", "count"}, {"off_cpu", "nanoseconds"}},
    [ORIEL_SAMPLE_ALLOC] = {{"alloc_objects", "count"}, {"alloc_space", "bytes"}},
    [ORIEL_SAMPLE_FREE] = {{"free_objects", "count"}, {"free_space", "bytes"}},
    [ORIEL_SAMPLE_LOCK] = {{"contentions", "count"}, {"delay", "nanoseconds"}},
    [ORIEL_SAMPLE_FAULT] = {{"fault_samples", "count"}, {"page_faults", "count"}},
    [ORIEL_SAMPLE_PREEMPTED] = {{"preemptions", "count"}, {"preempted", "nanoseconds"}},
    [ORIEL_SAMPLE_WAKE] = {{"wakes", "count"}, {"wait_ended", "nanoseconds"}},
    [ORIEL_SAMPLE_DEPTH] = {{"deeper", "count"}, {"stack_depth", "bytes"}},
    [ORIEL_SAMPLE_HOLDER] = {{"held", "count"}, {"held_delay", "nanoseconds"}},
    [ORIEL_SAMPLE_LIVE] = {{"inuse_objects", "count"}, {"inuse_space", "bytes"}},
    [ORIEL_SAMPLE_TEMPORARY] = {{"temporary_objects", "count"}, {"temporary_space", "bytes"}},
    [ORIEL_SAMPLE_PEAK] = {{"peak_objects", "count"}, {"peak_space", "bytes"}},
    [ORIEL_SAMPLE_CONDITION] = {{"condition_waits", "count"}, {"condition_delay", "nanoseconds"}},
    [ORIEL_SAMPLE_CALL] = {{"calls", "count"}, {"call_time", "nanoseconds"}},
};

struct function {
    uint32_t name, linkage, file, start;
};

struct message {
    const struct pprof *p;
    const struct model_stacks *stacks;
    struct buf *out;
    struct intern strings; /* ids are those of the string table */
    struct intern functions;
    VEC(bool) places, modules; /* used */
    uint8_t kinds[ORIEL_SAMPLE_KINDS];
    unsigned kind_count;
    bool failed;
};

/* Texts of the format are UTF-8; what is not is repaired. */
static uint64_t text_n(struct message *m, const char *p, size_t n)
{
    struct buf repaired;
    buf_init(&repaired);
    if (n && !utf8_valid(p, n)) {
        utf8_repair(&repaired, p, n);
        p = repaired.data;
        n = repaired.size;
    }
    uint32_t id = repaired.failed ? UINT32_MAX : intern_add(&m->strings, p, n);
    m->failed |= id == UINT32_MAX;
    buf_done(&repaired);
    return id;
}

static uint64_t text(struct message *m, const char *s)
{
    return text_n(m, s, strlen(s));
}

static void put_value_type(struct message *m, uint32_t field, const struct value_type *v)
{
    struct pb_mark type = pb_open(m->out, field, 1);
    pb_uint(m->out, VALUE_TYPE, text(m, v->name));
    pb_uint(m->out, VALUE_UNIT, text(m, v->unit));
    pb_close(m->out, type);
}

/* ---- samples ---- */

static void put_label(struct message *m, const char *key, const char *p, size_t n)
{
    struct pb_mark label = pb_open(m->out, SAMPLE_LABEL, 1);
    pb_uint(m->out, LABEL_KEY, text(m, key));
    pb_uint(m->out, LABEL_TEXT, text_n(m, p, n));
    pb_close(m->out, label);
}

static void put_number_label(struct message *m, const char *key, int64_t v)
{
    struct pb_mark label = pb_open(m->out, SAMPLE_LABEL, 1);
    pb_uint(m->out, LABEL_KEY, text(m, key));
    pb_int(m->out, LABEL_NUMBER, v);
    pb_close(m->out, label);
}

static void put_labels(struct message *m, const struct model_profile_row *row)
{
    const struct model_catalog *c = m->p->env.catalog;
    const struct model_thread *t = c->threads[row->thread];
    put_number_label(m, "thread_id", t->tid);
    if (t->name.n)
        put_label(m, "thread_name", t->name.p, t->name.n);
    if (c->process_count > 1)
        put_number_label(m, "process_id", c->processes[t->process]->pid);
    if (row->site)
        put_label(m, "span_name", row->site->name.p, row->site->name.n);
    if (row->span_id) {
        char span[17], trace[33];
        model_span_hex(row->span_id, span);
        model_trace_hex(row->trace_id, trace);
        put_label(m, "span_id", span, 16);
        put_label(m, "trace_id", trace, 32);
    }
}

static void put_locations(struct message *m, uint32_t stack)
{
    struct pb_mark ids = pb_open(m->out, SAMPLE_LOCATION, 2);
    const struct model_stack *s;
    for (; (s = model_stack(m->stacks, stack)) != NULL; stack = s->parent) {
        pb_varint(m->out, (uint64_t)s->place + 1);
        m->places.items[s->place] = true;
        m->modules.items[m->stacks->places[s->place]->module] = true;
    }
    pb_close(m->out, ids);
}

static void put_sample(struct message *m, const struct model_profile_row *row)
{
    struct pb_mark sample = pb_open(m->out, PROFILE_SAMPLE, 2);
    put_locations(m, row->stack);
    struct pb_mark sums = pb_open(m->out, SAMPLE_VALUE, 1);
    for (unsigned i = 0; i < m->kind_count; i++) {
        bool mine = m->kinds[i] == row->kind;
        pb_varint(m->out, mine ? row->count : 0);
        pb_varint(m->out, mine ? row->weight : 0);
    }
    pb_close(m->out, sums);
    put_labels(m, row);
    pb_close(m->out, sample);
}

static void put_samples(struct message *m)
{
    const struct model_profile *rows = &m->p->profile;
    for (uint8_t kind = 0; kind < ORIEL_SAMPLE_KINDS; kind++)
        if (rows->samples[kind])
            m->kinds[m->kind_count++] = kind;
    for (unsigned i = 0; i < m->kind_count; i++)
        for (unsigned k = 0; k < 2; k++)
            put_value_type(m, PROFILE_SAMPLE_TYPE, &values[m->kinds[i]][k]);
    for (uint32_t i = 0; i < rows->row_count && !m->out->failed; i++)
        put_sample(m, &rows->rows[i]);
}

/* ---- places ---- */

/* Its number from 1, by all that makes it different. */
static uint64_t function_id(struct message *m, const struct model_line *l)
{
    struct function f = {.name = (uint32_t)text_n(m, l->function.p, l->function.n),
                         .file = (uint32_t)text_n(m, l->file.p, l->file.n),
                         .start = l->start_line};
    f.linkage = l->linkage.n ? (uint32_t)text_n(m, l->linkage.p, l->linkage.n) : f.name;
    uint32_t id = intern_add(&m->functions, (const char *)&f, sizeof f);
    m->failed |= id == UINT32_MAX;
    return id;
}

static void put_location(struct message *m, const struct model_place *p)
{
    struct buf *b = m->out;
    struct pb_mark location = pb_open(b, PROFILE_LOCATION, 1);
    pb_uint(b, LOCATION_ID, (uint64_t)p->index + 1);
    pb_uint(b, LOCATION_MAPPING, (uint64_t)p->module + 1);
    pb_uint(b, LOCATION_ADDRESS, p->address);
    for (unsigned i = 0; i < p->line_count; i++) {
        struct pb_mark line = pb_open(b, LOCATION_LINE, 1);
        pb_uint(b, LINE_FUNCTION, function_id(m, &p->lines[i]));
        pb_uint(b, LINE_LINE, p->lines[i].line);
        if (p->lines[i].column)
            pb_uint(b, LINE_COLUMN, p->lines[i].column);
        pb_close(b, line);
    }
    pb_close(b, location);
}

static void put_functions(struct message *m)
{
    for (uint32_t i = 1; i < m->functions.count; i++) {
        struct function f;
        struct intern_str bytes = intern_get(&m->functions, i);
        assert(bytes.n == sizeof f);
        memcpy(&f, bytes.p, sizeof f);
        struct pb_mark function = pb_open(m->out, PROFILE_FUNCTION, 1);
        pb_uint(m->out, FUNCTION_ID, i);
        pb_uint(m->out, FUNCTION_NAME, f.name);
        pb_uint(m->out, FUNCTION_SYSTEM_NAME, f.linkage);
        pb_uint(m->out, FUNCTION_FILE, f.file);
        pb_uint(m->out, FUNCTION_START, f.start);
        pb_close(m->out, function);
    }
}

/* Whether the lines of a module are known, so that readers need not look. */
static bool is_resolved(const struct message *m, uint32_t module)
{
    for (uint32_t i = 0; i < m->stacks->place_count; i++)
        if (m->places.items[i] && m->stacks->places[i]->module == module &&
            m->stacks->places[i]->line_count)
            return true;
    return false;
}

static void put_mapping(struct message *m, const struct model_module *module)
{
    static const char digits[] = "0123456789abcdef";
    char id[2 * MODEL_BUILD_ID_MAX];
    struct buf *b = m->out;
    for (unsigned i = 0; i < module->build_id_bytes; i++) {
        id[2 * i] = digits[module->build_id[i] >> 4];
        id[2 * i + 1] = digits[module->build_id[i] & 15];
    }
    struct pb_mark mapping = pb_open(b, PROFILE_MAPPING, 1);
    pb_uint(b, MAPPING_ID, (uint64_t)module->index + 1);
    pb_uint(b, MAPPING_FILE, text_n(m, module->path.p, module->path.n));
    if (module->build_id_bytes)
        pb_uint(b, MAPPING_BUILD_ID, text_n(m, id, (size_t)2 * module->build_id_bytes));
    if (is_resolved(m, module->index))
        for (uint32_t has = MAPPING_HAS_FUNCTIONS; has <= MAPPING_HAS_INLINES; has++)
            pb_bool(b, has, true);
    pb_close(b, mapping);
}

/* The program itself stands first: readers name the profile after it. */
static void put_mappings(struct message *m)
{
    const struct model_catalog *c = m->p->env.catalog;
    uint32_t first = UINT32_MAX;
    for (uint32_t i = 0; i < m->modules.count && first == UINT32_MAX; i++)
        if (m->modules.items[i] && c->process_count &&
            model_str_equal(m->stacks->modules[i]->path, c->processes[0]->exe))
            first = i;
    if (first != UINT32_MAX)
        put_mapping(m, m->stacks->modules[first]);
    for (uint32_t i = 0; i < m->modules.count; i++)
        if (i != first && m->modules.items[i])
            put_mapping(m, m->stacks->modules[i]);
}

/* ---- about the whole ---- */

static void put_comment(struct message *m, const char *what, struct model_str s)
{
    struct buf line;
    buf_init(&line);
    buf_puts(&line, what);
    for (uint32_t i = 0; i < s.n; i++)
        buf_putc(&line, s.p[i] ? s.p[i] : ' ');
    while (line.size && line.data[line.size - 1] == ' ')
        line.size--;
    if (s.n)
        pb_uint(m->out, PROFILE_COMMENT, text_n(m, line.data, line.size));
    m->failed |= line.failed;
    buf_done(&line);
}

static void put_facts(struct message *m, const struct export_summary *end)
{
    const struct model_catalog *c = m->p->env.catalog;
    const struct model_profile *rows = &m->p->profile;
    uint8_t main_kind = m->kinds[0];
    uint64_t events = 0, weight = rows->weight[main_kind];
    uint64_t from = c->start_ns ? c->start_ns : rows->first_ns;
    uint64_t to = end->end_ns > rows->last_ns ? end->end_ns : rows->last_ns;
    for (uint32_t i = 0; i < rows->row_count; i++)
        events += rows->rows[i].kind == main_kind ? rows->rows[i].count : 0;
    pb_uint(m->out, PROFILE_TIME, from);
    pb_uint(m->out, PROFILE_DURATION, to > from ? to - from : 0);
    put_value_type(m, PROFILE_PERIOD_TYPE, &values[main_kind][1]);
    pb_uint(m->out, PROFILE_PERIOD, events && weight > events ? weight / events : 1);
    pb_uint(m->out, PROFILE_DEFAULT_TYPE, text(m, values[main_kind][1].name));
    if (c->process_count)
        put_comment(m, "command: ", c->processes[0]->cmdline);
    put_comment(m, "commit: ", model_catalog_resource(c, "vcs.ref.head.revision"));
    put_comment(m, "oriel ",
                (struct model_str){m->p->env.version, (uint32_t)strlen(m->p->env.version)});
}

static bool begin(struct message *m)
{
    if (intern_init(&m->strings) < 0 || intern_init(&m->functions) < 0)
        return false;
    while (m->places.count < m->stacks->place_count)
        if (!VEC_PUSH(&m->places))
            return false;
    while (m->modules.count < m->stacks->module_count)
        if (!VEC_PUSH(&m->modules))
            return false;
    return true;
}

static void put_all(struct message *m, const struct export_summary *end)
{
    put_samples(m);
    put_mappings(m);
    for (uint32_t i = 0; i < m->places.count; i++)
        if (m->places.items[i])
            put_location(m, m->stacks->places[i]);
    put_functions(m);
    put_facts(m, end);
    for (uint32_t i = 0; i < m->strings.count; i++) {
        struct intern_str s = intern_get(&m->strings, i);
        pb_bytes(m->out, PROFILE_STRING, s.p, s.n);
    }
}

int pprof_put(const struct pprof *p, const struct export_summary *end, struct buf *out)
{
    assert(p->profile.row_count && out);
    struct message m = {.p = p, .stacks = &p->env.catalog->stacks, .out = out};
    if (begin(&m))
        put_all(&m, end);
    else
        m.failed = true;
    VEC_DONE(&m.places);
    VEC_DONE(&m.modules);
    intern_done(&m.functions);
    intern_done(&m.strings);
    return m.failed || out->failed ? ORIEL_ENOMEM : 0;
}
