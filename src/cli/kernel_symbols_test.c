/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names of kernel addresses out of a list of our own.
 */
#include "cli/kernel_symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

static char path[64];

/* The names of these addresses, by a list with these lines. */
static void ask(const char *lines, const uint64_t *addresses, size_t n, struct kernel_symbol *out)
{
    snprintf(path, sizeof path, "/tmp/oriel-kallsyms-XXXXXX");
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, lines, strlen(lines)) == (ssize_t)strlen(lines));
    close(fd);
    kernel_symbols_read(path, addresses, n, out, NULL);
    unlink(path);
}

TEST(each_address_has_the_nearest_function_below_it)
{
    const uint64_t at[] = {0xfff0, 0x10000, 0x1001f, 0x10020, 0x10500, 0x10501, 0x20000};
    struct kernel_symbol found[7];
    ask("0000000000010000 T first\n"
        "0000000000010020 t second\n"
        "0000000000010500 W third\n",
        at, 7, found);
    const char *const names[] = {"", "first", "first", "second", "third", "third", "third"};
    for (int i = 0; i < 7; i++)
        CHECK_STR(found[i].name, names[i]);
    CHECK_EQ(found[6].address, 0x10500);
}

TEST(the_list_may_be_in_any_order)
{
    const uint64_t at[] = {0x100, 0x250, 0x350, 0x999};
    struct kernel_symbol found[4];
    ask("300 t late\n100 t early\n200 t middle\t[module]\n40 t lowest\n", at, 4, found);
    CHECK_STR(found[0].name, "early");
    CHECK_STR(found[1].name, "middle");
    CHECK_STR(found[2].name, "late");
    CHECK_STR(found[3].name, "late");
}

TEST(data_hidden_addresses_and_nonsense_name_nothing)
{
    const uint64_t at[] = {0x500};
    struct kernel_symbol found[1];
    ask("0 T hidden\n400 D data\n410 b bss\nnonsense\n420\n430 T\n440 \n\n100 T code\n"
        "600 T above\n",
        at, 1, found);
    CHECK_STR(found[0].name, "code");
}

TEST(of_two_names_for_one_place_the_first_stays)
{
    const uint64_t at[] = {0x500, 0x500, 0x501};
    struct kernel_symbol found[3];
    ask("500 T one\n500 T two\n", at, 3, found);
    for (int i = 0; i < 3; i++)
        CHECK_STR(found[i].name, "one");
}

TEST(a_long_name_is_cut)
{
    const uint64_t at[] = {0x500};
    struct kernel_symbol found[1];
    char line[256];
    snprintf(line, sizeof line, "500 T %0200d\n", 7);
    ask(line, at, 1, found);
    CHECK_EQ(strlen(found[0].name), KERNEL_SYMBOL_BYTES - 1);
}

TEST(without_a_list_nothing_is_named)
{
    const uint64_t at[] = {0x500, 0x600};
    struct kernel_symbol found[2];
    kernel_symbols_read("/nonexistent/kallsyms", at, 2, found, NULL);
    CHECK_STR(found[0].name, "");
    CHECK_STR(found[1].name, "");
    ask("", at, 2, found);
    CHECK_STR(found[1].name, "");
    kernel_symbols_read("/proc/kallsyms", at, 0, found, NULL);
}

static void count(void *user)
{
    ++*(unsigned *)user;
}

TEST(a_long_list_lets_others_run_meanwhile)
{
    enum { LINES = 5000 };
    const uint64_t at = LINES;
    struct kernel_symbol found;
    unsigned runs = 0;
    const struct kernel_symbols_while meanwhile = {count, &runs};
    snprintf(path, sizeof path, "/tmp/oriel-kallsyms-XXXXXX");
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    for (int i = 1; i <= LINES; i++)
        CHECK(dprintf(fd, "%016x T f%d\n", (unsigned)i, i) > 0);
    close(fd);
    kernel_symbols_read(path, &at, 1, &found, &meanwhile);
    unlink(path);
    CHECK_STR(found.name, "f5000");
    CHECK_EQ(runs, 2);
}

TEST(a_function_is_found_by_its_whole_name)
{
    snprintf(path, sizeof path, "/tmp/oriel-kallsyms-XXXXXX");
    static const char lines[] = "100 T _text_end\n200 D _text\n300 T _text\n400 t _text\t[mod]\n";
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, lines, strlen(lines)) == (ssize_t)strlen(lines));
    close(fd);
    CHECK_EQ(kernel_symbols_address(path, "_text"), 0x300);
    CHECK_EQ(kernel_symbols_address(path, "_tex"), 0);
    unlink(path);
    CHECK_EQ(kernel_symbols_address(path, "_text"), 0);
}

TEST_MAIN()
