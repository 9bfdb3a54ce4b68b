/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "util/grpc.h"

#include "test.h"

TEST(a_message_has_five_bytes_in_front)
{
    uint8_t framed[GRPC_PREFIX + 3] = {0};
    const uint8_t *message;
    size_t n;
    bool compressed;
    struct oriel_err err;
    grpc_prefix(framed, 3, true);
    memcpy(framed + GRPC_PREFIX, "abc", 3);
    CHECK_MEM(framed, (size_t)8, "\1\0\0\0\3abc", (size_t)8);
    REQUIRE(grpc_unframe(framed, 8, &message, &n, &compressed, &err) == 0);
    CHECK_MEM(message, n, "abc", 3);
    CHECK(compressed);
    CHECK_EQ(grpc_unframe(framed, 7, &message, &n, &compressed, &err), ORIEL_EFORMAT);
    CHECK_EQ(grpc_unframe(framed, 4, &message, &n, &compressed, &err), ORIEL_EFORMAT);
    CHECK_EQ(grpc_unframe("\0\0\0\0\1ab", 7, &message, &n, &compressed, &err), ORIEL_EFORMAT);
    CHECK_EQ(grpc_unframe("\2\0\0\0\0", 5, &message, &n, &compressed, &err), ORIEL_EFORMAT);
    CHECK_EQ(grpc_unframe("\0\0\0\0\0", 5, &message, &n, &compressed, &err), 0);
    CHECK_EQ(n, 0);
}

TEST(a_timeout_fits_in_eight_digits)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {{0, "0n"},
                 {99999999, "99999999n"},
                 {100000000, "100000u"},
                 {UINT64_C(10000000000), "10000000u"},
                 {UINT64_C(1000000000000), "1000000m"}};
    char out[16];
    for (size_t i = 0; i < 5; i++) {
        grpc_timeout(cases[i].ns, out);
        CHECK_STR(out, cases[i].text);
    }
    grpc_timeout(UINT64_MAX, out);
    CHECK(strlen(out) <= 9);
}

TEST(the_text_of_a_status_is_decoded_and_harmless)
{
    char out[GRPC_TEXT], longest[1000];
    grpc_text_decode("lab%20says%0Ano %zz 100%", out);
    CHECK_STR(out, "lab says no %zz 100%");
    memset(longest, 'x', sizeof longest);
    longest[999] = 0;
    grpc_text_decode(longest, out);
    CHECK(strlen(out) < GRPC_TEXT && strlen(out) > 200);
    struct buf b;
    buf_init(&b);
    grpc_text_encode("a b%\xc3\xa9\n", &b);
    CHECK_STR(buf_cstr(&b), "a b%25%C3%A9%0A");
    buf_done(&b);
}

TEST(retry_info_is_found_among_the_details)
{
    /* Status{code 8, details [Any{type.googleapis.com/google.rpc.RetryInfo,
     * RetryInfo{Duration{3 s, 500,000,000 ns}}}]} */
    const char *good =
        "CAgaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIAxCAyrXuAQ";
    uint64_t ns = 0;
    char text[128];
    snprintf(text, sizeof text, "%s", good);
    CHECK(grpc_retry_info(text, &ns));
    CHECK_EQ(ns, 3500000000);
    CHECK(!grpc_retry_info("", &ns));
    CHECK(!grpc_retry_info("CAg", &ns));
    CHECK(!grpc_retry_info("not base64!", &ns));
    CHECK(!grpc_retry_info("CAga=b", &ns));
    for (size_t i = 0; i < strlen(good); i++) { /* cut anywhere: nothing bad happens */
        snprintf(text, sizeof text, "%.*s", (int)i, good);
        grpc_retry_info(text, &ns);
    }
}

TEST(a_status_has_a_name)
{
    CHECK_STR(grpc_status_name(GRPC_RESOURCE_EXHAUSTED), "RESOURCE_EXHAUSTED");
    CHECK_STR(grpc_status_name(-1), "UNKNOWN");
    CHECK_STR(grpc_status_name(17), "UNKNOWN");
}

TEST_MAIN()
