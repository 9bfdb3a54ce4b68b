/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Stacks of this process, whose nodes are the same whether the walk before is
 * remembered or not.
 */
#include "source/perf/space.h"

#include <linux/perf_event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "test.h"

enum { COPY_MOST = 65528, DEPTHS = 12 };

struct both {
    struct model_catalog catalog;
    struct spaces remembers;
    uint32_t nodes, depth; /* different ones; of the deepest stack */
    uint32_t last;
};

static uintptr_t stack_end(void)
{
    pthread_attr_t a;
    void *low;
    size_t bytes;
    REQUIRE(pthread_getattr_np(pthread_self(), &a) == 0);
    REQUIRE(pthread_attr_getstack(&a, &low, &bytes) == 0);
    pthread_attr_destroy(&a);
    return (uintptr_t)low + bytes;
}

/* A sample of where the context was taken. The copy is the kernel's work: sanitizers
 * let nobody else read a stack from end to end. */
static void sample(struct perf_record *r, const ucontext_t *at)
{
    static uint8_t copy[COPY_MOST];
    struct unwind_regs regs;
    unwind_regs_from_context(&regs, at);
    uint64_t sp = unwind_sp(&regs), bytes = stack_end() - sp;
    bytes = bytes < COPY_MOST ? bytes : COPY_MOST;
    const struct iovec from = {(void *)(uintptr_t)sp, bytes}, to = {copy, bytes};
    REQUIRE(process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)bytes);
    *r = (struct perf_record){.type = PERF_RECORD_SAMPLE,
                              .misc = PERF_RECORD_MISC_USER,
                              .pid = getpid(),
                              .tid = getpid()};
    r->u.sample.ip = unwind_pc(&regs);
    r->u.sample.user =
        (struct perf_user){.has_regs = true,
                           .ip = unwind_pc(&regs),
                           .sp = sp,
                           .fp = regs.r[unwind_fp_reg(regs.arch)],
                           .lr = regs.arch == UNWIND_AARCH64 ? regs.r[UNWIND_ARM_LR] : 0,
                           .stack = copy,
                           .stack_bytes = bytes};
}

static uint32_t depth_of(const struct model_catalog *c, uint32_t node)
{
    uint32_t n = 0;
    for (; node; node = c->stacks.nodes[node].parent)
        n++;
    return n;
}

/* The same sample in spaces that remember the walks before, and in new ones. */
__attribute__((noinline)) static void look(struct both *b)
{
    struct perf_record r;
    struct spaces fresh;
    ucontext_t at;
    REQUIRE(getcontext(&at) == 0);
    sample(&r, &at);
    spaces_init(&fresh, &b->catalog);
    REQUIRE(spaces_read(&fresh, getpid()) == 0);
    uint32_t node = spaces_stack(&b->remembers, &r, NULL);
    CHECK_EQ(node, spaces_stack(&fresh, &r, NULL));
    CHECK(node != 0 && unwind_end_is_complete(fresh.counts.last));
    spaces_done(&fresh);
    b->nodes += node != b->last;
    b->last = node;
    uint32_t depth = depth_of(&b->catalog, node);
    b->depth = depth > b->depth ? depth : b->depth;
}

__attribute__((noinline)) static int down(struct both *b, int n)
{
    if (n == 0)
        look(b);
    else
        down(b, n - 1);
    __asm__ volatile("" ::: "memory"); /* the calls stay calls */
    return n;
}

/* The same by another way. */
__attribute__((noinline)) static int aside(struct both *b, int n)
{
    int m = down(b, n);
    __asm__ volatile("" ::: "memory");
    return m;
}

static struct both *begin(void)
{
    test_skip_emulated("process_vm_readv is refused");
    struct both *b = calloc(1, sizeof *b);
    REQUIRE(b);
    model_catalog_init(&b->catalog);
    spaces_init(&b->remembers, &b->catalog);
    REQUIRE(spaces_read(&b->remembers, getpid()) == 0);
    return b;
}

static void end(struct both *b)
{
    spaces_done(&b->remembers);
    model_catalog_done(&b->catalog);
    free(b);
}

TEST(stacks_that_share_their_beginning_have_the_nodes_that_they_have_alone)
{
    struct both *b = begin();
    for (int n = 0; n < DEPTHS; n++) {
        down(b, n);
        down(b, DEPTHS - n);
        down(b, n);
        aside(b, n);
        aside(b, n);
    }
    CHECK(b->depth > DEPTHS);
    CHECK(b->nodes > 3 * DEPTHS);
    end(b);
}

TEST(what_was_remembered_is_forgotten_with_the_mappings)
{
    struct both *b = begin();
    down(b, 3);
    CHECK(b->remembers.before.of != NULL);
    REQUIRE(spaces_read(&b->remembers, getpid()) == 0); /* mapped anew */
    CHECK(b->remembers.before.of == NULL);
    down(b, 3);
    const struct perf_record over = {.type = PERF_RECORD_EXIT, .pid = getpid(), .tid = getpid()};
    spaces_record(&b->remembers, &over);
    CHECK(b->remembers.before.of == NULL);
    end(b);
}

TEST_MAIN()
