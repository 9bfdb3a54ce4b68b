/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whose allocator there is; programs with others are in tests/scenario/daemon_test.py. */
#include "util/allocator.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "test.h"
#include "util/interrupted.h"

TEST(that_of_the_c_library_calls_nobody)
{
    struct allocator a;
    allocator_find(&a);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    CHECK(a.from || a.anywhere);
#else
    const bool linked_in = dlsym(RTLD_DEFAULT, "malloc") == NULL; /* a part of this program */
    CHECK(!a.from && a.anywhere == linked_in);
    errno = 7;
    CHECK(allocator_may_run(&a) == linked_in);
    CHECK(errno == 7);
#endif
    CHECK(allocator_may_run(&(struct allocator){.anywhere = true}));
}

static struct allocator of_libc;
static int answer;

static int compare(const void *a, const void *b)
{
    (void)a, (void)b;
    answer = allocator_may_run(&of_libc);
    return 0;
}

/* qsort stands for an allocator here: it calls back. */
TEST(what_is_called_from_a_library_is_found_to_be)
{
    int two[2] = {2, 1};
    test_skip_emulated("the stack is found as the C library has it");
    const uintptr_t at = (uintptr_t)dlsym(RTLD_DEFAULT, "qsort");
    REQUIRE(at);
    of_libc = (struct allocator){.from = at - 4096, .to = at + 65536};
    qsort(two, 2, sizeof *two, compare);
    CHECK(answer);
    of_libc = (struct allocator){.from = 4096, .to = 8192};
    qsort(two, 2, sizeof *two, compare);
    CHECK(!answer);
}

TEST_MAIN()
