/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "source/ring/ring.h"

#include "ring_fixture.h"
#include "test.h"

#define CALLER ORIEL_STACK_WALK(0, 0, 1, 0)

static struct wire_module module_at(uint64_t start, uint64_t ticks, const char *path)
{
    return (struct wire_module){.bias = start - 0x1000,
                                .start = start,
                                .end = start + 0x10000,
                                .ticks = ticks,
                                .build_id = "\7\7\7\7",
                                .build_id_bytes = 4,
                                .path = path};
}

static void emit(struct rw_thread *t, uint64_t walk, const uint64_t *pcs, uint32_t n)
{
    uint64_t w[64] = {ORIEL_RECORD_HEADER(6 + n, ORIEL_REC_STACK, ORIEL_SAMPLE_ALLOC, 0),
                      0,
                      walk | ORIEL_STACK_WALK(n, 0, 0, 0),
                      4096,
                      2,
                      77};
    for (uint32_t i = 0; i < n; i++)
        w[6 + i] = pcs[i];
    REQUIRE(rw_emit(t, w, 6 + n));
}

/* The place `up` calls above the innermost one of the latest sample. */
static const struct model_place *place(struct fixture *f, const struct model_record *r, uint32_t up)
{
    const struct model_stacks *s = &f->r.catalog.stacks;
    const struct model_stack *node = model_stack(s, (uint32_t)r->raw[2]);
    while (node && up--)
        node = model_stack(s, node->parent);
    return node ? model_stack_place(s, node) : NULL;
}

static bool lies_in(struct fixture *f, const struct model_place *p, const char *path)
{
    const struct model_module *m = f->r.catalog.stacks.modules[p->module];
    return m->path.n == strlen(path) && memcmp(m->path.p, path, m->path.n) == 0;
}

TEST(addresses_become_places_of_the_files_they_lie_in)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    struct wire_module a = module_at(0x400000, 1, "/bin/a"), b = module_at(0x7f0000, 1, "/lib/b");
    REQUIRE(rw_module(&f.p, &a) && rw_module(&f.p, &b));
    emit(&f.t, CALLER, (const uint64_t[]){0x7f0100, 0x400200, 0x10}, 3);
    const struct model_record *r = only(&f, ORIEL_REC_SAMPLE);
    CHECK(r->words == 6 && r->flags == ORIEL_SAMPLE_ALLOC);
    CHECK(r->raw[3] == 4096 && r->raw[4] == 2 && r->raw[5] == 77);
    const struct model_place *in = place(&f, r, 0), *out = place(&f, r, 1);
    REQUIRE(in && out);
    CHECK(lies_in(&f, in, "/lib/b") && in->address == 0x1100 && in->caller);
    CHECK(lies_in(&f, out, "/bin/a") && out->address == 0x1200 && out->caller);
    const struct model_module *m = f.r.catalog.stacks.modules[out->module];
    CHECK(m->build_id_bytes == 4 && m->build_id[0] == 7 && m->kind == MODEL_MODULE_FILE);
    /* What no file explains is code of this process. */
    const struct model_place *root = place(&f, r, 2);
    CHECK(lies_in(&f, root, "[jit]") && root->address == 0x10);
    finish(&f);
}

TEST(what_a_signal_interrupted_is_exact)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    struct wire_module a = module_at(0x400000, 1, "/bin/a");
    REQUIRE(rw_module(&f.p, &a));
    emit(&f.t, ORIEL_STACK_WALK(0, 2, 0, 0),
         (const uint64_t[]){0x400000, 0x400200, 0x400300, 0x400400}, 4);
    const struct model_record *r = only(&f, ORIEL_REC_SAMPLE);
    REQUIRE(place(&f, r, 3));
    CHECK(!place(&f, r, 0)->caller && place(&f, r, 1)->caller);
    CHECK(!place(&f, r, 2)->caller && place(&f, r, 3)->caller);
    /* A return to the first byte of one file was called from the one before it. */
    emit(&f.t, CALLER, (const uint64_t[]){0x400000}, 1);
    r = only(&f, ORIEL_REC_SAMPLE);
    CHECK(lies_in(&f, place(&f, r, 0), "[jit]"));
    finish(&f);
}

TEST(a_stack_that_is_not_known_is_no_stack)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    emit(&f.t, 0, NULL, 0);
    CHECK_EQ(only(&f, ORIEL_REC_SAMPLE)->raw[2], 0);
    finish(&f);
}

TEST(a_library_in_the_place_of_another_counts_from_when_it_came)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    struct wire_module old = module_at(0x400000, 1, "/lib/old");
    struct wire_module new = module_at(0x400000, UINT64_MAX / 2, "/lib/new");
    REQUIRE(rw_module(&f.p, &old));
    emit(&f.t, 0, (const uint64_t[]){0x400010}, 1);
    CHECK(lies_in(&f, place(&f, only(&f, ORIEL_REC_SAMPLE), 0), "/lib/old"));
    REQUIRE(rw_module(&f.p, &new));
    emit(&f.t, 0, (const uint64_t[]){0x400010}, 1);
    CHECK(lies_in(&f, place(&f, only(&f, ORIEL_REC_SAMPLE), 0), "/lib/old"));
    new.ticks = 2;
    REQUIRE(rw_module(&f.p, &new));
    emit(&f.t, 0, (const uint64_t[]){0x400010}, 1);
    CHECK(lies_in(&f, place(&f, only(&f, ORIEL_REC_SAMPLE), 0), "/lib/new"));
    finish(&f);
}

TEST(a_fork_child_has_the_files_of_its_parents)
{
    struct fixture f;
    struct rw_process child;
    struct rw_thread t;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    struct wire_module a = module_at(0x400000, 1, "/bin/a"), b = module_at(0x800000, 1, "/lib/b");
    REQUIRE(rw_module(&f.p, &a));
    REQUIRE(rw_attach_child(&child, &f.p));
    REQUIRE(rw_module(&child, &b));
    REQUIRE(rw_thread_start(&t, &child, 0));
    emit(&t, 0, (const uint64_t[]){0x800010, 0x400010}, 2);
    const struct model_record *r = only(&f, ORIEL_REC_SAMPLE);
    CHECK(lies_in(&f, place(&f, r, 0), "/lib/b") && lies_in(&f, place(&f, r, 1), "/bin/a"));
    emit(&f.t, 0, (const uint64_t[]){0x800010, 0x400010}, 2);
    r = only(&f, ORIEL_REC_SAMPLE);
    CHECK(lies_in(&f, place(&f, r, 0), "[jit]") && lies_in(&f, place(&f, r, 1), "/bin/a"));
    finish(&f);
}

TEST_MAIN()
