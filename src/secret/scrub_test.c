/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Secrets in texts: what is found, how much of it goes, and what people write
 * that is none. No token here was ever one.
 */
#include "secret/scrub.h"

#include <errno.h>
#include <pthread.h>

#include "secret/secret.h"
#include "random.h"
#include "test.h"

static const char *scrubbed(const char *text, unsigned what)
{
    static char out[1024];
    size_t n = strlen(text);
    REQUIRE(n < sizeof out);
    memcpy(out, text, n + 1);
    out[scrub_in_place(out, n, what)] = 0;
    return out;
}

TEST(tokens_of_well_known_services_go_by_their_shape)
{
    static const char *const tokens[] = {
        "sk-proj-abcdef0123456789ABCDEF",
        "sk_live_0123456789abcdef",
        "sk_test_0123456789abcdef",
        "AKIA0123456789ABCDEF",
        "ghp_0123456789abcdefghijklmnop",
        "gho_0123456789abcdefghijklmnop",
        "github_pat_11ABCDEFG0123456789_abcdef",
        "xoxb-123456789012-abcdefghij",
        "xoxp-123456789012-abcdefghij",
        "AIzaSyA0123456789abcdefghijklmnopqrstuv",
        "ya29.a0AfH6SMB-0123456789_abc.def",
        "glpat-0123456789abcdefghij",
        "hf_abcdefghijklmnop0123456789",
        "npm_abcdefghijklmnop0123456789abcdefghij",
        "dckr_pat_0123456789abcdefghijklmnopq",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----",
    };
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        char text[400], want[400];
        CHECK_STR(scrubbed(tokens[i], SCRUB_SHAPES), SCRUB_TEXT);
        snprintf(text, sizeof text, "got \"%s\", and %s.", tokens[i], tokens[i]);
        bool dotted = strncmp(tokens[i], "ya29.", 5) == 0 || strncmp(tokens[i], "eyJ", 3) == 0;
        snprintf(want, sizeof want, "got \"" SCRUB_TEXT "\", and " SCRUB_TEXT "%s",
                 dotted ? "" : ".");
        CHECK_STR(scrubbed(text, SCRUB_SHAPES), want);
        /* One byte less than the shape wants, or in the middle of a word. */
        snprintf(text, sizeof text, "x%s", tokens[i]);
        if (tokens[i][0] != '-' && tokens[i][0] != 'e')
            CHECK_STR(scrubbed(text, SCRUB_SHAPES), text);
    }
    CHECK_STR(scrubbed("-----BEGIN RSA PRIVATE KEY-----\nMIIE", SCRUB_SHAPES), SCRUB_TEXT);
}

