/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What notes say of arguments becomes what the kernel fetches.
 */
#include "source/probe_args.h"

#include "test.h"

#if defined(__x86_64__)
TEST(registers_of_all_sizes_become_the_kernels_names)
{
    struct probe_arg a[PROBE_ARGS_MAX];
    CHECK_EQ(probe_args_parse("8@%rdi -4@%eax 2@%r9w 1@%cl 1@%sil", a), 5);
    CHECK_STR(a[0].fetch, "%di");
    CHECK_STR(a[1].fetch, "%ax");
    CHECK(a[1].is_signed && a[1].bytes == 4);
    CHECK_STR(a[2].fetch, "%r9");
    CHECK_STR(a[3].fetch, "%cx");
    CHECK_STR(a[4].fetch, "%si");
}

TEST(memory_and_constants_are_fetched_too)
{
    struct probe_arg a[PROBE_ARGS_MAX];
    CHECK_EQ(probe_args_parse("8@-80(%rbx) 4@(%rsp) -4@$-5 8@16(%r12)", a), 4);
    CHECK_STR(a[0].fetch, "-80(%bx)");
    CHECK_STR(a[1].fetch, "+0(%sp)");
    CHECK_STR(a[2].fetch, "\\-5");
    CHECK_STR(a[3].fetch, "+16(%r12)");
}

TEST(what_the_kernel_cannot_fetch_keeps_its_place)
{
    struct probe_arg a[PROBE_ARGS_MAX];
    CHECK_EQ(probe_args_parse("8@8(%rsp,%rax,8) 8f@%xmm0 4@sym+4(%rip) 1@%ah 8@%rdx", a), 5);
    CHECK_STR(a[0].fetch, "");
    CHECK_STR(a[0].where, "8(%rsp,%rax,8)");
    CHECK_STR(a[1].fetch, "");
    CHECK(a[1].is_float);
    CHECK_STR(a[2].fetch, "");
    CHECK_STR(a[3].fetch, "");
    CHECK_STR(a[4].fetch, "%dx");
}
#endif

TEST(an_empty_or_senseless_text_has_no_arguments_to_fetch)
{
    struct probe_arg a[PROBE_ARGS_MAX];
    CHECK_EQ(probe_args_parse("", a), 0);
    CHECK_EQ(probe_args_parse("   ", a), 0);
    CHECK_EQ(probe_args_parse("@@@", a), 1);
    CHECK_STR(a[0].fetch, "");
    CHECK_EQ(probe_args_parse("1@ 2@ 4@ 8@ 1@ 2@ 4@ 8@ 1@ 2@ 4@ 8@ 1@ 2@ 4@ 8@ 1@ 2@", a),
             PROBE_ARGS_MAX);
}

TEST_MAIN()
