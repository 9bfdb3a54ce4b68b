/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/demangle.h"

#include "base/mem.h"
#include "test.h"

static const char *readable(const char *name)
{
    static struct buf out;
    buf_clear(&out);
    return demangle(name, &out) ? buf_cstr(&out) : "(none)";
}

TEST(names_of_cxx_are_readable)
{
    CHECK_STR(readable("_ZN3foo3barEi"), "foo::bar(int)");
    CHECK_STR(readable("_ZNSt6vectorIiSaIiEE9push_backERKi"),
              "std::vector<int, std::allocator<int> >::push_back(int const&)");
    CHECK_STR(readable("_ZZ4mainENKUliE_clEi"), "main::{lambda(int)#1}::operator()(int) const");
}

TEST(names_of_rust_are_readable_without_their_hash)
{
    CHECK_STR(readable("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE"),
              "core::fmt::Write::write_fmt");
    CHECK_STR(readable("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
    CHECK_STR(readable("_RNvNtC3std3mem4swap"), "std::mem::swap");
}

TEST(parts_and_versions_of_functions_are_told)
{
    CHECK_STR(readable("_ZN3foo3barEi.part.0"), "foo::bar(int) [clone .part.0]");
    CHECK_STR(readable("_ZSt4endlv@@GLIBCXX_3.4"), "std::endl()");
}

TEST(what_is_not_mangled_stays_as_it_is)
{
    CHECK_STR(readable("main"), "(none)");
    CHECK_STR(readable("_Z"), "(none)");
    CHECK_STR(readable("_Zxyz"), "(none)");
    CHECK_STR(readable(""), "(none)");
    CHECK_STR(readable("_R"), "(none)");
}

TEST(names_made_to_hurt_cost_little)
{
    char deep[6000];
    memset(deep, 'P', sizeof deep);
    memcpy(deep, "_Z1f", 4);
    deep[sizeof deep - 1] = 0;
    CHECK_STR(readable(deep), "(none)"); /* too long */
    deep[3000] = 'i';
    deep[3001] = 0;
    CHECK(strncmp(readable(deep), "f(int*", 6) == 0 || !strcmp(readable(deep), "(none)"));
    /* Doubles with every step: would be 2^40 characters. */
    char bomb[400] = "_Z1fI";
    strncat(bomb, "1A", 3);
    for (char c = '_'; c <= '_'; c++)
        for (int i = 0; i < 36; i++) {
            char step[8];
            snprintf(step, sizeof step, i ? "S%c_S%c_" : "S_S_",
                     i ? "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i - 1] : 0,
                     i ? "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i - 1] : 0);
            strncat(bomb, step, 8);
        }
    readable(bomb);
}

TEST_MAIN()
