/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Meta entries written and read back, clamped, cut, and lied about.
 */
#include "wire/meta.h"

#include <oriel/abi/runtime.h>

#include <stdlib.h>

#include "test.h"

static oriel_word word;

static struct oriel_site make_site(const struct oriel_field *fields, uint32_t count)
{
    struct oriel_site s = {.abi_version = ORIEL_ABI_VERSION,
                           .kind = ORIEL_SITE_EVENT,
                           .level = ORIEL_LEVEL_WARN,
                           .line = 42,
                           .field_count = count,
                           .name = "cache miss",
                           .target = "db.cache",
                           .file = "src/cache.c",
                           .function = "cache_get",
                           .format = "miss of %s",
                           .fields = fields,
                           .word = &word};
    return s;
}

static const struct oriel_field three[] = {
    {"key", ORIEL_TYPE_STR, 0},
    {ORIEL_MARK_SECRET "token", ORIEL_TYPE_BYTES, 0},
    {ORIEL_MARK_ARG ORIEL_MARK_SECRET "n", ORIEL_TYPE_I64, 0},
};

static uint64_t entry[WIRE_META_ENTRY_MAX / 8];

static bool is(struct wire_text t, const char *s)
{
    return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

static size_t write_entry(const struct oriel_site *s)
{
    size_t n = wire_meta_site_bytes(s);
    REQUIRE(n > 0 && n % 8 == 0 && n <= sizeof entry);
    memset(entry, 0xee, sizeof entry);
    wire_meta_begin(entry, n);
    wire_meta_site_write(entry, n, s, 77, 3);
    return n;
}

TEST(a_site_comes_back_as_it_was_written)
{
    struct oriel_site s = make_site(three, 3);
    struct wire_meta_site_view v;
    struct wire_meta_field_view f;
    s.flags = ORIEL_SITE_NAMED;
    size_t n = write_entry(&s);
    REQUIRE(wire_meta_site_parse(entry, n, &v));
    CHECK(v.id == 77 && v.process == 3 && v.line == 42 && v.field_count == 3);
    CHECK(v.kind == ORIEL_SITE_EVENT && v.level == ORIEL_LEVEL_WARN);
    CHECK_EQ(v.flags, ORIEL_SITE_NAMED);
    CHECK(v.word_address == (uintptr_t)&word);
    CHECK(is(v.name, "cache miss") && is(v.target, "db.cache") && is(v.file, "src/cache.c"));
    CHECK(is(v.function, "cache_get") && is(v.format, "miss of %s"));
    REQUIRE(wire_meta_site_next(&v, &f));
    CHECK(is(f.name, "key") && f.type == ORIEL_TYPE_STR && f.flags == 0);
    REQUIRE(wire_meta_site_next(&v, &f));
    CHECK(is(f.name, "token") && f.flags == ORIEL_FIELD_SECRET);
    REQUIRE(wire_meta_site_next(&v, &f));
    CHECK(is(f.name, "n") && f.flags == (ORIEL_FIELD_SECRET | ORIEL_FIELD_ARG));
    CHECK(!wire_meta_site_next(&v, &f));
}

TEST(an_entry_is_pending_until_it_is_committed)
{
    struct oriel_site s = make_site(NULL, 0);
    size_t n = write_entry(&s);
    struct wire_meta *head = (struct wire_meta *)entry;
    CHECK_EQ(head->words, (uint32_t)(n / 8) | WIRE_META_PENDING);
    wire_meta_commit(entry);
    CHECK_EQ(head->words, n / 8);
}

TEST(missing_texts_are_empty_texts)
{
    static const struct oriel_field nameless[] = {{NULL, ORIEL_TYPE_U64, 0}};
    struct oriel_site s = {.abi_version = ORIEL_ABI_VERSION,
                           .kind = ORIEL_SITE_FRAME,
                           .field_count = 1,
                           .fields = nameless};
    struct wire_meta_site_view v;
    struct wire_meta_field_view f;
    size_t n = write_entry(&s);
    REQUIRE(wire_meta_site_parse(entry, n, &v));
    CHECK(v.name.n + v.target.n + v.file.n + v.function.n + v.format.n == 0);
    CHECK_EQ(v.level, ORIEL_LEVEL_TRACE); /* 0 is no level */
    CHECK(wire_meta_site_next(&v, &f) && f.name.n == 0);
}

TEST(long_texts_are_cut_and_the_entry_stays_bounded)
{
    static char text[100000];
    struct oriel_field many[WIRE_SITE_FIELDS_MAX];
    memset(text, 'x', sizeof text - 1);
    for (uint32_t i = 0; i < WIRE_SITE_FIELDS_MAX; i++)
        many[i] = (struct oriel_field){text, ORIEL_TYPE_STR, 0};
    struct oriel_site s = make_site(many, WIRE_SITE_FIELDS_MAX);
    s.name = s.target = s.file = s.function = s.format = text;
    s.level = 200;
    struct wire_meta_site_view v;
    struct wire_meta_field_view f;
    size_t n = write_entry(&s);
    REQUIRE(wire_meta_site_parse(entry, n, &v));
    CHECK(v.name.n == WIRE_META_NAME_MAX && v.file.n == WIRE_META_PATH_MAX);
    CHECK_EQ(v.level, ORIEL_LEVEL_FATAL);
    uint32_t seen = 0;
    while (wire_meta_site_next(&v, &f) && f.name.n == WIRE_META_KEY_MAX)
        seen++;
    CHECK_EQ(seen, WIRE_SITE_FIELDS_MAX);
    CHECK(v.name_at <= (char *)entry + n);
}

TEST(a_text_that_grew_after_it_was_measured_is_cut)
{
    char name[64] = "a";
    struct oriel_site s = make_site(three, 3);
    s.name = name;
    size_t n = wire_meta_site_bytes(&s);
    memset(name, 'b', sizeof name - 1);
    memset(entry, 0xee, sizeof entry);
    wire_meta_site_write(entry, n, &s, 2, 0);
    CHECK_EQ(((unsigned char *)entry)[n], 0xee);
    struct wire_meta_site_view v;
    CHECK(wire_meta_site_parse(entry, n, &v));
}

TEST(a_site_that_cannot_be_described_has_no_size)
{
    static const struct oriel_field odd[] = {{"x", 8, 0}}, none[] = {{"x", 0, 0}};
    static struct oriel_field many[WIRE_SITE_FIELDS_MAX + 1];
    struct oriel_site s = make_site(three, 3);
    s.abi_version++;
    CHECK_EQ(wire_meta_site_bytes(&s), 0);
    s = make_site(odd, 1);
    CHECK_EQ(wire_meta_site_bytes(&s), 0);
    s = make_site(none, 1);
    CHECK_EQ(wire_meta_site_bytes(&s), 0);
    s = make_site(NULL, 1);
    CHECK_EQ(wire_meta_site_bytes(&s), 0);
    for (uint32_t i = 0; i <= WIRE_SITE_FIELDS_MAX; i++)
        many[i].type = ORIEL_TYPE_U64;
    s = make_site(many, WIRE_SITE_FIELDS_MAX + 1);
    CHECK_EQ(wire_meta_site_bytes(&s), 0);
    s = make_site(three, 3);
    s.kind = 0;
    CHECK_EQ(wire_meta_site_bytes(&s), 0);
    s.kind = ORIEL_SITE_TASK + 1;
    CHECK_EQ(wire_meta_site_bytes(&s), 0);
}

/* Copies of exact size on the heap, so that a sanitizer sees a step too far. */
static bool parse_copy(const void *bytes, size_t n)
{
    struct wire_meta_site_view v;
    struct wire_meta_field_view f;
    struct wire_meta_resource_view r;
    struct wire_meta_module_view m;
    char *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    bool ok = wire_meta_site_parse(copy, n, &v);
    size_t sum = 0;
    if (ok) {
        while (wire_meta_site_next(&v, &f))
            for (uint32_t i = 0; i < f.name.n; i++)
                sum += (unsigned char)f.name.p[i];
        CHECK(v.name_at <= copy + n);
    }
    if (wire_meta_resource_parse(copy, n, &r))
        CHECK(r.value.p + r.value.n < copy + n);
    if (wire_meta_module_parse(copy, n, &m))
        CHECK(m.path.p + m.path.n <= copy + n);
    free(copy);
    return ok && sum < SIZE_MAX;
}

TEST(a_site_entry_cut_anywhere_is_refused)
{
    struct oriel_site s = make_site(three, 3);
    size_t n = write_entry(&s);
    CHECK(parse_copy(entry, n));
    for (size_t keep = 0; keep + 8 <= n; keep += 8)
        CHECK(!parse_copy(entry, keep));
}

TEST(an_entry_with_any_byte_changed_is_read_within_its_bounds)
{
    struct oriel_site s = make_site(three, 3);
    size_t n = write_entry(&s);
    unsigned char *bytes = (unsigned char *)entry;
    for (size_t at = 4; at < n; at++)
        for (int value = 0; value < 256; value += 5) {
            unsigned char kept = bytes[at];
            bytes[at] = (unsigned char)value;
            parse_copy(entry, n);
            bytes[at] = kept;
        }
}

TEST(a_site_with_impossible_numbers_is_refused)
{
    struct oriel_site s = make_site(three, 3);
    size_t n = write_entry(&s);
    struct wire_meta_site *m = (struct wire_meta_site *)entry, good = *m;
    m->id = 1;
    CHECK(!parse_copy(entry, n));
    *m = good, m->id = 65536;
    CHECK(!parse_copy(entry, n));
    *m = good, m->kind = 0;
    CHECK(!parse_copy(entry, n));
    *m = good, m->level = 7;
    CHECK(!parse_copy(entry, n));
    *m = good, m->head.type = 9;
    CHECK(!parse_copy(entry, n));
    *m = good, m->field_count = WIRE_SITE_FIELDS_MAX + 1;
    CHECK(!parse_copy(entry, n));
    *m = good;
    CHECK(parse_copy(entry, n));
}

TEST(a_resource_comes_back_as_it_was_written)
{
    struct wire_meta_resource_view v;
    size_t n = wire_meta_resource_bytes("service.name", "codesearch");
    wire_meta_resource_write(entry, n, "service.name", "codesearch", 2);
    REQUIRE(wire_meta_resource_parse(entry, n, &v));
    CHECK(v.process == 2 && is(v.key, "service.name") && is(v.value, "codesearch"));
    n = wire_meta_resource_bytes("k", NULL);
    wire_meta_resource_write(entry, n, "k", NULL, 2);
    CHECK(wire_meta_resource_parse(entry, n, &v) && v.value.n == 0);
}

TEST(a_resource_without_key_or_end_is_refused)
{
    struct wire_meta_resource_view v;
    size_t n = wire_meta_resource_bytes("", "x");
    wire_meta_resource_write(entry, n, "", "x", 0);
    CHECK(!wire_meta_resource_parse(entry, n, &v));
    n = wire_meta_resource_bytes("key", "value");
    wire_meta_resource_write(entry, n, "key", "value", 0);
    memset((char *)entry + 8, 'x', n - 8);
    CHECK(!wire_meta_resource_parse(entry, n, &v)); /* no NUL at all */
    ((char *)entry)[n - 1] = 0;
    CHECK(!wire_meta_resource_parse(entry, n, &v)); /* no value */
    ((char *)entry)[n - 1] = 'x';
    ((char *)entry)[n - 4] = 0;
    CHECK(!wire_meta_resource_parse(entry, n, &v)); /* value without end */
}

TEST(a_module_comes_back_as_it_was_written)
{
    struct wire_meta_module_view v;
    struct wire_module m = {0x7f0000, 0x7f1000, 0x7f9000, 77, "\1\2\3\4", 4, "/usr/lib/libx.so"};
    size_t n = wire_meta_module_bytes(&m);
    wire_meta_module_write(entry, n, &m, 1);
    REQUIRE(wire_meta_module_parse(entry, n, &v));
    CHECK(v.bias == 0x7f0000 && v.start == 0x7f1000 && v.end == 0x7f9000 && v.ticks == 77);
    CHECK(v.build_id.n == 4 && v.build_id.p[3] == 4);
    CHECK(is(v.path, "/usr/lib/libx.so") && v.process == 1);
    static const char id[1000];
    m.build_id = id;
    m.build_id_bytes = sizeof id;
    m.path = NULL;
    n = wire_meta_module_bytes(&m);
    wire_meta_module_write(entry, n, &m, 1);
    CHECK(wire_meta_module_parse(entry, n, &v) && v.build_id.n == WIRE_META_BUILD_ID_MAX);
    ((struct wire_meta_module *)entry)->end = 0x7f1000;
    CHECK(!wire_meta_module_parse(entry, n, &v)); /* nowhere */
    ((struct wire_meta_module *)entry)->end = 0x7f9000;
    ((struct wire_meta_module *)entry)->path_bytes = 60000;
    CHECK(!wire_meta_module_parse(entry, n, &v));
}

/* ---- scopes ---- */

static const struct oriel_field attrs[] = {{"team", ORIEL_TYPE_STR, 0},
                                           {ORIEL_MARK_SECRET "key", ORIEL_TYPE_STR, 0},
                                           {"shard", ORIEL_TYPE_I64, 0}};
static const struct oriel_value values[] = {{ORIEL_TYPE_STR, 7, {.bytes = "storage"}},
                                            {ORIEL_TYPE_STR, 1, {.bytes = "-"}},
                                            {ORIEL_TYPE_I64, 0, {.u64 = (uint64_t)-7}}};
static const struct oriel_instrumentation db = {sizeof db, "shop.db", "1.4", "https://s/1",
                                                attrs,     values,    3,     0};

static size_t write_scope(const struct oriel_instrumentation *s)
{
    size_t n = wire_meta_scope_bytes(s);
    REQUIRE(n > 0 && n % 8 == 0 && n <= sizeof entry);
    memset(entry, 0xee, sizeof entry);
    wire_meta_begin(entry, n);
    wire_meta_scope_write(entry, n, s, 5);
    return n;
}

TEST(a_scope_comes_back_as_it_was_written)
{
    struct wire_meta_scope_view v;
    struct wire_meta_attr_view a;
    size_t n = write_scope(&db);
    REQUIRE(wire_meta_scope_parse(entry, n, &v));
    CHECK(v.process == 5 && v.attr_count == 3);
    CHECK(is(v.target, "shop.db") && is(v.version, "1.4") && is(v.schema_url, "https://s/1"));
    REQUIRE(wire_meta_scope_next(&v, &a));
    CHECK(is(a.key, "team") && is(a.text, "storage") && a.type == ORIEL_TYPE_STR && !a.flags);
    REQUIRE(wire_meta_scope_next(&v, &a));
    CHECK(is(a.key, "key") && a.flags == ORIEL_FIELD_SECRET);
    REQUIRE(wire_meta_scope_next(&v, &a));
    CHECK(is(a.key, "shard") && a.value == (uint64_t)-7 && a.text.n == 0);
    CHECK(!wire_meta_scope_next(&v, &a));
    struct oriel_instrumentation bare = {.size = sizeof bare, .target = "t"};
    n = write_scope(&bare);
    CHECK(wire_meta_scope_parse(entry, n, &v) && !v.version.n && !v.schema_url.n && !v.attr_count);
}

TEST(a_scope_that_cannot_be_described_has_no_size)
{
    struct oriel_instrumentation s = db;
    s.target = "";
    CHECK_EQ(wire_meta_scope_bytes(&s), 0);
    s.target = NULL;
    CHECK_EQ(wire_meta_scope_bytes(&s), 0);
    s = db;
    s.count = WIRE_SITE_FIELDS_MAX + 1;
    CHECK_EQ(wire_meta_scope_bytes(&s), 0);
    s = db;
    s.values = NULL;
    CHECK_EQ(wire_meta_scope_bytes(&s), 0);
    const struct oriel_value other[] = {values[2], values[1], values[0]};
    s.values = other; /* types are those of the fields */
    CHECK_EQ(wire_meta_scope_bytes(&s), 0);
}

TEST(a_scope_entry_cut_or_changed_anywhere_is_read_within_its_bounds)
{
    struct wire_meta_scope_view v;
    struct wire_meta_attr_view a;
    size_t n = write_scope(&db);
    for (size_t cut = 0; cut + 8 <= n; cut += 8)
        CHECK(!wire_meta_scope_parse(entry, cut, &v));
    uint64_t *copy = malloc(n);
    REQUIRE(copy);
    for (size_t at = 0; at < n; at++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, entry, n);
            ((uint8_t *)copy)[at] ^= (uint8_t)(1u << bit);
            if (!wire_meta_scope_parse(copy, n, &v))
                continue;
            while (wire_meta_scope_next(&v, &a))
                CHECK(a.text.n == 0 || a.text.p + a.text.n <= (char *)copy + n);
        }
    free(copy);
}

TEST_MAIN()
