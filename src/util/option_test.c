/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of option tables: every type parses, prints and refuses. */
#include "util/option.h"

#include "base/mem.h"
#include "test.h"

struct options {
    bool live;
    int64_t count;
    double ratio;
    const char *file;
    int policy;
    uint64_t ring;
    uint64_t timeout;
    const char *token;
};

static const char *const policies[] = {"drop", "overwrite", NULL};

#define AT(member) offsetof(struct options, member)
static const struct option_def defs[] = {
    {.name = "live", .type = OPTION_BOOL, .offset = AT(live), .fallback = "true"},
    {.name = "span_count",
     .type = OPTION_INT,
     .offset = AT(count),
     .fallback = "3",
     .min = -5,
     .max = 10},
    {.name = "ratio", .type = OPTION_FLOAT, .offset = AT(ratio), .fallback = "0.5", .max = 1},
    {.name = "file", .type = OPTION_STRING, .offset = AT(file), .fallback = "a.oriel"},
    {.name = "policy",
     .type = OPTION_ENUM,
     .offset = AT(policy),
     .fallback = "drop",
     .choices = policies},
    {.name = "ring",
     .type = OPTION_SIZE,
     .offset = AT(ring),
     .fallback = "16MiB",
     .min = 65536,
     .max = 1 << 30},
    {.name = "timeout", .type = OPTION_DURATION, .offset = AT(timeout), .fallback = "1.5s"},
    {.name = "token", .type = OPTION_STRING, .offset = AT(token), .secret = true},
    OPTION_END,
};

static struct options o;
static struct oriel_err err;

static int set(const char *name, const char *text)
{
    const struct option_def *def = option_find(defs, name, strlen(name));
    REQUIRE(def);
    err.text[0] = 0;
    return option_set(def, &o, text, &err);
}

static const char *text_of(const char *name)
{
    static char text[128];
    option_text(option_find(defs, name, strlen(name)), &o, text, sizeof text);
    return text;
}

