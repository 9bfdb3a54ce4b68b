/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the JSON writer: nasty strings, exact numbers, and other readers. */
#include "util/json.h"

#include <math.h>
#include <stdlib.h>

#include "test.h"
#include "util/utf8.h"

static const char *string_of(const char *p, size_t n)
{
    static struct buf b;
    buf_clear(&b);
    json_put_string(&b, p, n);
    return buf_cstr(&b);
}

TEST(strings_are_escaped_as_little_as_json_allows)
{
    CHECK_STR(string_of("", 0), "\"\"");
    CHECK_STR(string_of("plain", 5), "\"plain\"");
    CHECK_STR(string_of("a\"b\\c/d", 7), "\"a\\\"b\\\\c/d\"");
    CHECK_STR(string_of("\b\t\n\f\r", 5), "\"\\b\\t\\n\\f\\r\"");
    CHECK_STR(string_of("\0\x01\x1f\x7f", 4), "\"\\u0000\\u0001\\u001f\x7f\"");
    CHECK_STR(string_of("caf\xc3\xa9", 5), "\"caf\xc3\xa9\"");
    CHECK_STR(string_of("\xff\xe2\x82", 3), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK_STR(string_of("\xed\xa0\x80", 3), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

/* Every byte at every place of a word, so the fast path misses none. */
TEST(pairs_are_keys_with_their_values)
{
    struct buf b;
    struct json j;
    buf_init(&b);
    json_init(&j, &b);
    json_object(&j);
    json_pair_u64(&j, "n", UINT64_MAX);
    json_pair_double(&j, "d", 0.5);
    json_pair_text(&j, "t", "a\"b");
    json_pair_text(&j, "none", NULL);
    json_pair_text_n(&j, "cut", "abc", 2);
    json_object_end(&j);
    CHECK_STR(buf_cstr(&b), "{\"n\":18446744073709551615,\"d\":0.5,\"t\":\"a\\\"b\","
                            "\"none\":null,\"cut\":\"ab\"}");
    buf_done(&b);
}

TEST(no_byte_slips_through_at_any_offset)
{
    struct buf b, expected;
    buf_init(&b);
    buf_init(&expected);
    for (int c = 0; c < 256; c++)
        for (int at = 0; at < 24; at++) {
            char text[24];
            memset(text, 'x', sizeof text);
            text[at] = (char)c;
            buf_clear(&b);
            json_put_string(&b, text, sizeof text);
            buf_clear(&expected);
            buf_putc(&expected, '"');
            for (int i = 0; i < 24; i++) {
                const char *one = string_of(text + i, 1);
                buf_put(&expected, one + 1, strlen(one) - 2);
            }
            buf_putc(&expected, '"');
            if (b.size != expected.size || memcmp(b.data, expected.data, b.size) != 0)
                test_fail(__FILE__, __LINE__, "byte %02x at %d", (unsigned)c, at);
        }
    buf_done(&b);
    buf_done(&expected);
}

/* Number k of 200 nasty strings; they are long enough to cross pieces. */
static size_t nasty(unsigned k, char *out, size_t n)
{
    static const char *const seeds[] = {"\"",
                                        "\\",
                                        "\\\"",
                                        "\n",
                                        "\x1f",
                                        "\x7f",
                                        "\xc3\xa9",
                                        "\xff",
                                        "\xe2\x82",
                                        "\xf0\x9f\x98\x80",
                                        "\xed\xa0\x80",
                                        "\xed\xbf\xbf",
                                        "</script>",
                                        "\xe2\x80\xa8",
                                        "\xef\xbb\xbf",
                                        "\xc0\x80",
                                        "%s%n",
                                        "\\u0000",
                                        "'",
                                        "\xf4\x90\x80\x80"};
    const char *seed = seeds[k % 20];
    size_t len = strlen(seed), at = 0;
    unsigned form = k / 20;
    static const size_t lengths[] = {1, 7, 8, 9, 40, 300, 4095, 4096, 4097, 9000};
    size_t want = lengths[form % 10];
    if (form % 2) /* clean run first, so the seed straddles boundaries */
        while (at + len < want)
            out[at++] = 'a';
    while (at < want || at == 0)
        for (size_t i = 0; i < len && at < n; i++)
            out[at++] = seed[i];
    return at;
}

TEST(two_hundred_nasty_strings_read_back_as_their_repaired_selves)
{
    static char text[10000];
    struct buf b, repaired;
    struct arena a;
    buf_init(&b);
    buf_init(&repaired);
    arena_init(&a);
    for (unsigned k = 0; k < 200; k++) {
        size_t n = nasty(k, text, sizeof text);
        struct json_value *v = NULL;
        struct oriel_err err = {0};
        buf_clear(&b);
        buf_clear(&repaired);
        json_put_string(&b, text, n);
        utf8_repair(&repaired, text, n);
        if (json_read(&a, b.data, b.size, NULL, &v, &err) != 0)
            test_fail(__FILE__, __LINE__, "string %u: %s", k, err.text);
        else if (v->type != JSON_STRING || v->text_n != repaired.size ||
                 memcmp(v->text, repaired.data, repaired.size) != 0)
            test_fail(__FILE__, __LINE__, "string %u reads back as something else", k);
        arena_reset(&a);
    }
    arena_done(&a);
    buf_done(&b);
    buf_done(&repaired);
}

static void write_everything(struct json *j)
{
    static char text[10000];
    json_object(j);
    json_key(j, "nasty");
    json_array(j);
    for (unsigned k = 0; k < 200; k++)
        json_string_n(j, text, nasty(k, text, sizeof text));
    json_array_end(j);
    json_key(j, "numbers");
    json_array(j);
    json_i64(j, INT64_MIN);
    json_u64(j, UINT64_MAX);
    json_double(j, 0.1);
    json_double(j, -0.0);
    json_double(j, 1e300);
    json_double(j, NAN);
    json_array_end(j);
    json_key_n(j, "k\"\x01", 3);
    json_bool(j, true);
    json_key(j, "none");
    json_string(j, NULL);
    json_key(j, "id");
    json_hex(j, "\xab\x01", 2);
    json_key(j, "empty");
    json_object(j);
    json_object_end(j);
    json_key(j, "raw");
    json_raw(j, "[1,2]", 5);
    json_object_end(j);
}

TEST(other_peoples_parsers_accept_all_of_it)
{
    static const char *const readers[] = {
        "python3 -c 'import json,sys; d=json.load(open(sys.argv[1],\"rb\"));"
        " assert len(d[\"nasty\"])==200 and d[\"numbers\"][1]==2**64-1 and"
        " d[\"numbers\"][0]==-2**63 and d[\"id\"]==\"ab01\"' %s",
        "node -e 'const d=JSON.parse(require(\"fs\").readFileSync(process.argv[1],\"utf8\"));"
        " if (d.nasty.length!==200||d.numbers[2]!==0.1||d.raw[1]!==2) process.exit(1)' %s",
    };
    static const char *const names[] = {"python3", "node"};
    char path[256], command[1024];
    struct buf b;
    struct json j;
    int ran = 0;
    buf_init(&b);
    json_init(&j, &b);
    write_everything(&j);
    REQUIRE(!b.failed);
    snprintf(path, sizeof path, "%s/all.json", test_tmpdir());
    FILE *f = fopen(path, "w");
    REQUIRE(f && fwrite(b.data, 1, b.size, f) == b.size);
    fclose(f);
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", names[i]);
        if (system(command) != 0)
            continue;
        ran++;
        snprintf(command, sizeof command, readers[i], path);
        CHECK_EQ(system(command), 0);
    }
    buf_done(&b);
    if (!ran)
        test_skip("neither python3 nor node here");
}

TEST(structure_gets_its_commas_and_colons)
{
    struct buf b;
    struct json j;
    buf_init(&b);
    json_init(&j, &b);
    json_object(&j);
    json_key(&j, "a");
    json_array(&j);
    json_i64(&j, -1);
    json_object(&j);
    json_object_end(&j);
    json_array(&j);
    json_array_end(&j);
    json_null(&j);
    json_array_end(&j);
    json_key(&j, "b");
    json_u64(&j, 2);
    json_object_end(&j);
    CHECK_STR(buf_cstr(&b), "{\"a\":[-1,{},[],null],\"b\":2}");
    buf_done(&b);
}

TEST(nan_is_null_unless_the_format_wants_its_name)
{
    struct buf b;
    buf_init(&b);
    json_put_double(&b, NAN, false);
    json_put_double(&b, -INFINITY, true);
    json_put_double(&b, NAN, true);
    json_put_double(&b, 2.5, true);
    CHECK_STR(buf_cstr(&b), "null\"-Infinity\"\"NaN\"2.5");
    buf_done(&b);
}

TEST(base64_pads_as_the_rfc_examples_do)
{
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    struct buf b;
    buf_init(&b);
    for (int i = 0; i < 7; i++) {
        char expected[32];
        buf_clear(&b);
        json_put_base64(&b, rows[i][0], strlen(rows[i][0]));
        snprintf(expected, sizeof expected, "\"%s\"", rows[i][1]);
        CHECK_STR(buf_cstr(&b), expected);
    }
    buf_done(&b);
}

TEST(nesting_beyond_the_limit_fails_instead_of_writing_nonsense)
{
    struct buf b;
    struct json j;
    buf_init(&b);
    json_init(&j, &b);
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        json_array(&j);
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        json_array_end(&j);
    CHECK(!b.failed);
    CHECK_EQ(b.size, 2 * JSON_DEPTH_MAX);
    for (int i = 0; i <= JSON_DEPTH_MAX; i++)
        json_array(&j);
    CHECK(b.failed);
    buf_done(&b);
}

TEST(every_allocation_may_fail)
{
    for (uint64_t n = 1;; n++) {
        struct buf b;
        struct json j;
        mem_fail_after(n);
        buf_init(&b);
        json_init(&j, &b);
        write_everything(&j);
        mem_fail_after(0);
        bool failed = b.failed;
        buf_done(&b);
        CHECK_EQ(mem_live_blocks(), 0);
        if (!failed) {
            CHECK(n > 5);
            break;
        }
    }
}

TEST_MAIN()
