/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Each provider as it is: real files, a real age, a server on loopback. What they
 * give, what they refuse, and that what they gave is known as a secret.
 */
#include "vault/vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "peer.h"
#include "secret/scrub.h"
#include "test.h"
#include "vault/provider.h"

#define CANARY "hunter2-canary"
#define HEADERS "authorization=Bearer " CANARY ",x-k=v2222"

static _Alignas(16) char options[4096];
static const char *environment[8] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
static struct vault_headers h;
static struct oriel_err err;

static void set(const char *name, const char *value)
{
    const struct option_def *d = option_find(vault_option_table(), name, strlen(name));
    REQUIRE(d);
    if (option_set(d, options, value, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
}

static void begin(const char *provider)
{
    REQUIRE(vault_options_size() <= sizeof options);
    CHECK_EQ(option_defaults(vault_option_table(), options), 0);
    set("provider", provider);
    REQUIRE(chdir(test_tmpdir()) == 0);
}

static const _Atomic uint64_t *nearer_ns;

static int ask_for(const char *key)
{
    const struct vault_request r = {.size = sizeof r,
                                    .options = options,
                                    .key = key,
                                    .environment = environment,
                                    .deadline_ns = clock_mono_ns() + 600000000000u,
                                    .nearer_ns = nearer_ns};
    h = (struct vault_headers){0};
    err = (struct oriel_err){0};
    return vault_read(&r, &h, &err);
}

/* The two headers of HEADERS came, and from now on no text has them. */
static void check_headers(void)
{
    REQUIRE(h.count == 2);
    CHECK_STR(h.items[0].name, "authorization");
    CHECK_STR(h.items[0].value, "Bearer " CANARY);
    CHECK_STR(h.items[1].value, "v2222");
    CHECK_EQ(err_set(&err, ORIEL_EIO, "said %s and %s", CANARY, "v2222"), ORIEL_EIO);
    CHECK_STR(err.text, "said [redacted] and ***");
    vault_headers_done(&h);
    secret_known_forget();
}

static void end(void)
{
    option_done(vault_option_table(), options);
}

static void write_file(const char *name, const char *text, unsigned mode)
{
    FILE *f = fopen(name, "w");
    REQUIRE(f);
    fputs(text, f);
    fclose(f);
    CHECK_EQ(chmod(name, mode), 0);
}

TEST(every_provider_names_its_options_after_itself_and_has_a_line)
{
    const struct option_def *d = vault_option_table();
    CHECK_STR(d->name, "provider");
    for (size_t i = 0; vault_registry[i]; i++) {
        const struct vault_provider *p = vault_registry[i];
        CHECK_STR(d->choices[i], p->name);
        CHECK(p->help[0]);
        for (const struct option_def *o = p->options; o->name; o++)
            CHECK(strncmp(o->name, p->name, strlen(p->name)) == 0 && o->help[0]);
    }
    CHECK_EQ(option_defaults(d, options), 0);
    CHECK_STR(vault_provider_name(options), "");
    CHECK_EQ(ask_for(NULL), ORIEL_EINVAL);
    CHECK(strstr(err.text, "no vault is configured for the key " VAULT_KEY_DEFAULT) != NULL);
    end();
}

TEST(a_file_of_ours_has_headers_and_one_that_others_may_read_does_not)
{
    begin("file");
    CHECK_EQ(ask_for("K"), ORIEL_EINVAL);
    set("file_path", "vault");
    CHECK_EQ(ask_for("K"), ORIEL_EIO);
    write_file("vault", "J=1\nK=" HEADERS "\n", 0600);
    CHECK_EQ(ask_for("K"), 0);
    check_headers();
    CHECK_EQ(ask_for("L"), ORIEL_ENOTFOUND);
    CHECK_STR(err.text, "vault (file): vault has no key L");
    for (unsigned mode = 0640; mode; mode = mode == 0640 ? 0604 : mode == 0604 ? 0620 : 0) {
        CHECK_EQ(chmod("vault", mode), 0);
        CHECK_EQ(ask_for("K"), ORIEL_EPERM);
        CHECK(strstr(err.text, "chmod 600") != NULL);
    }
    CHECK_EQ(chmod("vault", 0400), 0);
    CHECK_EQ(ask_for("K"), 0);
    check_headers();
    CHECK_EQ(symlink("vault", "link"), 0);
    set("file_path", "link");
    CHECK_EQ(ask_for("K"), ORIEL_EPERM);
    CHECK_EQ(mkfifo("pipe", 0600), 0);
    set("file_path", "pipe");
    CHECK_EQ(ask_for("K"), ORIEL_EPERM);
    if (geteuid() == 0) {
        CHECK_EQ(chown("vault", 12345, 12345), 0);
        set("file_path", "vault");
        CHECK_EQ(ask_for("K"), ORIEL_EPERM);
        CHECK_STR(err.text, "vault: belongs to somebody else");
    }
    end();
}

TEST(headers_may_be_json_in_the_file_and_have_a_default_key)
{
    begin("file");
    set("file_path", "vault");
    write_file("vault",
               "{\"" VAULT_KEY_DEFAULT "\": {\"authorization\": \"Bearer " CANARY
               "\", \"x-k\": \"v2222\"}}",
               0600);
    CHECK_EQ(ask_for(""), 0);
    check_headers();
    write_file("vault",
               "{\"K\": \"{\\\"authorization\\\": \\\"Bearer " CANARY
               "\\\", \\\"x-k\\\": \\\"v2222\\\"}\"}",
               0600);
    CHECK_EQ(ask_for("K"), 0);
    check_headers();
    end();
}

TEST(a_variable_and_a_credential_have_headers)
{
    char folder[600];
    begin("environment");
    environment[1] = "K=" HEADERS;
    CHECK_EQ(ask_for("K"), 0);
    check_headers();
    CHECK_EQ(ask_for("L"), ORIEL_ENOTFOUND);
    set("environment_variable", "K");
    CHECK_EQ(ask_for("L"), 0);
    check_headers();
    end();
    /* As systemd lays them out: a folder of the service's alone, files 0400. */
    begin("credential");
    CHECK_EQ(ask_for("K"), ORIEL_EIO);
    CHECK_EQ(mkdir("credentials", 0700), 0);
    write_file("credentials/K", HEADERS "\n", 0400);
    snprintf(folder, sizeof folder, "CREDENTIALS_DIRECTORY=%s/credentials", test_tmpdir());
    environment[1] = folder;
    CHECK_EQ(ask_for("K"), 0);
    check_headers();
    CHECK_EQ(ask_for("L"), ORIEL_ENOTFOUND);
    CHECK_EQ(ask_for("../K"), ORIEL_EINVAL);
    CHECK_EQ(chmod("credentials/K", 0444), 0);
    CHECK_EQ(ask_for("K"), ORIEL_EPERM);
    environment[1] = NULL;
    end();
}

TEST(a_helper_command_prints_headers)
{
    begin("command");
    CHECK_EQ(ask_for("K"), ORIEL_EINVAL);
    write_file("helper", "#!/bin/sh\n[ \"$1 $2\" = '-k OTEL K;x' ] && echo '" HEADERS "'\n", 0700);
    set("command_argv", "./helper,-k,OTEL {key}");
    CHECK_EQ(ask_for("K;x"), 0);
    check_headers();
    CHECK_EQ(ask_for("K"), ORIEL_EIO);
    set("command_argv", "true");
    CHECK_EQ(ask_for("K"), ORIEL_ENOTFOUND);
    set("command_argv", "no-such-program");
    CHECK_EQ(ask_for("K"), ORIEL_EIO);
    end();
}

TEST(headers_come_out_of_a_file_that_age_encrypted)
{
    if (system("command -v age-keygen >/dev/null") != 0)
        test_skip("age is not installed");
    begin("age");
    CHECK_EQ(ask_for("K"), ORIEL_EINVAL);
    REQUIRE(system("age-keygen -o identity 2>/dev/null; age-keygen -o wrong 2>/dev/null; "
                   "echo 'K=" HEADERS "' | age -r $(age-keygen -y identity) >vault.age") == 0);
    set("age_file", "vault.age");
    set("age_identity", "identity");
    CHECK_EQ(ask_for("K"), 0);
    check_headers();
    CHECK_EQ(ask_for("L"), ORIEL_ENOTFOUND);
    set("age_identity", "wrong");
    CHECK_EQ(ask_for("K"), ORIEL_EIO);
    CHECK(strstr(err.text, "vault.age: age: failed with status 1: ") != NULL);
    set("age_identity", "identity");
    CHECK_EQ(chmod("identity", 0644), 0);
    CHECK_EQ(ask_for("K"), ORIEL_EPERM);
    CHECK_EQ(chmod("identity", 0600), 0);
    set("age_file", "none.age");
    CHECK_EQ(ask_for("K"), ORIEL_EIO);
    set("age_file", "vault.age");
    set("age_program", "no-such-age");
    CHECK_EQ(ask_for("K"), ORIEL_EUNSUPPORTED);
    end();
}

/* ---- a KV store, without TLS: tests/scenario/vault_test.py has one with ---- */

static struct {
    char seen[4096];
    const char *reply;
} server;

static void serve(int fd, unsigned which, void *arg)
{
    (void)peer_read_until(fd, "\r\n\r\n", server.seen, sizeof server.seen);
    peer_send(fd, server.reply);
}

static int ask_server(const char *reply)
{
    char address[64];
    server.reply = reply;
    struct peer *p = peer_start(serve, NULL, NULL);
    snprintf(address, sizeof address, "http://127.0.0.1:%u", peer_port(p));
    set("kv_address", address);
    int rc = ask_for("K");
    peer_stop(p);
    return rc;
}

#define REPLY(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" body

TEST(a_kv_store_gives_headers_for_a_token)
{
    begin("kv");
    write_file("token", "s.hunter3\n", 0600);
    set("kv_token_file", "token");
    set("kv_mount", "/kv/");
    set("kv_path", "team a/otel");
    set("kv_namespace", "ns");
    CHECK_EQ(ask_server(REPLY("200 OK", "{\"data\":{\"data\":{\"J\":\"1\",\"K\":\"" HEADERS
                                        "\"},\"metadata\":{}}}")),
             0);
    CHECK(strstr(server.seen, "GET /v1/kv/data/team%20a/otel HTTP/1.1\r\n") == server.seen);
    CHECK(strstr(server.seen, "X-Vault-Token: s.hunter3\r\n") != NULL);
    CHECK(strstr(server.seen, "X-Vault-Namespace: ns\r\n") != NULL);
    check_headers();
    CHECK_EQ(ask_server(REPLY("200 OK", "{\"data\":{\"data\":{\"J\":\"1\"}}}")), ORIEL_ENOTFOUND);
    CHECK_EQ(ask_server(REPLY("404 Not Found", "{\"errors\":[]}")), ORIEL_ENOTFOUND);
    end();
}

TEST(what_a_kv_server_says_else_is_told_and_nothing_of_it_repeated)
{
    static const struct {
        const char *reply, *line;
        int code;
    } rows[] = {
        {REPLY("403 Forbidden", "{\"errors\":[\"" CANARY "\"]}"), "refuses the token", ORIEL_EPERM},
        {REPLY("503 x", CANARY), "sealed", ORIEL_EIO},
        {REPLY("500 x", CANARY), "status 500", ORIEL_EIO},
        {REPLY("307 x", ""), "elsewhere", ORIEL_EPERM},
        {REPLY("200 OK", "{\"data\":{\"K\":\"" CANARY "\"}}"), "version 2", ORIEL_EFORMAT},
        {REPLY("200 OK", "<" CANARY ">"), "does not answer as a KV store", ORIEL_EFORMAT},
        {REPLY("200 OK", "{\"data\":{\"data\":{\"K\":[\"" CANARY "\"]}}}"), "neither text",
         ORIEL_EFORMAT},
        {CANARY "\r\n\r\n", "vault (kv): http://127.0.0.1:", ORIEL_EFORMAT},
        {"", "vault (kv): http://127.0.0.1:", ORIEL_ECLOSED},
    };
    begin("kv");
    environment[1] = "VAULT_TOKEN=s.hunter3";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_EQ(ask_server(rows[i].reply), rows[i].code);
        if (!strstr(err.text, rows[i].line) || strstr(err.text, CANARY))
            test_fail(__FILE__, __LINE__, "row %zu: %s", i, err.text);
    }
    static char large[400000] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    memset(large + strlen(large), ' ', sizeof large - strlen(large) - 1);
    CHECK_EQ(ask_server(large), ORIEL_ELIMIT);
    environment[1] = NULL;
    end();
}

TEST(a_token_goes_nowhere_in_plain_text_and_needs_a_safe_place)
{
    begin("kv");
    set("kv_address", "http://127.0.0.1:1");
    CHECK_EQ(ask_for("K"), ORIEL_EINVAL);
    CHECK(strstr(err.text, "no token") != NULL);
    environment[1] = "VAULT_TOKEN=s.hunter3";
    set("kv_address", "http://vault.example:8200");
    CHECK_EQ(ask_for("K"), ORIEL_EINVAL);
    CHECK(strstr(err.text, "without TLS") != NULL);
    set("kv_address", "https://u:" CANARY "@h");
    CHECK_EQ(ask_for("K"), ORIEL_EFORMAT);
    CHECK(!strstr(err.text, CANARY));
    set("kv_address", "http://127.0.0.1:1");
    set("kv_path", "../sys");
    CHECK_EQ(ask_for("K"), ORIEL_EINVAL);
    set("kv_path", "a");
    write_file("token", "s.hunter3", 0644);
    set("kv_token_file", "token");
    CHECK_EQ(ask_for("K"), ORIEL_EPERM);
    write_file("token", "s.\nhunter3", 0600);
    CHECK_EQ(ask_for("K"), ORIEL_EFORMAT);
    environment[1] = NULL;
    end();
}

static void hang(int fd, unsigned which, void *arg)
{
    peer_drain(fd);
}

TEST(a_silent_server_is_waited_for_until_the_deadline_only)
{
    char address[64];
    begin("kv");
    environment[1] = "VAULT_TOKEN=s.hunter3";
    struct peer *p = peer_start(hang, NULL, NULL);
    snprintf(address, sizeof address, "http://127.0.0.1:%u", peer_port(p));
    set("kv_address", address);
    set("kv_timeout", "50ms");
    CHECK_EQ(ask_for("K"), ORIEL_ETIMEOUT);
    /* The same where the deadline has come nearer. */
    set("kv_timeout", "60s");
    _Atomic uint64_t now = 0;
    nearer_ns = &now;
    CHECK_EQ(ask_for("K"), ORIEL_ETIMEOUT);
    nearer_ns = NULL;
    environment[1] = NULL;
    end();
    peer_stop(p);
}

TEST_MAIN()
