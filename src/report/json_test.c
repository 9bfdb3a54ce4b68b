/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The JSON report against docs/report.schema.json. The checker below knows the
 * few words the schema uses, refuses any other, and, stricter than the schema,
 * takes a member that is not described for a mistake.
 */
#include "report/testing.h"

#include "base/buf.h"
#include "base/mem.h"
#include "util/json.h"

enum { SCHEMA_BYTES = 1 << 16 };

struct checker {
    const struct json_value *root;
    char where[256];
    unsigned mistakes;
    char first[512];
};

static void mistake(struct checker *c, const char *what)
{
    if (c->mistakes++ == 0)
        snprintf(c->first, sizeof c->first, "%s: %s", c->where, what);
}

static bool check(struct checker *c, const struct json_value *s, const struct json_value *v);

static bool text_is(const struct json_value *v, const char *text)
{
    return v && v->type == JSON_STRING && strcmp(v->text, text) == 0;
}

static bool same(const struct json_value *a, const struct json_value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == JSON_STRING)
        return strcmp(a->text, b->text) == 0;
    return a->type == JSON_NUMBER ? a->number == b->number : a->boolean == b->boolean;
}

static bool type_is(const struct json_value *type, const struct json_value *v)
{
    switch (v->type) {
    case JSON_NULL:
        return text_is(type, "null");
    case JSON_BOOL:
        return text_is(type, "boolean");
    case JSON_NUMBER:
        return text_is(type, "number") || (text_is(type, "integer") && v->is_integer);
    case JSON_STRING:
        return text_is(type, "string");
    case JSON_ARRAY:
        return text_is(type, "array");
    case JSON_OBJECT:
        return text_is(type, "object");
    }
    return false;
}

static bool type_fits(const struct json_value *types, const struct json_value *v)
{
    if (types->type == JSON_STRING)
        return type_is(types, v);
    for (const struct json_value *t = types->first; t; t = t->next)
        if (type_is(t, v))
            return true;
    return false;
}

/* One branch of anyOf: mistakes in it count only if no branch fits. */
static bool fits(const struct checker *c, const struct json_value *s, const struct json_value *v)
{
    struct checker trial = *c;
    trial.mistakes = 0;
    check(&trial, s, v);
    return trial.mistakes == 0;
}

static void check_object(struct checker *c, const struct json_value *s, const struct json_value *v)
{
    const struct json_value *properties = json_get(s, "properties");
    const struct json_value *others = json_get(s, "additionalProperties");
    for (const struct json_value *m = v->first; m; m = m->next) {
        size_t n = strlen(c->where);
        const struct json_value *known = json_get(properties, m->key);
        snprintf(c->where + n, sizeof c->where - n, ".%s", m->key);
        if (known || others)
            check(c, known ? known : others, m);
        else
            mistake(c, "a member the schema does not describe");
        c->where[n] = 0;
    }
}

static bool word_type(struct checker *c, const struct json_value *w, const struct json_value *v)
{
    (void)c;
    return type_fits(w, v);
}

static bool word_const(struct checker *c, const struct json_value *w, const struct json_value *v)
{
    (void)c;
    return same(w, v);
}

static bool word_enum(struct checker *c, const struct json_value *w, const struct json_value *v)
{
    bool ok = false;
    (void)c;
    for (const struct json_value *e = w->first; e && !ok; e = e->next)
        ok = same(e, v);
    return ok;
}

static bool word_any(struct checker *c, const struct json_value *w, const struct json_value *v)
{
    bool ok = false;
    for (const struct json_value *s = w->first; s && !ok; s = s->next)
        ok = fits(c, s, v);
    return ok;
}

static bool word_minimum(struct checker *c, const struct json_value *w, const struct json_value *v)
{
    (void)c;
    return v->type != JSON_NUMBER || v->number >= w->number;
}

static bool word_shortest(struct checker *c, const struct json_value *w, const struct json_value *v)
{
    (void)c;
    return v->type != JSON_STRING || v->text_n >= w->integer;
}

