/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Modules, places and stacks: equal things are one thing, unequal ones are not.
 */
#include "model/stack.h"

#include "base/err.h"
#include "test.h"

static struct model_module *file(struct model_stacks *s, const char *path, uint8_t id)
{
    struct model_module m = {.process = UINT32_MAX,
                             .kind = MODEL_MODULE_FILE,
                             .build_id_bytes = 1,
                             .build_id = {id},
                             .path = {path, (uint32_t)strlen(path)}};
    return model_stacks_module(s, &m);
}

TEST(a_module_is_its_path_and_its_build_id)
{
    struct model_stacks s;
    char path[] = "/lib/libc.so.6";
    model_stacks_init(&s);
    struct model_module *a = file(&s, path, 1);
    REQUIRE(a);
    path[5] = 'x';
    CHECK_STR(a->path.p, "/lib/libc.so.6");
    CHECK(file(&s, "/lib/libc.so.6", 1) == a);
    CHECK(file(&s, "/lib/libc.so.6", 2) != a);
    CHECK(file(&s, "/lib/libm.so.6", 1) != a);
    CHECK_EQ(s.module_count, 3);
    model_stacks_done(&s);
}

TEST(a_place_is_its_module_and_its_address_and_how_it_was_met)
{
    struct model_stacks s;
    model_stacks_init(&s);
    uint32_t a = file(&s, "a", 1)->index, b = file(&s, "b", 1)->index;
    struct model_place *p = model_stacks_place(&s, a, 0x1000, false);
    CHECK(model_stacks_place(&s, a, 0x1000, false) == p);
    CHECK(model_stacks_place(&s, a, 0x1000, true) != p);
    CHECK(model_stacks_place(&s, b, 0x1000, false) != p);
    CHECK(model_stacks_place(&s, a, UINT64_MAX, false) != p);
    CHECK_EQ(s.place_count, 4);
    model_stacks_done(&s);
}

TEST(places_are_told_apart_by_the_hundred_thousand)
{
    enum { N = 100000 };
    struct model_stacks s;
    model_stacks_init(&s);
    uint32_t m = file(&s, "a", 1)->index;
    for (uint64_t i = 0; i < N; i++)
        model_stacks_place(&s, m, i * 16, i & 1);
    CHECK_EQ(s.place_count, N);
    for (uint64_t i = 0; i < N; i++) {
        struct model_place *p = model_stacks_place(&s, m, i * 16, i & 1);
        REQUIRE(p->index == i && p->address == i * 16);
    }
    model_stacks_done(&s);
}

TEST(equal_stacks_share_their_nodes_from_the_root)
{
    struct model_stacks s;
    model_stacks_init(&s);
    uint32_t m = file(&s, "a", 1)->index, place[3];
    for (uint32_t i = 0; i < 3; i++)
        place[i] = model_stacks_place(&s, m, i, i > 0)->index;
    uint32_t root = model_stacks_node(&s, 0, place[2]);
    uint32_t left = model_stacks_node(&s, root, place[0]);
    uint32_t right = model_stacks_node(&s, root, place[1]);
    CHECK(root != 0 && left != right);
    CHECK_EQ(model_stacks_node(&s, root, place[0]), left);
    CHECK(model_stacks_node(&s, left, place[0]) != left);
    CHECK_EQ(model_stack(&s, right)->parent, root);
    CHECK_EQ(model_stack(&s, right)->depth, 2);
    CHECK_EQ(model_stack_place(&s, model_stack(&s, right))->index, place[1]);
    CHECK(model_stack(&s, 0) == NULL);
    CHECK(model_stack(&s, 99) == NULL);
    model_stacks_done(&s);
}

TEST(a_stack_without_an_end_is_cut)
{
    struct model_stacks s;
    model_stacks_init(&s);
    uint32_t m = file(&s, "a", 1)->index, place = model_stacks_place(&s, m, 1, true)->index;
    uint32_t node = 0, depth = 0;
    for (uint32_t next; (next = model_stacks_node(&s, node, place)) != 0; node = next)
        depth++;
    CHECK_EQ(depth, MODEL_STACK_DEPTH_MAX);
    model_stacks_done(&s);
}

TEST(lines_are_copied_and_their_texts_kept_once)
{
    struct model_stacks s;
    char name[] = "inner";
    model_stacks_init(&s);
    uint32_t m = file(&s, "a", 1)->index;
    struct model_place *p = model_stacks_place(&s, m, 1, false);
    struct model_place *q = model_stacks_place(&s, m, 2, false);
    struct model_line lines[2] = {
        {.function = {name, 5}, .file = MODEL_STR("/x.c"), .line = 3, .inlined = true},
        {.function = MODEL_STR("outer"), .file = MODEL_STR("/x.c"), .line = 9}};
    CHECK_EQ(model_place_set_lines(&s, p, lines, 2), 0);
    CHECK_EQ(model_place_set_lines(&s, q, lines, 1), 0);
    name[0] = 'X';
    CHECK_STR(p->lines[0].function.p, "inner");
    CHECK_STR(p->lines[1].function.p, "outer");
    CHECK(p->lines[0].file.p == p->lines[1].file.p);
    CHECK(p->lines[0].function.p == q->lines[0].function.p);
    CHECK(p->lines[0].inlined && !p->lines[1].inlined && p->resolved);
    CHECK_EQ(q->line_count, 1);
    model_stacks_done(&s);
}

TEST(without_memory_nothing_is_made_up)
{
    for (uint64_t n = 1; n < 40; n++) {
        struct model_stacks s;
        model_stacks_init(&s);
        mem_fail_after(n);
        struct model_module *m = file(&s, "a", 1);
        struct model_place *p = m ? model_stacks_place(&s, m->index, 5, false) : NULL;
        uint32_t node = p ? model_stacks_node(&s, 0, p->index) : 0;
        struct model_line line = {.function = MODEL_STR("f")};
        int rc = p ? model_place_set_lines(&s, p, &line, 1) : ORIEL_ENOMEM;
        mem_fail_after(0);
        if (node)
            CHECK_EQ(model_stack(&s, node)->place, p->index);
        if (rc == 0)
            CHECK_STR(p->lines[0].function.p, "f");
        if (m && p && node && rc == 0)
            n = 40;
        model_stacks_done(&s);
    }
}

TEST_MAIN()
