/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lengths and kinds of instructions. scenario.probes compares whole libraries
 * with what objdump says.
 */
#include "symbol/insn.h"

#include <elf.h>

#include "random.h"
#include "test.h"

static struct insn decode(const char *bytes, size_t n)
{
    struct insn out = {0};
    if (!insn_decode(EM_X86_64, (struct bytes){(const uint8_t *)bytes, n}, 0x1000, &out))
        out.bytes = 0;
    return out;
}
#define DECODE(text) decode(text, sizeof(text) - 1)

TEST(lengths_follow_prefixes_modrm_and_immediates)
{
    CHECK_EQ(DECODE("\x55\x90\x90").bytes, 1);                              /* push */
    CHECK_EQ(DECODE("\x48\x89\xe5\x90").bytes, 3);                          /* mov */
    CHECK_EQ(DECODE("\x48\x8b\x44\x24\x08\x90").bytes, 5);                  /* sib, disp8 */
    CHECK_EQ(DECODE("\x8b\x05\x01\x02\x03\x04\x90").bytes, 6);              /* rip */
    CHECK_EQ(DECODE("\x66\xc7\x07\x01\x02\x90").bytes, 5);                  /* imm16 */
    CHECK_EQ(DECODE("\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08").bytes, 10); /* movabs */
    CHECK_EQ(DECODE("\xf7\xc1\x01\x02\x03\x04\x90").bytes, 6);              /* test imm */
    CHECK_EQ(DECODE("\xf7\xd9\x90").bytes, 2);                              /* neg */
    CHECK_EQ(DECODE("\xc5\xf8\x77\x90").bytes, 3);                          /* vzeroupper */
    CHECK_EQ(DECODE("\xc4\xe3\x7d\x39\xc1\x01\x90").bytes, 6);              /* vextracti128 */
    CHECK_EQ(DECODE("\x62\xf1\xfe\x48\x6f\x07\x90").bytes, 6);              /* EVEX */
    CHECK_EQ(DECODE("\x66\x0f\x3a\x0f\xc1\x08\x90").bytes, 6);              /* palignr */
    CHECK_EQ(DECODE("\xf3\x0f\x1e\xfa\x90").bytes, 4);                      /* endbr64 */
    CHECK_EQ(DECODE("\x64\x48\x8b\x04\x25\x28\x00\x00\x00\x90").bytes, 9);  /* fs */
}

TEST(ways_out_of_a_function_are_told_apart)
{
    CHECK_EQ(DECODE("\xc3").kind, INSN_RETURN);
    CHECK_EQ(DECODE("\xf3\xc3").kind, INSN_RETURN);
    CHECK_EQ(DECODE("\xc2\x08\x00").kind, INSN_RETURN);
    CHECK_EQ(DECODE("\xff\xe0").kind, INSN_JUMP_FAR);
    CHECK_EQ(DECODE("\xff\xd0").kind, INSN_OTHER);
    CHECK_EQ(DECODE("\xeb\x10").kind, INSN_JUMP);
    CHECK_EQ(DECODE("\xeb\x10").target, 0x1012);
    CHECK_EQ(DECODE("\xe9\xfb\xff\xff\xff").target, 0x1000);
    CHECK_EQ(DECODE("\x0f\x84\x00\x01\x00\x00").kind, INSN_BRANCH);
    CHECK_EQ(DECODE("\x0f\x84\x00\x01\x00\x00").target, 0x1106);
    CHECK_EQ(DECODE("\xe8\x00\x00\x00\x00").kind, INSN_CALL);
}

TEST(a_probe_on_a_nop_or_a_push_is_cheap_and_others_are_not)
{
    CHECK_EQ(DECODE("\x0f\x1f\x44\x00\x00").kind, INSN_NOP5);
    CHECK_EQ(DECODE("\x0f\x1f\x40\x00").kind, INSN_NOP);
    CHECK_EQ(DECODE("\x90").kind, INSN_NOP);
    CHECK(insn_is_cheap(INSN_NOP5) && insn_is_cheap(INSN_NOP) && insn_is_cheap(INSN_PUSH));
    CHECK(!insn_is_cheap(INSN_OTHER) && !insn_is_cheap(INSN_RETURN));
}

TEST(what_is_cut_or_invalid_is_refused_whatever_the_bytes)
{
    CHECK_EQ(DECODE("\x06").bytes, 0);
    CHECK_EQ(DECODE("\x48").bytes, 0);
    CHECK_EQ(DECODE("\xe8\x00\x00").bytes, 0);
    CHECK_EQ(DECODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90").bytes, 0);
    char bytes[16];
    uint64_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        for (size_t k = 0; k < sizeof bytes; k += 8) {
            const uint64_t random = random_next(&seed);
            memcpy(bytes + k, &random, 8);
        }
        size_t n = 1 + random_below(&seed, 16);
        struct insn insn = decode(bytes, n);
        CHECK(insn.bytes <= n && insn.bytes <= 15);
    }
}

TEST(instructions_of_the_other_machine_are_regular)
{
    struct insn out;
    uint32_t words[] = {0xd65f03c0, 0x14000004, 0xd503201f, 0x54ffffe0, 0xd61f0200};
    enum insn_kind kinds[] = {INSN_RETURN, INSN_JUMP, INSN_NOP, INSN_BRANCH, INSN_JUMP_FAR};
    for (size_t i = 0; i < 5; i++) {
        REQUIRE(
            insn_decode(EM_AARCH64, (struct bytes){(const uint8_t *)&words[i], 4}, 0x1000, &out));
        CHECK_EQ(out.bytes, 4);
        CHECK_EQ(out.kind, kinds[i]);
        if (out.kind == INSN_JUMP)
            CHECK_EQ(out.target, 0x1010);
        if (out.kind == INSN_BRANCH)
            CHECK_EQ(out.target, 0xffc);
    }
    CHECK(!insn_decode(EM_AARCH64, (struct bytes){(const uint8_t *)words, 3}, 0, &out));
}

TEST_MAIN()
