/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the reader's figures in a ring: read whole, or not at all, by whoever looks. */
#include <pthread.h>
#include <unistd.h>

#include "source/region_io.h"
#include "test.h"

static struct region *make(void)
{
    struct region_options o = {.size = sizeof o,
                               .directory = test_tmpdir(),
                               .ring_bytes = 1 << 20,
                               .threads = 16,
                               .meta_bytes = 1 << 16};
    struct region *r = NULL;
    struct oriel_err err = {0};
    if (region_create(&r, &o, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return r;
}

TEST(figures_are_there_once_they_were_told)
{
    static const uint64_t values[] = {3, 1, 4};
    struct wire_figures f;
    struct region *r = make();
    CHECK_EQ(region_read_figures(region_path(r), &f), ORIEL_ENOTFOUND);
    region_tell_figures(r, values, 3, 99);
    REQUIRE(region_read_figures(region_path(r), &f) == 0);
    CHECK(f.count == 3 && f.values[0] == 3 && f.values[2] == 4 && f.values[3] == 0);
    CHECK_EQ(f.mono_ns, 99);
    CHECK_EQ(region_read_figures("/nonexistent/ring", &f), ORIEL_ENOTFOUND);
    CHECK_EQ(region_read_figures("/proc/self/status", &f), ORIEL_ENOTFOUND);
    CHECK_EQ(region_unlink(region_path(r), NULL), 0);
    region_free(r);
}

static void *tell(void *ring)
{
    uint64_t values[WIRE_FIGURES];
    for (uint64_t round = 1; round <= test_times(20000); round++) {
        for (int i = 0; i < WIRE_FIGURES; i++)
            values[i] = round;
        region_tell_figures(ring, values, WIRE_FIGURES, round);
    }
    return NULL;
}

TEST(figures_are_never_half_of_one_telling_and_half_of_the_next)
{
    struct region *r = make();
    struct wire_figures f = {.mono_ns = 0};
    const uint64_t last = test_times(20000);
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, tell, r) == 0);
    while (f.mono_ns != last) { /* a writer that is faster than we are is EBUSY, now and then */
        if (region_read_figures(region_path(r), &f) != 0)
            f.mono_ns = 0;
        for (int i = 0; f.mono_ns && i < WIRE_FIGURES; i++)
            CHECK_EQ(f.values[i], f.mono_ns);
        test_stop_if_failed();
    }
    CHECK_EQ(pthread_join(t, NULL), 0);
    CHECK_EQ(region_unlink(region_path(r), NULL), 0);
    region_free(r);
}

TEST_MAIN()
