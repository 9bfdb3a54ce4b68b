/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Headers out of texts, values out of documents: what is taken, what is refused,
 * and that no line repeats a value.
 */
#include "vault/provider.h"

#include <string.h>

#include "test.h"

#define CANARY "hunter2-canary"

static struct vault_headers h;
static struct oriel_err err;

static int parse(const char *text)
{
    h = (struct vault_headers){0};
    err = (struct oriel_err){0};
    return vault_parse_headers(text, strlen(text), "vault (test), key K", &h, &err);
}

static const char *value(const char *name)
{
    for (size_t i = 0; i < h.count; i++)
        if (strcmp(h.items[i].name, name) == 0)
            return h.items[i].value;
    return "(none)";
}

TEST(a_json_object_and_a_list_are_headers)
{
    CHECK_EQ(parse(" {\"Authorization\": \"Bearer a b\", \"x-k\": \"\\u00e9=,\"}\n"), 0);
    CHECK_EQ(h.count, 2);
    CHECK_STR(value("authorization"), "Bearer a b");
    CHECK_STR(value("x-k"), "\xc3\xa9=,");
    vault_headers_done(&h);
    CHECK_EQ(parse("Authorization=Bearer%20a%2Cb , x-k = v=w%zz\n,,x-l=1"), 0);
    CHECK_EQ(h.count, 3);
    CHECK_STR(value("authorization"), "Bearer a,b");
    CHECK_STR(value("x-k"), "v=w%zz");
    CHECK_STR(value("x-l"), "1");
    vault_headers_done(&h);
}

TEST(what_no_header_can_be_is_refused_without_its_value)
{
    static const struct {
        const char *text, *line;
        int code;
    } rows[] = {
        {"", "there is no header in it", ORIEL_EFORMAT},
        {"{}", "there is no header in it", ORIEL_EFORMAT},
        {CANARY, "header 1 is not name=value", ORIEL_EFORMAT},
        {"a=1,b c=" CANARY, "header 2 has a name that no header can have", ORIEL_EFORMAT},
        {"=" CANARY, "header 1 has a name that no header can have", ORIEL_EFORMAT},
        {"a=" CANARY "%0d%0ax: y", "header 1 has a control character in its value", ORIEL_EFORMAT},
        {"{\"a\": \"" CANARY "\\n\"}", "header 1 has a control character in its value",
         ORIEL_EFORMAT},
        {"{\"a\": \"" CANARY "\\u0000\"}", "header 1 has a control character in its value",
         ORIEL_EFORMAT},
        {"a=", "header 1 has no value", ORIEL_EFORMAT},
        {"A=" CANARY ",a=2", "header 2 is there twice", ORIEL_EFORMAT},
        {"content-length=12", "header 1 is one that the transport sets itself", ORIEL_EFORMAT},
        {"{\"a\": 12}", "header 1 has a value that is no text", ORIEL_EFORMAT},
        {"{\"a\": \"" CANARY "\"", "the value begins like a JSON object and is none",
         ORIEL_EFORMAT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_EQ(parse(rows[i].text), rows[i].code);
        CHECK(strstr(err.text, rows[i].line));
        CHECK(!strstr(err.text, CANARY));
        CHECK_EQ(h.count, 0);
    }
    static char many[VAULT_VALUE_MAX + 100];
    for (size_t i = 0; i <= VAULT_HEADERS_MAX; i++)
        snprintf(many + strlen(many), 16, "h%zu=1,", i);
    CHECK_EQ(parse(many), ORIEL_ELIMIT);
    memset(many, 'a', sizeof many - 1);
    CHECK_EQ(parse(many), ORIEL_ELIMIT);
}

TEST(parsing_survives_every_lack_of_memory)
{
    static const char *const texts[] = {"a=1,b=2", "{\"a\":\"1\",\"b\":\"2\"}"};
    for (size_t i = 0; i < 2; i++)
        for (uint64_t n = 1; n < 50; n++) {
            mem_fail_after(n);
            int rc = parse(texts[i]);
            mem_fail_after(0);
            if (rc == 0) {
                vault_headers_done(&h);
                break;
            }
            CHECK_EQ(rc, ORIEL_ENOMEM);
        }
}

static const char *picked(const char *document, const char *key, int want)
{
    static char text[256];
    struct secret d, out = {0};
    CHECK_EQ(secret_copy(&d, document, strlen(document)), 0);
    CHECK_EQ(vault_pick(&d, key, "f", &out, &err), want);
    snprintf(text, sizeof text, "%s", out.p ? out.p : "");
    secret_close(&out);
    secret_close(&d);
    return text;
}

TEST(a_key_is_found_in_json_and_in_lines)
{
    CHECK_STR(picked("{\"J\": 1, \"K\": \"a=1\"}", "K", 0), "a=1");
    CHECK_STR(picked("{\"K\": {\"a\": \"1\"}}", "K", 0), "{\"a\":\"1\"}");
    CHECK_STR(picked("# K=no\nJ=x\n export K=\"a=1,b=2\"\r\nK=later", "K", 0), "a=1,b=2");
    CHECK_STR(picked("K='v'", "K", 0), "v");
    CHECK_STR(picked("KK=v\nxK=v", "K", ORIEL_ENOTFOUND), "");
    CHECK_STR(picked("{\"J\": \"x\"}", "K", ORIEL_ENOTFOUND), "");
    CHECK_STR(picked("{\"K\": [\"" CANARY "\"]}", "K", ORIEL_EFORMAT), "");
    CHECK(!strstr(err.text, CANARY));
    CHECK_STR(picked("{\"K\": \"" CANARY, "K", ORIEL_EFORMAT), "");
    CHECK(!strstr(err.text, CANARY));
}

TEST_MAIN()