static bool word_longest(struct checker *c, const struct json_value *w, const struct json_value *v)
{
    (void)c;
    return v->type != JSON_STRING || v->text_n <= w->integer;
}

static bool word_required(struct checker *c, const struct json_value *w, const struct json_value *v)
{
    bool ok = true;
    (void)c;
    for (const struct json_value *r = w->first; r && v->type == JSON_OBJECT; r = r->next)
        ok = ok && json_get(v, r->text);
    return ok;
}

static bool word_items(struct checker *c, const struct json_value *w, const struct json_value *v)
{
    for (const struct json_value *i = v->type == JSON_ARRAY ? v->first : NULL; i; i = i->next)
        check(c, w, i);
    return true;
}

static bool word_ref(struct checker *c, const struct json_value *w, const struct json_value *v)
{
    static const char prefix[] = "#/$defs/";
    REQUIRE(strncmp(w->text, prefix, sizeof prefix - 1) == 0);
    const struct json_value *def =
        json_get(json_get(c->root, "$defs"), w->text + sizeof prefix - 1);
    REQUIRE(def);
    check(c, def, v);
    return true;
}

static const struct {
    const char *name;
    bool (*fits)(struct checker *c, const struct json_value *w, const struct json_value *v);
} words[] = {
    {"type", word_type},
    {"const", word_const},
    {"enum", word_enum},
    {"anyOf", word_any},
    {"minimum", word_minimum},
    {"minLength", word_shortest},
    {"maxLength", word_longest},
    {"required", word_required},
    {"items", word_items},
    {"$ref", word_ref},
    {"properties", NULL},
    {"additionalProperties", NULL},
    {"title", NULL},
    {"description", NULL},
    {"$schema", NULL},
    {"$defs", NULL},
};

static void check_word(struct checker *c, const struct json_value *w, const struct json_value *v)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].name, w->key) != 0)
            continue;
        if (words[i].fits && !words[i].fits(c, w, v))
            mistake(c, w->key);
        return;
    }
    mistake(c, w->key); /* a word nobody here knows */
}

static bool check(struct checker *c, const struct json_value *s, const struct json_value *v)
{
    unsigned before = c->mistakes;
    for (const struct json_value *word = s->first; word; word = word->next)
        check_word(c, word, v);
    if (v->type == JSON_OBJECT &&
        (json_get(s, "properties") || json_get(s, "additionalProperties")))
        check_object(c, s, v);
    return c->mistakes == before;
}