TEST(defaults_are_parsed_like_any_value)
{
    memset(&o, 0xee, sizeof o); /* whatever was there */
    REQUIRE(option_defaults(defs, &o) == 0);
    CHECK(o.live);
    CHECK_EQ(o.count, 3);
    CHECK(o.ratio == 0.5);
    CHECK_STR(o.file, "a.oriel");
    CHECK_EQ(o.policy, 0);
    CHECK_EQ(o.ring, 16 << 20);
    CHECK_EQ(o.timeout, 1500000000);
    CHECK(o.token == NULL);
    option_done(defs, &o);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(values_of_every_type_are_taken)
{
    REQUIRE(option_defaults(defs, &o) == 0);
    CHECK(set("live", "OFF") == 0 && !o.live);
    CHECK(set("live", "Yes") == 0 && o.live);
    CHECK(set("live", "0") == 0 && !o.live);
    CHECK(set("span_count", "-5") == 0 && o.count == -5);
    CHECK(set("span-count", "+10") == 0 && o.count == 10);
    CHECK(set("ratio", "1e-1") == 0 && o.ratio == 0.1);
    CHECK(set("file", "") == 0 && o.file[0] == 0);
    CHECK(set("file", "b c") == 0 && strcmp(o.file, "b c") == 0);
    CHECK(set("policy", "overwrite") == 0 && o.policy == 1);
    CHECK(set("ring", "65536") == 0 && o.ring == 65536);
    CHECK(set("ring", "1G") == 0 && o.ring == 1 << 30);
    CHECK(set("timeout", "2m") == 0 && o.timeout == 120000000000);
    CHECK(set("token", "s3cret") == 0 && strcmp(o.token, "s3cret") == 0);
    option_done(defs, &o);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(wrong_values_are_refused_with_name_value_and_what_is_allowed)
{
    static const struct {
        const char *name, *value, *text;
    } rows[] = {
        {"live", "maybe", "live: \"maybe\" is not true or false"},
        {"span_count", "11", "span_count: \"11\" is not a whole number from -5 to 10"},
        {"span_count", "1.5", "span_count: \"1.5\" is not a whole number from -5 to 10"},
        {"span_count", "", "span_count: \"\" is not a whole number from -5 to 10"},
        {"ratio", "nan", "ratio: \"nan\" is not a number from 0 to 1"},
        {"ratio", "1e999", "ratio: \"1e999\" is not a number from 0 to 1"},
        {"policy", "Drop", "policy: \"Drop\" is not one of drop, overwrite"},
        {"ring", "4K", "ring: \"4K\" is not a size like 4096, 64KiB or 16MiB from 64KiB to 1GiB"},
        {"timeout", "5 s", "timeout: \"5 s\" is not a duration like 500ms, 5s or 2m"},
    };
    REQUIRE(option_defaults(defs, &o) == 0);
    struct options before = o;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_EQ(set(rows[i].name, rows[i].value), ORIEL_EINVAL);
        CHECK_STR(err.text, rows[i].text);
        CHECK_EQ(option_set(option_find(defs, rows[i].name, strlen(rows[i].name)), &o,
                            rows[i].value, NULL),
                 ORIEL_EINVAL);
    }
    CHECK(memcmp(&before, &o, sizeof o) == 0); /* nothing was changed */
    option_done(defs, &o);
}

TEST(values_print_as_they_would_be_given)
{
    static const struct {
        const char *name, *value, *text;
    } rows[] = {
        {"live", "1", "true"},
        {"span_count", "-4", "-4"},
        {"ratio", "0.1", "0.1"},
        {"file", "x", "x"},
        {"policy", "overwrite", "overwrite"},
        {"ring", "1024K", "1MiB"},
        {"ring", "65537", "65537"},
        {"ring", "1.5MiB", "1536KiB"},
        {"timeout", "0", "0s"},
        {"timeout", "90", "90s"},
        {"timeout", "120s", "2m"},
        {"timeout", "0.25", "250ms"},
        {"timeout", "1500us", "1500us"},
        {"timeout", "7ns", "7ns"},
        {"timeout", "36h", "36h"},
    };
    REQUIRE(option_defaults(defs, &o) == 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_EQ(set(rows[i].name, rows[i].value), 0);
        CHECK_STR(text_of(rows[i].name), rows[i].text);
        CHECK_EQ(set(rows[i].name, rows[i].text), 0);
        CHECK_STR(text_of(rows[i].name), rows[i].text);
    }
    option_done(defs, &o);
}

TEST(a_secret_is_never_printed_nor_told_in_an_error)
{
    static const struct option_def secret_int = {
        .name = "pin", .type = OPTION_INT, .offset = AT(count), .secret = true};
    REQUIRE(option_defaults(defs, &o) == 0);
    CHECK_EQ(set("token", "s3cret"), 0);
    CHECK_STR(text_of("token"), "***");
    CHECK_EQ(option_set(&secret_int, &o, "s3cret", &err), ORIEL_EINVAL);
    CHECK(strstr(err.text, "s3cret") == NULL);
    option_done(defs, &o);
}

TEST(sizes_and_durations_take_fractions_but_no_nonsense)
{
    uint64_t v = 0;
    CHECK(option_parse_size("1.5KiB", &v) == 0 && v == 1536);
    CHECK(option_parse_size("18446744073709551615", &v) == 0 && v == UINT64_MAX);
    CHECK(option_parse_size("16777215TiB", &v) == 0);
    CHECK(option_parse_duration("0.000000001", &v) == 0 && v == 1);
    CHECK(option_parse_duration("1.5h", &v) == 0 && v == UINT64_C(5400000000000));
    static const char *const bad_sizes[] = {"",
                                            "K",
                                            "1KB",
                                            "1kb",
                                            "-1",
                                            "+1",
                                            "1 K",
                                            "1.K",
                                            ".5K",
                                            "0.1",
                                            "18446744073709551616",
                                            "16777216TiB",
                                            "1e3",
                                            "0x10",
                                            "1.5"};
    static const char *const bad_times[] = {"",     "s",  "1min",     "-1s",         "1.5ns",
                                            "1 ms", "1w", "5124096h", "0.0000000001"};
    v = 42;
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++)
        CHECK_EQ(option_parse_size(bad_sizes[i], &v), ORIEL_EINVAL);
    for (size_t i = 0; i < sizeof bad_times / sizeof *bad_times; i++)
        CHECK_EQ(option_parse_duration(bad_times[i], &v), ORIEL_EINVAL);
    CHECK_EQ(v, 42);
}

static const char *nearest(const char *name)
{
    const struct option_def *d = option_nearest(defs, name);
    return d ? d->name : "none";
}

TEST(a_slip_of_the_finger_finds_the_option_that_was_meant)
{
    CHECK_STR(nearest("tiemout"), "timeout");
    CHECK_STR(nearest("polcy"), "policy");
    CHECK_STR(nearest("span-counts"), "span_count");
    CHECK_STR(nearest("rign"), "ring");
    CHECK_STR(nearest("completely"), "none");
    CHECK_STR(nearest("xy"), "none"); /* two edits of two letters mean nothing */
    CHECK_STR(nearest(""), "none");
    CHECK(option_find(defs, "liv", 3) == NULL);
    CHECK(option_find(defs, "lives", 5) == NULL);
    CHECK(option_find(defs, "livestock", 4) == &defs[0]);
}

TEST(every_allocation_may_fail)
{
    for (uint64_t n = 1;; n++) {
        mem_fail_after(n);
        memset(&o, 0xee, sizeof o);
        int rc = option_defaults(defs, &o);
        int rc_set = rc == 0 ? option_set(&defs[7], &o, "secret", &err) : 0;
        int rc_bad = rc == 0 ? option_set(&defs[1], &o, "x", &err) : ORIEL_EINVAL;
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        CHECK(rc_set == 0 || (rc_set == ORIEL_ENOMEM && o.token == NULL));
        CHECK_EQ(rc_bad, ORIEL_EINVAL); /* even if there is no memory to say why */
        if (rc == 0)
            option_done(defs, &o);
        CHECK_EQ(mem_live_blocks(), 0);
        if (n == 4)
            break;
    }
}

TEST_MAIN()
