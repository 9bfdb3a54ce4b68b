/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of error codes and their details. */
#include "base/err.h"

#include <errno.h>

#include "test.h"

TEST(every_code_has_a_text_of_its_own)
{
    static const int codes[] = {
#define CODE(name, number, text, retry) ORIEL_##name,
        ORIEL_ERRORS(CODE)
#undef CODE
    };
    enum { COUNT = sizeof codes / sizeof *codes };
    for (int i = 0; i < COUNT; i++) {
        CHECK(strcmp(err_text(codes[i]), "unknown error") != 0);
        for (int j = 0; j < i; j++)
            CHECK(strcmp(err_text(codes[i]), err_text(codes[j])) != 0);
    }
    CHECK_STR(err_text(0), "no error");
    CHECK_STR(err_text(-9999), "unknown error");
    CHECK_STR(err_text(7), "unknown error");
}

TEST(retry_helps_with_a_full_disk_but_not_with_a_bad_argument)
{
    CHECK(err_retry_helps(ORIEL_ENOSPC));
    CHECK(err_retry_helps(ORIEL_EBUSY));
    CHECK(!err_retry_helps(ORIEL_EINVAL));
    CHECK(!err_retry_helps(0));
    CHECK(!err_retry_helps(-9999));
}

TEST(a_detail_is_optional_and_the_code_comes_back)
{
    struct oriel_err err = {0};
    CHECK_EQ(err_set(NULL, ORIEL_EIO, "lost %d", 3), ORIEL_EIO);
    CHECK_EQ(err_set(&err, ORIEL_EIO, "lost %d", 3), ORIEL_EIO);
    CHECK_EQ(err.code, ORIEL_EIO);
    CHECK_STR(err.text, "lost 3");
}

TEST(a_long_detail_is_cut_and_ends_with_a_nul)
{
    struct oriel_err err;
    memset(&err, 'x', sizeof err);
    err_set(&err, ORIEL_EIO, "%600s", "y");
    CHECK_EQ(strlen(err.text), sizeof err.text - 1);
    memset(&err, 'x', sizeof err);
    err_set_errno(&err, ENOENT, "%505s", "y"); /* room for a part of the reason only */
    CHECK_EQ(strlen(err.text), sizeof err.text - 1);
    CHECK(strncmp(err.text + 504, "y: No", 5) == 0);
    memset(&err, 'x', sizeof err);
    err_set_errno(&err, ENOENT, "%510s", "y"); /* not even for the colon */
    CHECK_EQ(strlen(err.text), 510);
}

TEST(errno_values_become_codes_and_words)
{
    static const struct {
        int from, to;
    } rows[] = {{ENOSPC, ORIEL_ENOSPC}, {EDQUOT, ORIEL_ENOSPC},    {ENOMEM, ORIEL_ENOMEM},
                {EACCES, ORIEL_EPERM},  {EPERM, ORIEL_EPERM},      {ELOOP, ORIEL_EPERM},
                {EROFS, ORIEL_EPERM},   {ENOENT, ORIEL_ENOTFOUND}, {EBADF, ORIEL_EIO}};
    struct oriel_err err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_EQ(err_set_errno(&err, rows[i].from, "x"), rows[i].to);
        CHECK_EQ(err.code, rows[i].to);
        CHECK_EQ(err_set_errno(NULL, rows[i].from, "x"), rows[i].to);
    }
    err_set_errno(&err, ENOENT, "open %s", "a.oriel");
    CHECK_STR(err.text, "open a.oriel: No such file or directory");
}

TEST(errno_is_left_alone)
{
    struct oriel_err err;
    errno = 42;
    err_set(&err, ORIEL_EIO, "%s", "x");
    err_set_errno(&err, 99999, "%s", "x");
    CHECK_EQ(errno, 42);
}

TEST_MAIN()
