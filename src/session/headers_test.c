/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From a configuration to headers: which key is asked for, and what it means
 * that there is none.
 */
#include "session/headers.h"

#include <string.h>

#include "base/clock.h"
#include "session/settings.h"
#include "test.h"

static const char *const environment[] = {"K=x-k=v1234", "ZEPH_OTEL_HEADERS=x-z=v5678", NULL};
static struct config *c;
static struct vault_headers h;
static struct oriel_err err;

static void load(const char *file)
{
    struct config_section sections[SETTINGS_SECTIONS_MAX];
    const struct config_input in = {.size = sizeof in,
                                    .sections = sections,
                                    .section_count = settings_sections(sections),
                                    .file_name = "oriel.toml",
                                    .file_text = file,
                                    .file_bytes = strlen(file)};
    REQUIRE(config_load(&c, &in, &err) == 0);
    CHECK(config_can_start(c));
}

static int ask(void)
{
    err = (struct oriel_err){0};
    h = (struct vault_headers){0};
    const struct headers_ask how = {.environment = environment,
                                    .deadline_ns = clock_mono_ns() + 600000000000u};
    return session_headers(c, &how, &h, &err);
}

TEST(nobody_asks_a_vault_that_is_not_configured)
{
    load("[telemetry]\n");
    CHECK(!session_wants_headers(c));
    CHECK_EQ(ask(), 0);
    CHECK_EQ(h.count, 0);
    CHECK_STR(err.text, "");
    config_free(c);
}

TEST(the_key_is_the_one_named_or_the_usual_one)
{
    load("[telemetry.vault]\nprovider = 'environment'\n");
    CHECK(session_wants_headers(c));
    CHECK_STR(session_headers_key(c), "ZEPH_OTEL_HEADERS");
    CHECK_EQ(ask(), 0);
    REQUIRE(h.count == 1);
    CHECK_STR(h.items[0].value, "v5678");
    vault_headers_done(&h);
    config_free(c);
    load(
        "[telemetry]\notlp_headers_vault_key = 'K'\n[telemetry.vault]\nprovider = 'environment'\n");
    CHECK_EQ(ask(), 0);
    REQUIRE(h.count == 1);
    CHECK_STR(h.items[0].name, "x-k");
    vault_headers_done(&h);
    config_free(c);
}

TEST(a_key_without_a_vault_or_that_is_missing_is_an_error)
{
    load("[telemetry]\notlp_headers_vault_key = 'K'\n");
    CHECK(session_wants_headers(c));
    CHECK_EQ(ask(), ORIEL_EINVAL);
    CHECK(strstr(err.text, "no vault is configured for the key K") != NULL);
    config_free(c);
    load(
        "[telemetry]\notlp_headers_vault_key = 'L'\n[telemetry.vault]\nprovider = 'environment'\n");
    CHECK_EQ(ask(), ORIEL_ENOTFOUND);
    CHECK_STR(err.text, "vault (environment): $L is not set");
    config_free(c);
}

TEST(a_missing_key_that_nobody_requires_is_said_once)
{
    load("[telemetry]\notlp_headers_vault_key = 'L'\notlp_headers_required = false\n"
         "[telemetry.vault]\nprovider = 'environment'\n");
    CHECK_EQ(ask(), 0);
    CHECK_EQ(h.count, 0);
    CHECK_EQ(err.code, 0);
    CHECK_STR(err.text, "vault (environment): $L is not set: sending without authorization");
    CHECK_EQ(ask(), 0);
    CHECK_STR(err.text, "");
    config_free(c);
    /* A vault that does not answer is another matter. */
    load("[telemetry]\notlp_headers_required = false\n"
         "[telemetry.vault]\nprovider = 'file'\nfile_path = '/nowhere'\n");
    CHECK_EQ(ask(), ORIEL_EIO);
    config_free(c);
}

TEST(headers_of_the_environment_are_known_secrets)
{
    static const char *const variables[] = {
        "OTEL_EXPORTER_OTLP_HEADERS=x-k=Bearer%20hunter2-canary",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS=x-l=other-canary", NULL};
    struct config_section sections[SETTINGS_SECTIONS_MAX];
    const struct config_input in = {.size = sizeof in,
                                    .sections = sections,
                                    .section_count = settings_sections(sections),
                                    .environment = variables};
    REQUIRE(config_load(&c, &in, &err) == 0);
    CHECK_EQ(session_know_headers(c, &err), 0);
    CHECK_EQ(err_set(&err, ORIEL_EIO, "hunter2-canary and other-canary"), ORIEL_EIO);
    CHECK_STR(err.text, "[redacted] and [redacted]");
    secret_known_forget();
    config_free(c);
}

TEST_MAIN()
