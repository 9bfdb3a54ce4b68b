/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Stack below the copy: this process is the program, a field of bytes its stack.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/perf/deeper.h"
#include "test.h"

enum { STACK = 64 << 10, COPY = 4096, TID = 7 };

struct program {
    uint8_t stack[STACK], copy[COPY];
    struct deep_stacks stacks;
    struct perf_user user;
    struct deeper deeper;
};

/* A sample whose stack begins `offset` bytes into the field. */
static void sample(struct program *p, size_t offset)
{
    memcpy(p->copy, p->stack + offset, COPY);
    p->user = (struct perf_user){.has_regs = true,
                                 .sp = (uintptr_t)p->stack + offset,
                                 .stack = p->copy,
                                 .stack_bytes = COPY};
    deeper_init(&p->deeper, &p->stacks, &p->user, getpid(), TID);
}

static bool reads(struct program *p, size_t offset, uint64_t *out)
{
    return deeper_read(&p->deeper, (uintptr_t)p->stack + offset, out, sizeof *out);
}

static struct program *begin(void)
{
    test_skip_emulated("process_vm_readv is refused");
    struct program *p = calloc(1, sizeof *p);
    REQUIRE(p);
    for (size_t i = 0; i < STACK; i++)
        p->stack[i] = (uint8_t)(i * 7 + i / 256);
    return p;
}

static void end(struct program *p)
{
    deep_stacks_done(&p->stacks);
    free(p);
}

TEST(what_lies_below_the_copy_is_read_while_the_program_stands_still)
{
    struct program *p = begin();
    uint64_t got, want;
    sample(p, 1024);
    memcpy(&want, p->stack + 30000, sizeof want);
    CHECK(reads(p, 30000, &got) && got == want);
    CHECK(p->deeper.used);
    CHECK(!reads(p, 1000, &got)); /* above the stack pointer is no stack */
    end(p);
}

TEST(a_program_that_went_on_and_was_never_seen_shows_nothing)
{
    struct program *p = begin();
    uint64_t got;
    sample(p, 1024);
    p->stack[1024 + COPY - 8] ^= 1;
    CHECK(!reads(p, 30000, &got));
    CHECK(!p->deeper.used);
    end(p);
}

TEST(a_program_that_went_on_shows_what_was_seen_before)
{
    struct program *p = begin();
    uint64_t got, want;
    memcpy(&want, p->stack + 30000, sizeof want);
    sample(p, 1024);
    CHECK(reads(p, 30000, &got));
    sample(p, 2048);
    memset(p->stack, 0, STACK); /* it returned from everything */
    CHECK(reads(p, 30000, &got) && got == want);
    end(p);
}

TEST(what_was_seen_of_another_stack_is_not_taken_for_this_one)
{
    struct program *p = begin();
    uint64_t got;
    sample(p, 1024);
    CHECK(reads(p, 30000, &got));
    memset(p->stack, 1, STACK); /* others were called since */
    sample(p, 2048);
    p->stack[2048 + COPY - 8] ^= 1;
    CHECK(!reads(p, 30000, &got));
    /* Nor of a thread that ended. */
    deep_stacks_forget(&p->stacks, TID);
    CHECK_EQ(p->stacks.count, 0);
    end(p);
}

TEST(threads_beyond_the_bound_are_read_but_not_remembered)
{
    struct program *p = begin();
    uint64_t got;
    for (int32_t tid = 1; tid < 200; tid++) {
        sample(p, 1024);
        p->deeper.tid = tid;
        CHECK(reads(p, 30000, &got));
    }
    CHECK(p->stacks.count <= 64);
    end(p);
}

TEST_MAIN()