static const struct json_value *parse(struct arena *a, const char *text, size_t n)
{
    struct json_value *v = NULL;
    struct oriel_err err = {0};
    const struct json_read_options o = {.size = sizeof o, .unique_keys = true};
    if (json_read(a, text, n, &o, &v, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return v;
}

/* The parsed report, checked. */
static const struct json_value *checked(struct fx *f, struct arena *a,
                                        const struct report_facts *facts)
{
    static char schema[SCHEMA_BYTES];
    struct buf b;
    FILE *file = fopen(TEST_SOURCE_DIR "/docs/report.schema.json", "r");
    REQUIRE(file);
    size_t n = fread(schema, 1, sizeof schema, file);
    fclose(file);
    REQUIRE(n < sizeof schema);
    struct checker c = {.root = parse(a, schema, n)};
    fx_told(f, &b, true, facts);
    const struct json_value *v = parse(a, b.data, b.size);
    check(&c, c.root, v);
    if (c.mistakes)
        test_fail(__FILE__, __LINE__, "%u mistakes, the first at %s", c.mistakes, c.first);
    buf_done(&b);
    return v;
}

TEST(an_empty_report_has_every_part)
{
    struct fx f;
    struct arena a;
    arena_init(&a);
    fx_init(&f, NULL);
    const struct json_value *v = checked(&f, &a, NULL);
    CHECK_EQ(json_get(v, "tree")->count, 0);
    CHECK_EQ(json_get(v, "latency")->type, JSON_NULL);
    fx_done(&f);
    arena_done(&a);
}

TEST(numbers_are_exact_integers)
{
    struct fx f;
    struct arena a;
    struct report_facts facts = {.records = UINT64_MAX, .first_damage = 77, .truncated = true};
    facts.lost[ORIEL_LOST_TOO_LARGE] = UINT64_C(9007199254740993);
    arena_init(&a);
    fx_init(&f, NULL);
    fx_span(&f, 0, "s", UINT64_C(9007199254740993));
    const struct json_value *v = checked(&f, &a, &facts);
    CHECK_EQ(json_get(json_get(v, "counts"), "records")->integer, UINT64_MAX);
    CHECK_EQ(json_get_i64(json_at(json_get(v, "tree"), 0), "total_ns", 0), 9007199254740993);
    const struct json_value *quality = json_get(v, "quality");
    CHECK_EQ(json_get_i64(quality, "lost", 0), 9007199254740993);
    CHECK_EQ(json_get_i64(quality, "first_damage", 0), 77);
    CHECK_STR(json_get_string(json_at(json_get(quality, "lost_by_cause"), 0), "cause", ""),
              "record too large");
    fx_done(&f);
    arena_done(&a);
}

TEST(every_kind_of_value_stays_what_it_is)
{
    struct fx f;
    struct arena a;
    arena_init(&a);
    fx_init(&f, NULL);
    struct model_span *s = fx_begin(&f, 0, "s");
    struct model_value *v = fx_values(&f, 9);
    v[0] = fx_i64("i", INT64_MIN);
    v[1] = (struct model_value){.key = fx_str("u"), .type = ORIEL_TYPE_U64, .v.u64 = UINT64_MAX};
    v[2] = (struct model_value){.key = fx_str("f"), .type = ORIEL_TYPE_F64, .v.f64 = 0.1};
    v[3] = (struct model_value){.key = fx_str("nan"), .type = ORIEL_TYPE_F64};
    v[3].v.f64 = __builtin_nan("");
    v[4] = (struct model_value){.key = fx_str("b"), .type = ORIEL_TYPE_BOOL, .v.b = true};
    v[5] = (struct model_value){.key = fx_str("p"), .type = ORIEL_TYPE_PTR, .v.u64 = 0xdeadbeef};
    v[6] = fx_text("bad", "\xff\"\n");
    v[7] = fx_text("i", "said again");
    v[8] = (struct model_value){.key = fx_str("raw"), .type = ORIEL_TYPE_BYTES};
    v[8].v.str = (struct model_str){"\0\1", 2};
    s->attrs = v;
    s->attr_count = 9;
    f.now += 5;
    fx_end(&f, 0);
    const struct json_value *slow = json_at(json_get(checked(&f, &a, NULL), "slowest"), 0);
    const struct json_value *got = json_get(slow, "attributes");
    REQUIRE(got);
    CHECK_EQ(got->count, 8);
    CHECK_STR(json_get_string(got, "i", ""), "said again");
    CHECK_EQ(json_get(got, "u")->integer, UINT64_MAX);
    CHECK(json_get_double(got, "f", 0) == 0.1);
    CHECK_EQ(json_get(got, "nan")->type, JSON_NULL);
    CHECK_EQ(json_get_bool(got, "b", false), true);
    CHECK_STR(json_get_string(got, "p", ""), "0xdeadbeef");
    CHECK_STR(json_get_string(got, "bad", ""), "\xef\xbf\xbd\"\n");
    CHECK_STR(json_get_string(got, "raw", ""), "0001");
    fx_done(&f);
    arena_done(&a);
}

TEST(the_tree_names_parents_by_index)
{
    struct fx f;
    struct arena a;
    arena_init(&a);
    fx_init(&f, NULL);
    for (int i = 0; i < 100; i++) /* deeper than a nested shape could be read */
        fx_begin(&f, 0, i % 2 ? "odd" : "even");
    for (int i = 0; i < 100; i++) {
        f.now += 10;
        fx_end(&f, 0);
    }
    const struct json_value *tree = json_get(checked(&f, &a, NULL), "tree");
    CHECK(tree->count > 60);
    for (uint32_t i = 1; i < 60; i++) {
        const struct json_value *n = json_at(tree, i);
        CHECK_EQ(json_get_i64(n, "parent", -1), i - 1);
        CHECK_EQ(json_get_i64(n, "depth", -1), i);
        CHECK_STR(json_get_string(n, "name", ""), i % 2 ? "odd" : "even");
    }
    fx_done(&f);
    arena_done(&a);
}

TEST(latency_and_traces_are_there_when_asked_for)
{
    struct fx f;
    struct arena a;
    struct report_options o = {
        .size = sizeof o, .tree = true, .from = "a", .to = "b", .key = "job"};
    arena_init(&a);
    fx_init(&f, &o);
    fx_begin(&f, 0, "root");
    for (int64_t i = 0; i < 10; i++) {
        struct model_event *e = fx_event(&f, 0, ORIEL_LEVEL_INFO, "t", i < 5 ? "a" : "b");
        struct model_value *v = fx_values(&f, 1);
        v[0] = fx_i64("job", i % 5);
        e->attrs = v;
        e->attr_count = 1;
        f.now += 100;
    }
    fx_end(&f, 0);
    const struct json_value *v = checked(&f, &a, NULL), *l = json_get(v, "latency");
    CHECK_STR(json_get_string(l, "matched_by", ""), "key");
    CHECK_EQ(json_get_i64(l, "count", 0), 5);
    CHECK_EQ(json_get_i64(l, "max_ns", 0), 500);
    const struct json_value *trace = json_at(json_get(v, "traces"), 0);
    CHECK_EQ(json_get_i64(trace, "span_count", 0), 1);
    CHECK_EQ(json_get(trace, "events")->count, 10);
    fx_done(&f);
    arena_done(&a);
}

TEST(samples_are_told_by_function_span_and_thread)
{
    struct fx f;
    struct arena a;
    arena_init(&a);
    fx_init(&f, NULL);
    for (int i = 0; i < 3; i++)
        fx_sample(&f, ORIEL_SAMPLE_CPU, 1, NULL, "parse", 1000);
    const struct json_value *cpu = json_at(json_get(checked(&f, &a, NULL), "profile"), 0);
    const struct json_value *function = json_at(json_get(cpu, "functions"), 0);
    CHECK_STR(json_get_string(cpu, "kind", ""), "cpu");
    CHECK_EQ(json_get_i64(cpu, "weight", 0), 3000);
    CHECK_STR(json_get_string(function, "name", ""), "parse");
    CHECK_EQ(json_get_i64(function, "line", 0), 7);
    CHECK_EQ(json_get_i64(function, "self", 0), 3000);
    CHECK_EQ(json_get(json_at(json_get(cpu, "spans"), 0), "name")->type, JSON_NULL);
    CHECK_STR(json_get_string(json_at(json_get(cpu, "threads"), 0), "name", ""), "worker-1");
    fx_done(&f);
    arena_done(&a);
}

TEST(memory_is_told_by_function_and_by_span)
{
    struct fx f;
    struct arena a;
    arena_init(&a);
    fx_init(&f, NULL);
    fx_run_busy(&f);
    const struct json_value *memory = json_get(checked(&f, &a, NULL), "memory");
    const struct json_value *totals = json_get(memory, "totals");
    CHECK_EQ(json_get_i64(totals, "allocated_bytes", 0), 9600000);
    CHECK_EQ(json_get_i64(totals, "peak_bytes", 0), 2000000);
    CHECK_EQ(json_get_i64(totals, "live_bytes", 0), 400000);
    const struct json_value *functions = json_get(memory, "functions");
    CHECK_EQ(functions->count, 2);
    CHECK_STR(json_get_string(json_at(functions, 0), "name", ""), "scan");
    CHECK_EQ(json_get_i64(json_at(functions, 0), "allocated_bytes", 0), 9000000);
    CHECK_EQ(json_get_i64(json_at(functions, 0), "live_bytes", 0), 500000);
    CHECK_EQ(json_get_i64(json_at(functions, 1), "live_bytes", -1), 0);
    const struct json_value *parse = json_at(json_get(memory, "spans"), 0);
    CHECK_STR(json_get_string(parse, "name", ""), "parse");
    CHECK_EQ(json_get_i64(json_get(parse, "self"), "allocated_bytes", 0), 8000000);
    CHECK_EQ(json_get_i64(json_get(parse, "self"), "net_bytes", 0), 1000000);
    CHECK_EQ(json_get_i64(json_get(parse, "total"), "allocated_bytes", 0), 8600000);
    CHECK_EQ(json_get_i64(json_get(parse, "total"), "allocations", 0), 5);
    const struct json_value *store = json_at(json_get(memory, "spans"), 1);
    CHECK_EQ(json_get_i64(json_get(store, "self"), "net_bytes", 0), -100000);
    fx_done(&f);
    arena_done(&a);
}

TEST(the_summary_is_what_the_first_lines_of_the_text_say)
{
    struct fx f;
    struct arena a;
    arena_init(&a);
    fx_init(&f, NULL);
    fx_run_busy(&f);
    const struct json_value *all = json_get(checked(&f, &a, NULL), "summary");
    const struct json_value *cpu = json_at(all, 0);
    CHECK_STR(json_get_string(cpu, "title", ""), "CPU time");
    CHECK_EQ(json_get_i64(cpu, "amount", 0), 40 * FX_MS);
    const struct json_value *function = json_get(cpu, "function"), *span = json_get(cpu, "span");
    CHECK_STR(json_get_string(function, "name", ""), "scan");
    CHECK_EQ(json_get_i64(function, "weight", 0) * 4, json_get_i64(function, "of", 0) * 3);
    CHECK_STR(json_get_string(span, "name", ""), "parse");
    CHECK_EQ(json_get_i64(json_get(cpu, "thread"), "tid", 0), 4712);
    CHECK_EQ(json_get(cpu, "reason")->type, JSON_NULL);
    bool told = false;
    for (uint32_t i = 0; i < all->count; i++) {
        const struct json_value *line = json_at(all, i);
        if (strcmp(json_get_string(line, "kind", ""), "alloc_space") != 0)
            continue;
        told = true;
        CHECK_EQ(json_get_i64(line, "amount", 0), 9600000); /* exact; shares are sampled */
        CHECK_STR(json_get_string(line, "unit", ""), "bytes");
    }
    CHECK(told);
    fx_done(&f);
    arena_done(&a);
}

TEST(exact_sums_of_memory_name_no_thread_and_no_span)
{
    struct fx f;
    struct arena a;
    arena_init(&a);
    fx_init(&f, NULL);
    fx_run_busy(&f);
    const struct json_value *profile = json_get(checked(&f, &a, NULL), "profile");
    for (uint32_t i = 0; i < profile->count; i++) /* sampled: they are known */
        CHECK(json_get(json_at(profile, i), "threads")->count > 0);
    REQUIRE(model_catalog_set_resource(&f.catalog, MODEL_STR("oriel.heap"), MODEL_STR("exact")) ==
            0);
    profile = json_get(checked(&f, &a, NULL), "profile");
    for (uint32_t i = 0; i < profile->count; i++) {
        const struct json_value *v = json_at(profile, i);
        bool memory = strcmp(json_get_string(v, "unit", ""), "bytes") == 0;
        CHECK_EQ(json_get(v, "threads")->count == 0, memory);
        CHECK_EQ(json_get(v, "spans")->count == 0, memory);
    }
    fx_done(&f);
    arena_done(&a);
}

TEST(the_checker_finds_mistakes)
{
    static const char schema[] = "{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":"
                                 "{\"type\":\"integer\",\"minimum\":1}}}";
    static const char *const bad[] = {"{}", "[]", "{\"a\":0}", "{\"a\":1.5}", "{\"a\":1,\"b\":2}"};
    struct arena a;
    arena_init(&a);
    struct checker c = {.root = parse(&a, schema, sizeof schema - 1)};
    CHECK(check(&c, c.root, parse(&a, "{\"a\":1}", 7)));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!check(&c, c.root, parse(&a, bad[i], strlen(bad[i]))));
    arena_done(&a);
}

TEST_MAIN()
