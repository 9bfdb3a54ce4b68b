/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The test harness: every test runs in a process of its own, with a deadline,
 * so a crash, a hang or a leaked thread ends that test and no other.
 *
 *   #include "test.h"
 *   TEST(ring_drops_newest_when_full) { CHECK_EQ(f(), 3); }
 *   TEST_MAIN()
 *
 * Run: ./foo_test [-l] [-j N] [-t SECONDS] [-n] [NAME...]; -n does not fork.
 * Exit 0 all passed, 1 a failure, 77 everything skipped. Output of a test is
 * shown only when it fails. Prints "N passed, N failed, N skipped" at the end.
 */
#ifndef ORIEL_TEST_H
#define ORIEL_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct test_case {
    const char *name, *file;
    int line;
    int timeout_s; /* on a machine that does nothing else; 0: the default of 60 */
    void (*run)(void);
    struct test_case *next;
};
void test_register(struct test_case *c);
int test_main(int argc, char **argv);
/* Record a failure of this test; it goes on. */
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* End this test as skipped, with the reason. */
void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* End this test now if it has failed. */
void test_stop_if_failed(void);
/* How often a loop runs: n; n divided by TEST_SLOWDOWN (at least 1) where every
 * instruction costs many: valgrind, emulation. */
unsigned long test_times(unsigned long n);
/* End this test as skipped where another program plays the machine (TEST_EMULATOR
 * names it) and this is what it cannot do. */
void test_skip_emulated(const char *why);
/* A fresh empty directory, removed when the test ends. */
const char *test_tmpdir(void);

#define TEST_T(id, seconds)                                                                        \
    static void test_run_##id(void);                                                               \
    static struct test_case test_case_##id = {#id, __FILE__, __LINE__, seconds, test_run_##id, 0}; \
    __attribute__((constructor)) static void test_add_##id(void)                                   \
    {                                                                                              \
        test_register(&test_case_##id);                                                            \
    }                                                                                              \
    static void test_run_##id(void)
#define TEST(id) TEST_T(id, 0)
#define TEST_MAIN()                                                                                \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return test_main(argc, argv);                                                              \
    }

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            test_fail(__FILE__, __LINE__, "%s", #cond);                                            \
    } while (0)
/* REQUIRE ends the test at the first failure. */
#define REQUIRE(cond)                                                                              \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            test_fail(__FILE__, __LINE__, "%s", #cond);                                            \
            test_stop_if_failed();                                                                 \
        }                                                                                          \
    } while (0)
#define CHECK_EQ(a, b)                                                                             \
    do {                                                                                           \
        long long test_a = (long long)(a), test_b = (long long)(b);                                \
        if (test_a != test_b)                                                                      \
            test_fail(__FILE__, __LINE__, "%s is %lld, expected %s = %lld", #a, test_a, #b,        \
                      test_b);                                                                     \
    } while (0)
#define CHECK_STR(a, b)                                                                            \
    do {                                                                                           \
        const char *test_a = (a), *test_b = (b);                                                   \
        if (!test_a || !test_b || strcmp(test_a, test_b) != 0)                                     \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #a,                     \
                      test_a ? test_a : "(null)", test_b ? test_b : "(null)");                     \
    } while (0)
#define CHECK_MEM(a, an, b, bn)                                                                    \
    do {                                                                                           \
        if ((an) != (bn) || memcmp((a), (b), (bn)) != 0)                                           \
            test_fail(__FILE__, __LINE__, "%s (%zu bytes) differs from %s (%zu bytes)", #a,        \
                      (size_t)(an), #b, (size_t)(bn));                                             \
    } while (0)

/* The end of a process that a test forked: _exit, but the lines it reached count. */
void test_leave(int code) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif
#endif