TEST(credentials_go_and_what_is_around_them_stays)
{
    static const char *const rows[][2] = {
        {"Authorization: Bearer abc.DEF-123_456", "Authorization: Bearer [redacted]"},
        {"bearer abcdefghijklmnopqrstuvwxyz", "bearer [redacted]"},
        {"basic aHVudGVyOmh1bnRlcjI=", "basic [redacted]"},
        {"postgres://user:hunter2@db:5432/x?a=b", "postgres://[redacted]@db:5432/x?a=b"},
        {"https://ghtoken12@github.com/x", "https://***@github.com/x"},
        {"see http://a/b@c and redis://:p@ss@h", "see http://a/b@c and redis://***@h"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(scrubbed(rows[i][0], SCRUB_SHAPES), rows[i][1]);
}

TEST(values_go_by_their_names)
{
    static const char *const rows[][2] = {
        {"GET /x?token=abc12&a=b&api_key=k1", "GET /x?token=***&a=b&api_key=**"},
        {"password=hunter2hunter2 user=x", "password=[redacted] user=x"},
        {"{\"user\": \"x\", \"password\": \"hun\\\"ter2\"}",
         "{\"user\": \"x\", \"password\": \"***\"}"},
        {"Authorization: Digest username=\"x\"", "Authorization: [redacted]\"x\""},
        {"set-cookie: a=1; b=2; secure\r\nx: y", "set-cookie: [redacted]\r\nx: y"},
        {"DB_PASSWORD='p q'", "DB_PASSWORD='***'"},
        {"client_secret=abcdefghijkl;x", "client_secret=[redacted];x"},
        {"--api-key=abcdefghijkl", "--api-key=[redacted]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(scrubbed(rows[i][0], SCRUB_PAIRS), rows[i][1]);
    char args[] = "prog\0--password\0hunter2hunter2\0-x\0--token\0--y";
    size_t n = scrub_in_place(args, sizeof args, SCRUB_ALL);
    CHECK_EQ(memcmp(args, "prog\0--password\0[redacted]\0-x\0--token\0--y", n), 0);
    CHECK_STR(scrubbed("prog --secret abcdefghijkl x", SCRUB_ALL), "prog --secret [redacted] x");
    CHECK_STR(scrubbed("prog --secret abcdefghijkl x", SCRUB_TEXTS),
              "prog --secret abcdefghijkl x");
}

TEST(what_people_write_is_left_alone)
{
    static const char *const texts[] = {
        "",
        "a",
        "task-list-with-many-words-in-it",
        "sk-fading-circle-of-something-nice",
        "the bearer of bad news is here",
        "basic understanding of things",
        "unexpected token: foo",
        "max_tokens=4096",
        "token_count=12, password_length=8",
        "password=",
        "password=%s and token=%d",
        "password=null",
        "https://example.com:8080/a:b@c",
        "mail a@b.example",
        "/usr/include/sys/types.h:12:34",
        "std::vector<int>::push_back",
        "eyJ is how they begin",
        "-- BEGIN --",
        "key=value",
        "AKIA and ASIA",
        "secret",
        "Secret: ",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK_STR(scrubbed(texts[i], SCRUB_ALL), texts[i]);
}

TEST(names_of_secrets_are_told_from_names_about_them)
{
    static const char *const yes[] = {"password",      "db.password",
                                      "userPassword",  "x-api-key",
                                      "apiKey",        "authToken",
                                      "access_token",  "token",
                                      "Authorization", "http.request.header.cookie",
                                      "client_secret", "AWS_SECRET_ACCESS_KEY",
                                      "private_key",   "auth",
                                      "id.jwt"};
    static const char *const no[] = {"",          "user",         "token_count", "max_tokens",
                                     "tokenizer", "password_len", "secret.name", "key",
                                     "cache.key", "monkey",       "author",      "secretary",
                                     "keyboard",  "cookie_count", "token_type",  "a.b.c"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!scrub_key(yes[i], strlen(yes[i])))
            test_fail(__FILE__, __LINE__, "%s", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (scrub_key(no[i], strlen(no[i])))
            test_fail(__FILE__, __LINE__, "%s", no[i]);
}

TEST(arguments_of_formats_go_by_what_stands_before_them)
{
    static const struct {
        const char *format;
        unsigned index;
        bool secret;
    } rows[] = {
        {"login with password=%s", 0, true},
        {"%d%% of %-*s token=%.*s.", 3, false}, /* the precision is an argument too */
        {"%d%% of %-*s token=%.*s.", 4, true},
        {"user %s password: '%s'", 0, false},
        {"user %s password: '%s'", 1, true},
        {"{\"token\": \"%s\"}", 0, true},
        {"unexpected token: %s", 0, false},
        {"Authorization: Bearer %s", 0, true},
        {"a=%s", 0, false},
        {"a=%", 0, false},
        {"none", 0, false},
        {"password=%s", 1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (scrub_argument(rows[i].format, strlen(rows[i].format), rows[i].index) != rows[i].secret)
            test_fail(__FILE__, __LINE__, "row %zu", i);
    CHECK(scrub_argument("%*s secret=%s", 13, 2));
}

TEST(known_secrets_go_from_everywhere_and_so_do_their_parts)
{
    CHECK_EQ(secret_known_add("s3cr", 4), 0);
    CHECK_EQ(secret_known_add("abc", 3), 0); /* too short: everywhere */
    CHECK_EQ(secret_known_add("s3cr3t-longer", 13), 0);
    CHECK_EQ(secret_known_add("Basic dTpodW50ZXIy", 18), 0);
    CHECK_EQ(secret_known_add("Bearer opaque1", 14), 0);
    CHECK_STR(scrubbed("xs3crx s3cr3t-longer abc", SCRUB_KNOWN), "x***x [redacted] abc");
    CHECK_STR(scrubbed("hunter2 dTpodW50ZXIy opaque1", SCRUB_KNOWN), "*** [redacted] ***");
    CHECK_STR(scrubbed("s3c", SCRUB_KNOWN), "s3c");
    scrub_set_guessing(false);
    CHECK_STR(scrubbed("password=s3cr sk_live_0123456789abcdef", SCRUB_ALL),
              "password=*** sk_live_0123456789abcdef");
    CHECK(!scrub_key("password", 8));
    scrub_set_guessing(true);
    secret_known_forget();
    CHECK_STR(scrubbed("s3cr3t-longer", SCRUB_KNOWN), "s3cr3t-longer");
}

TEST(lines_of_errors_lose_what_is_known)
{
    struct oriel_err err;
    CHECK_EQ(secret_known_add("hunter2-canary", 14), 0);
    CHECK_EQ(err_set(&err, ORIEL_EIO, "%s: hunter2-canary!", "x"), ORIEL_EIO);
    CHECK_STR(err.text, "x: [redacted]!");
    CHECK_EQ(err_set_errno(&err, 2, "hunter2-canary"), ORIEL_ENOTFOUND);
    CHECK_STR(err.text, "[redacted]: No such file or directory");
    secret_known_forget();
}

TEST(there_is_an_end_to_what_can_be_known)
{
    char text[32];
    for (int i = 0; i < SECRET_KNOWN_MAX; i++) {
        snprintf(text, sizeof text, "secret-%d", i);
        CHECK_EQ(secret_known_add(text, strlen(text)), 0);
        CHECK_EQ(secret_known_add(text, strlen(text)), 0);
    }
    CHECK_EQ(secret_known_add("one-more", 8), ORIEL_ELIMIT);
    CHECK_STR(scrubbed("secret-127", SCRUB_KNOWN), SCRUB_TEXT);
    secret_known_forget();
}

TEST(masking_keeps_the_size)
{
    char text[] = "a=1&password=hunter2hunter2&b=AKIA0123456789ABCDEF&token=ab";
    size_t n = strlen(text);
    CHECK(scrub_mask(text, n, SCRUB_TEXTS));
    CHECK_STR(text, "a=1&password=[redacted]****&b=[redacted]**********&token=**");
    CHECK(!scrub_mask(text, n, SCRUB_TEXTS)); /* and is done with */
    char one[] = "x";
    scrub_mask_whole(one, 1);
    CHECK_STR(one, "*");
    scrub_mask_whole(one, 0);
}

/* Wherever a secret stands among blocks of sixteen bytes, it is found whole. */
TEST(a_secret_is_found_at_every_place_of_a_long_text)
{
    static const char *const tokens[] = {
        "sk-abcdefghijklmnop0123",        "xoxb-123456789012-abcdefghij",
        "glpat-0123456789abcdefghij",     "github_pat_11ABCDEFG0123456789",
        "npm_abcdefghijklmnop0123456789", "dckr_pat_0123456789abcdefghijk",
        "AKIA0123456789ABCDEF",           "AIzaSyA0123456789abcdefghijklm",
        "ya29.a0AfH6SMB0123456789",       "hf_abcdefghijklmnop0123456789",
        "eyJhbGciOiJI.eyJzdWIiOiIx.abc",  "known-12"};
    CHECK_EQ(secret_known_add("known-12", 8), 0);
    for (size_t t = 0; t < sizeof tokens / sizeof *tokens; t++)
        for (size_t at = 0; at < 70; at++) {
            char text[128];
            size_t n = strlen(tokens[t]);
            struct scrub_hit hit = {0};
            memset(text, ' ', sizeof text);
            memcpy(text + at, tokens[t], n);
            CHECK(scrub_find(text, sizeof text, 0, SCRUB_TEXTS, &hit));
            CHECK_EQ(hit.at, at);
            CHECK_EQ(hit.n, n);
            CHECK(scrub_find(text, at + n, at, SCRUB_TEXTS, &hit)); /* at the very end */
            CHECK(!scrub_find(text, sizeof text, at + n, SCRUB_TEXTS, &hit));
        }
    secret_known_forget();
}

/* Whatever the bytes: within bounds, never longer, and a second pass finds nothing more. */
TEST(any_bytes_can_be_scrubbed)
{
    static const char alphabet[] =
        "sk-_AKIAghpxoeyJ.:/@=\" \n\0Bearer0123456789tokenpassword--BEGIN";
    uint64_t seed = 1;
    unsigned long times = test_times(20000);
    for (unsigned long round = 0; round < times; round++) {
        char text[96];
        size_t n = round % sizeof text;
        for (size_t i = 0; i < n; i++)
            text[i] = alphabet[random_below(&seed, sizeof alphabet)];
        size_t m = scrub_in_place(text, n, SCRUB_ALL);
        CHECK(m <= n);
    }
}

/* Beginnings without end: each is judged by a bounded part of what follows. */
TEST(texts_that_begin_again_and_again_like_secrets_are_not_slow)
{
    static const char *const parts[] = {"sk-",          "-eyJ",       "token=[",  "://",
                                        "Bearer ",      "password=%", "--token ", "-----",
                                        "\"secret\":{", "ghp_",       "basic a"};
    static char text[1 << 18];
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        size_t n = strlen(parts[k]), most = test_times(sizeof text);
        for (size_t i = 0; i < most; i++)
            text[i] = parts[k][i % n];
        struct scrub_hit hit;
        (void)scrub_find(text, most, 0, SCRUB_TEXTS, &hit);
        (void)scrub_find(text, most, 0, SCRUB_ALL, &hit);
    }
}

static void *scrub_always(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        char text[] = "secret-1 secret-2 secret-3";
        size_t n = scrub_in_place(text, sizeof text - 1, SCRUB_KNOWN);
        CHECK(n <= sizeof text - 1);
    }
    return NULL;
}

TEST(secrets_become_known_while_others_scrub)
{
    pthread_t thread;
    char text[16];
    CHECK_EQ(pthread_create(&thread, NULL, scrub_always, NULL), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "secret-%d", i);
        CHECK_EQ(secret_known_add(text, strlen(text)), 0);
    }
    pthread_join(thread, NULL);
    secret_known_forget();
}

TEST(memory_of_secrets_is_wiped_and_not_dumped)
{
    struct secret s;
    char line[256], vmflags[256] = "";
    test_skip_emulated("/proc/self/smaps tells nothing of what a mapping is for");
    CHECK_EQ(secret_copy(&s, "hunter2", 7), 0);
    CHECK_STR(s.p, "hunter2");
    FILE *f = fopen("/proc/self/smaps", "r");
    REQUIRE(f);
    unsigned long from, to;
    bool mine = false;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2 && strchr(line, '-') < line + 17)
            mine = from <= (unsigned long)s.p && (unsigned long)s.p < to;
        if (mine && strncmp(line, "VmFlags:", 8) == 0)
            snprintf(vmflags, sizeof vmflags, "%s", line);
    }
    fclose(f);
    CHECK(strstr(vmflags, " dd") != NULL);
    secret_close(&s);
    secret_close(&s);
    CHECK(s.p == NULL);
    CHECK_EQ(secret_open(&s, SECRET_MAX + 1), ORIEL_ELIMIT);
}

TEST(a_line_of_an_error_that_was_cut_keeps_no_beginning_of_a_known_secret)
{
    static const char secret[] = "c4n4ry-that-is-longer-than-what-is-left-of-it";
    struct oriel_err err;
    CHECK_EQ(secret_known_add(secret, strlen(secret)), 0);
    /* Wherever the cut falls. */
    for (int before = 512 - (int)sizeof secret; before < 511; before++) {
        err_set(&err, ORIEL_EIO, "%*s%s", before, "x", secret);
        CHECK(strstr(err.text, "c4n4") == NULL);
        err_set_errno(&err, ENOENT, "%*s%s", before, "x", secret);
        CHECK(strstr(err.text, "c4n4") == NULL);
    }
    /* One that is longer than any line, and one that only ends like the beginning of one. */
    char longer[2000];
    memset(longer, 'z', sizeof longer);
    memcpy(longer, "c4n4ry", 6);
    CHECK_EQ(secret_known_add(longer, sizeof longer), 0);
    err_set(&err, ORIEL_EIO, "%.*s", (int)sizeof longer, longer);
    CHECK(strncmp(err.text, "[redacted]*", 11) == 0 && strchr(err.text, 'z') == NULL);
    err_set(&err, ORIEL_EIO, "whole: c4n4");
    CHECK_STR(err.text, "whole: c4n4");
    secret_known_forget();
}

TEST(a_line_about_a_file_keeps_the_name_of_the_file_and_what_is_said_of_it)
{
    static const char *const lines[] = {
        "oriel: /etc/passwd: not an Oriel capture at byte 0",
        "oriel: /run/secret: writing OTLP: input/output error",
        "oriel: passwd: not an Oriel capture at byte 0",
        "oriel: cookies: No such file or directory",
        "oriel: credentials: Permission denied",
        "oriel: secret: exists; -f overwrites it",
    };
    static const char *const secrets[][2] = {
        {"oriel: /etc/passwd: password: hunter2x", "oriel: /etc/passwd: password: ***"},
        {"oriel: /etc/passwd=hunter2x", "oriel: /etc/passwd=***"},
        {"oriel: /etc/passwd:hunter2x", "oriel: /etc/passwd:***"},
        {"oriel: http://h/x: Authorization: not-a-word-of-ours",
         "oriel: http://h/x: Authorization: [redacted]"},
        {"oriel: password: nothing", "oriel: password: ***"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        CHECK_STR(scrubbed(lines[i], SCRUB_TEXTS | SCRUB_FILES), lines[i]);
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        CHECK_STR(scrubbed(secrets[i][0], SCRUB_TEXTS | SCRUB_FILES), secrets[i][1]);
    /* What a program says is no line about a file of ours. */
    CHECK_STR(scrubbed("vault /db/password: hunter2x", SCRUB_TEXTS), "vault /db/password: ***");
}

TEST_MAIN()
