/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The member `ot` of a tracestate: what is read of it, and how th gets into it. */
#include "pipe/otstate.h"

#include <string.h>

#include "base/ratio.h"
#include "test.h"

static struct model_str str(const char *text)
{
    return (struct model_str){text, (uint32_t)strlen(text)};
}

static const char *with(const char *state, uint64_t threshold)
{
    static char text[OTSTATE_BYTES + 1];
    text[otstate_write(str(state), threshold, text)] = 0;
    return text;
}

TEST(rv_is_fourteen_digits_or_none)
{
    static const struct {
        const char *state;
        uint64_t rv; /* UINT64_MAX: none */
    } cases[] = {
        {"ot=rv:0123456789abcd", UINT64_C(0x0123456789abcd)},
        {"a=1,ot=th:8;rv:ffffffffffffff,b=2", UINT64_C(0xffffffffffffff)},
        {"ot=rv:0123456789abc", UINT64_MAX},
        {"ot=rv:0123456789abcde", UINT64_MAX},
        {"ot=rv:0123456789ABCD", UINT64_MAX},
        {"ot=rv:", UINT64_MAX},
        {"ot=th:8", UINT64_MAX},
        {"other=rv:0123456789abcd", UINT64_MAX},
        {"ot=xrv:0123456789abcd", UINT64_MAX},
        {"", UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t rv = 0;
        bool found = otstate_randomness(str(cases[i].state), &rv);
        CHECK_EQ(found ? rv : UINT64_MAX, cases[i].rv);
    }
}

TEST(th_is_put_in_front_and_all_else_stays)
{
    const uint64_t half = ratio_threshold(0.5);
    CHECK_STR(with("", half), "ot=th:8");
    CHECK_STR(with("a=1,b=2", half), "ot=th:8,a=1,b=2");
    CHECK_STR(with("a=1,ot=rv:0123456789abcd;th:c;x:y,b=2", half),
              "ot=th:8;rv:0123456789abcd;x:y,a=1,b=2");
    CHECK_STR(with("ot=;;th:zz", 0), "ot=th:0");
    CHECK_STR(with("ot=th:c,a=1", RATIO_NONE), "a=1");
    CHECK_STR(with("a=1,ot=th:c;rv:0123456789abcd", UINT64_MAX), "ot=rv:0123456789abcd,a=1");
    CHECK_STR(with("ot=th:c", RATIO_NONE), "");
}

TEST(what_has_no_room_beside_th_is_left_out)
{
    char state[OTSTATE_BYTES + 1];
    memset(state, 'x', OTSTATE_BYTES);
    memcpy(state, "a=1,b=", 6);
    state[OTSTATE_BYTES] = 0;
    CHECK_STR(with(state, ratio_threshold(0.5)), "ot=th:8,a=1");
    memcpy(state, "ot=z:", 5);
    state[258] = 0; /* a value of 255: th makes it longer than it may be */
    CHECK_STR(with(state, ratio_threshold(0.5)), "ot=th:8");
}

TEST_MAIN()
