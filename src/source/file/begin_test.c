/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A capture that is being begun while it is opened: the first look finds it
 * empty or short, the next one finds what was written in between.
 */
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/mem.h"
#include "capture_pen.h"
#include "test.h"
#include "util/out.h"

static struct buf *rest; /* what is written behind the reader's first look */
static size_t rest_from;

/* Found before that of libc by all that is linked into this program. */
ssize_t pread(int fd, void *out, size_t n, off_t at)
{
    ssize_t got = syscall(SYS_pread64, fd, out, n, at);
    if (rest) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        FILE *f = fopen(path, "a");
        REQUIRE(f && fwrite(rest->data + rest_from, 1, rest->size - rest_from, f) ==
                         rest->size - rest_from);
        fclose(f);
        rest = NULL;
    }
    return got;
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "w");
    REQUIRE(f && fwrite(bytes, 1, n, f) == n);
    fclose(f);
}

TEST(a_file_that_grows_behind_the_first_look_is_not_damaged)
{
    static const size_t there[] = {0, 1, 8, 63};
    struct maker m;
    struct pen pen = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/c.oriel", test_tmpdir());
    maker_init(&m, 2);
    maker_everything(&m, 40);
    pen_open(&pen, &m.catalog);
    CHECK_EQ(export_capture.write(&pen.state, &m.batch, NULL), 0);
    pen_close(&pen);
    for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
        struct eye eye = {0};
        struct oriel_err err = {0};
        write_file(path, pen.bytes.data, there[i]);
        model_catalog_init(&eye.catalog);
        model_batch_init(&eye.batch, &eye.catalog);
        rest_from = there[i];
        rest = &pen.bytes;
        /* Whoever waits for a file that is refused as short looks again. */
        if (source_file.open(&eye.s, path, &eye.catalog, &err) != 0)
            REQUIRE(source_file.open(&eye.s, path, &eye.catalog, &err) == 0);
        CHECK(rest == NULL);
        eye_drain(&eye, 1000);
        CHECK_EQ(eye.records, m.made);
        CHECK_EQ(eye.damage.bytes_skipped, 0);
        eye_close(&eye);
    }
    pen_done(&pen);
    maker_done(&m);
}

TEST_MAIN()
