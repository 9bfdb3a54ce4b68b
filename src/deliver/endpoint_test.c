/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "deliver/endpoint.h"

#include "base/mem.h"
#include "test.h"

static void targets(const char *text, const char *appended, const char *as_is)
{
    struct endpoint e;
    char path[ENDPOINT_PATH_MAX];
    struct oriel_err err = {0};
    CHECK_EQ(endpoint_read(&e, text, &err), 0);
    CHECK_EQ(endpoint_target(&e, "v1/traces", path, &err), 0);
    CHECK_STR(path, appended);
    CHECK_EQ(endpoint_target(&e, NULL, path, &err), 0);
    CHECK_STR(path, as_is);
    mem_free(e.authorization);
}

TEST(paths_are_put_behind_that_of_the_endpoint)
{
    targets("http://h", "/v1/traces", "/");
    targets("http://h:4318/", "/v1/traces", "/");
    targets("http://h:4318/base", "/base/v1/traces", "/base");
    targets("http://h:4318/base/", "/base/v1/traces", "/base/");
    targets("https://h/base?token=1", "/base/v1/traces?token=1", "/base?token=1");
    targets("unix:/run/x.sock", "/v1/traces", "/");
    targets("unix:///run/x.sock|/base", "/base/v1/traces", "/base");
    targets("unix:/run/x.sock|base", "/base/v1/traces", "/base");
}

TEST(what_is_shown_has_neither_user_nor_path)
{
    static const char *const rows[][3] = {
        {"http://h:4318/secret?x=y", "http://h:4318", NULL},
        {"https://h", "https://h", NULL},
        {"https://h:443/", "https://h", NULL},
        {"http://[::1]:4317", "http://[::1]:4317", NULL},
        {"http://user:pass@h:1/x", "http://h:1", "Basic dXNlcjpwYXNz"},
        {"http://user@h:1", "http://h:1", "Basic dXNlcjo="},
        {"http://a%3Ab:c%20d@h:1", "http://h:1", "Basic YTpiOmMgZA=="},
        {"http://u:p@x@h:1", "http://h:1", "Basic dTpwQHg="},
        {"http://h:1/a@b", "http://h:1", NULL},
        {"unix:/run/x.sock|/base", "unix:/run/x.sock", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct endpoint e;
        CHECK_EQ(endpoint_read(&e, rows[i][0], NULL), 0);
        CHECK_STR(e.shown, rows[i][1]);
        if (rows[i][2])
            CHECK_STR(e.authorization, rows[i][2]);
        else
            CHECK(e.authorization == NULL);
        mem_free(e.authorization);
    }
}

TEST(what_is_no_endpoint_is_refused_without_its_secrets)
{
    static const char *const bad[] = {"",
                                      "h:4317",
                                      "ftp://u:canary@h",
                                      "http://u:canary@",
                                      "http://u:ca%nary@h",
                                      "http://u:canary@h:99999",
                                      "http://u:canary@h/a b",
                                      "unix:",
                                      "http://"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct endpoint e;
        struct oriel_err err = {0};
        CHECK_EQ(endpoint_read(&e, bad[i], &err), ORIEL_EINVAL);
        CHECK(err.text[0] && !strstr(err.text, "canary"));
        CHECK(e.authorization == NULL);
    }
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(one_host_is_one_host_whatever_the_path)
{
    static const char *const rows[][2] = {{"http://h:1/a", "http://H:1/b"},
                                          {"unix:/x|/a", "unix:/x|/b"},
                                          {"https://h", "https://h:443/x"}};
    static const char *const others[][2] = {
        {"http://h:1", "http://h:2"}, {"http://h:443", "https://h"}, {"unix:/x", "unix:/y"}};
    struct endpoint a, b;
    for (size_t i = 0; i < 3; i++) {
        CHECK(endpoint_read(&a, rows[i][0], NULL) == 0 && endpoint_read(&b, rows[i][1], NULL) == 0);
        CHECK(endpoint_same_host(&a, &b));
        CHECK(endpoint_read(&a, others[i][0], NULL) == 0 &&
              endpoint_read(&b, others[i][1], NULL) == 0);
        CHECK(!endpoint_same_host(&a, &b));
    }
}

TEST(only_this_machine_is_here)
{
    static const char *const here[] = {"http://localhost", "http://a.localhost:1",
                                       "http://127.0.0.5", "http://[::1]", "unix:/x"};
    static const char *const there[] = {"http://notlocalhost", "http://10.0.0.1",
                                        "http://localhost.example", "http://[::2]"};
    struct endpoint e;
    for (size_t i = 0; i < sizeof here / sizeof *here; i++)
        CHECK(endpoint_read(&e, here[i], NULL) == 0 && endpoint_is_here(&e));
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        CHECK(endpoint_read(&e, there[i], NULL) == 0 && !endpoint_is_here(&e));
}

TEST_MAIN()
