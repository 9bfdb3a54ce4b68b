/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the list of shares, and of what becomes of wrong ones. */
#include "config/config.h"

#include <stdio.h>

#include "test.h"

static struct config_rate rates[CONFIG_RATES_MAX];
static size_t count;
static struct oriel_err err;

static int read_rates(const char *text)
{
    err = (struct oriel_err){0};
    return config_rates_read(text, rates, &count, &err);
}

TEST(rates_are_targets_with_shares)
{
    CHECK_EQ(read_rates(""), 0);
    CHECK_EQ(count, 0);
    CHECK_EQ(read_rates("db=0.1, net::http=1 ,=0,a=b=0.5,"), 0);
    CHECK_EQ(count, 4);
    CHECK_STR(rates[0].target, "db");
    CHECK(rates[0].share == 0.1);
    CHECK_STR(rates[1].target, "net::http");
    CHECK(rates[1].share == 1);
    CHECK_STR(rates[2].target, "");
    CHECK(rates[2].share == 0);
    CHECK_STR(rates[3].target, "a=b");
}

TEST(rates_that_are_none_are_told)
{
    static const struct {
        const char *text, *line;
        int code;
    } cases[] = {
        {"db", "\"db\" is not TARGET=SHARE", ORIEL_EFORMAT},
        {"x=1,db=2", "\"db=2\" has no share from 0 to 1", ORIEL_EFORMAT},
        {"db=-0.1", "\"db=-0.1\" has no share from 0 to 1", ORIEL_EFORMAT},
        {"db=", "\"db=\" has no share from 0 to 1", ORIEL_EFORMAT},
        {"db=half", "\"db=half\" has no share from 0 to 1", ORIEL_EFORMAT},
        {"db=nan", "\"db=nan\" has no share from 0 to 1", ORIEL_EFORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_EQ(read_rates(cases[i].text), cases[i].code);
        CHECK_STR(err.text, cases[i].line);
    }
    char many[1024] = "", name[200];
    for (unsigned i = 0; i <= CONFIG_RATES_MAX; i++)
        snprintf(many + 6 * i, sizeof many - 6 * i, "t%02u=1,", i);
    CHECK_EQ(read_rates(many), ORIEL_ELIMIT);
    many[6 * CONFIG_RATES_MAX] = 0;
    CHECK_EQ(read_rates(many), 0);
    CHECK_EQ(count, CONFIG_RATES_MAX);
    snprintf(name, sizeof name, "%0*d=1", CONFIG_TARGET_MAX, 1);
    CHECK_EQ(read_rates(name), 0);
    snprintf(name, sizeof name, "%0*d=1", CONFIG_TARGET_MAX + 1, 1);
    CHECK_EQ(read_rates(name), ORIEL_ELIMIT);
}

TEST(a_wrong_rate_in_the_file_is_an_error_of_its_line)
{
    static const char text[] =
        "[telemetry.sampling]\nkeep_slow_ms = 250\nrates = ['db=0.1', 'x']\n";
    const struct config_input in = {.size = sizeof in,
                                    .file_name = "oriel.toml",
                                    .file_text = text,
                                    .file_bytes = strlen(text)};
    struct config *c;
    const struct config_message *m;
    REQUIRE(config_load(&c, &in, &err) == 0);
    REQUIRE(config_messages(c, &m) == 1);
    CHECK_STR(m[0].text, "oriel.toml:3: sampling.rates: \"x\" is not TARGET=SHARE");
    CHECK(!config_can_start(c));
    const struct config_sampling *s = config_section_options(c, "sampling");
    CHECK_EQ(s->keep_slow_ms, 250);
    CHECK_EQ(s->hold_bytes, 16 << 20);
    CHECK_STR(s->rates, "");
    config_free(c);
}

static struct config *loaded(const char *toml, const char *const *environment)
{
    const struct config_input in = {.size = sizeof in,
                                    .file_text = toml,
                                    .file_bytes = strlen(toml),
                                    .environment = environment};
    struct config *c;
    REQUIRE(config_load(&c, &in, NULL) == 0);
    return c;
}

TEST(delegates_do_not_count_below_a_sampler_that_was_said_above_them)
{
    static const char toml[] = "[telemetry.sampling]\nroot = 'always_off'\n"
                               "local_parent_not_sampled = 'always_on'\n";
    static const char *const above[] = {"OTEL_TRACES_SAMPLER=always_on", NULL};
    struct config_sampling s;
    struct config *c = loaded(toml, NULL);
    config_delegates(c, &s);
    CHECK(config_can_start(c));
    CHECK_EQ(s.root, CONFIG_DELEGATE_OFF + 1);
    CHECK_EQ(s.local_parent_not_sampled, CONFIG_DELEGATE_ON);
    config_free(c);
    c = loaded(toml, above);
    config_delegates(c, &s);
    CHECK(config_can_start(c));
    CHECK_EQ(s.root, 0);
    CHECK_EQ(s.local_parent_not_sampled, CONFIG_DELEGATE_OFF);
    config_free(c);
}

TEST(a_delegate_that_nobody_would_ask_stops_the_start_with_its_line)
{
    const struct config_message *m;
    struct config *c = loaded("[telemetry]\nsampler = 'always_on'\n"
                              "[telemetry.sampling]\nremote_parent_sampled = 'always_off'\n",
                              NULL);
    CHECK(!config_can_start(c));
    REQUIRE(config_messages(c, &m) == 1);
    CHECK_STR(m[0].text,
              "oriel.toml:4: telemetry.sampling.remote_parent_sampled cannot take effect: "
              "the sampler asks for no parent");
    config_free(c);
}

TEST_MAIN()
