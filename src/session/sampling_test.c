/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of what the pipe is told for each sampler of the standard. */
#include "session/sampling.h"

#include "test.h"

static void sampling(const char *const *environment, const struct config_set *code, size_t n,
                     struct sampling *out)
{
    const struct config_input in = {
        .size = sizeof in, .environment = environment, .code = code, .code_count = n};
    struct config *c;
    struct oriel_err err;
    REQUIRE(config_load(&c, &in, &err) == 0);
    CHECK(config_can_start(c));
    sampling_of(c, out);
    config_free(c);
}

TEST(each_sampler_of_the_standard_is_one_of_the_pipe)
{
    static const struct {
        const char *name;
        bool parent_based;
        enum pipe_sampler root;
    } cases[] = {
        {"OTEL_TRACES_SAMPLER=always_on", false, PIPE_SAMPLE_ON},
        {"OTEL_TRACES_SAMPLER=always_off", false, PIPE_SAMPLE_OFF},
        {"OTEL_TRACES_SAMPLER=traceidratio", false, PIPE_SAMPLE_RATIO},
        {"OTEL_TRACES_SAMPLER=parentbased_always_on", true, PIPE_SAMPLE_ON},
        {"OTEL_TRACES_SAMPLER=parentbased_always_off", true, PIPE_SAMPLE_OFF},
        {"OTEL_TRACES_SAMPLER=parentbased_traceidratio", true, PIPE_SAMPLE_RATIO},
        {"X=", true, PIPE_SAMPLE_RATIO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const environment[] = {cases[i].name, "OTEL_TRACES_SAMPLER_ARG=0.25", NULL};
        struct sampling s;
        sampling(environment, NULL, 0, &s);
        CHECK_EQ(s.how.root, cases[i].root);
        CHECK_EQ(s.how.parent_based, cases[i].parent_based);
        if (s.how.root == PIPE_SAMPLE_RATIO && i < 6)
            CHECK(s.how.share == 0.25);
    }
}

TEST(the_rest_comes_from_its_table)
{
    static const struct config_set code[] = {{"sampling.rates", "db=0.5,net=0"},
                                             {"sampling.traces_per_s", "100"},
                                             {"sampling.keep_errors", "true"},
                                             {"sampling.keep_slow_ms", "250"},
                                             {"sampling.hold_bytes", "1MiB"},
                                             {"sampling.hold_s", "5"},
                                             {"sample_rate", "0.1"}};
    struct sampling s;
    sampling(NULL, code, sizeof code / sizeof *code, &s);
    CHECK_EQ(s.how.rate_count, 2);
    CHECK_STR(s.how.rates[0].target, "db");
    CHECK(s.how.rates[0].share == 0.5 && s.how.rates[1].share == 0 && s.how.share == 0.1);
    CHECK_EQ(s.how.traces_per_s, 100);
    CHECK_EQ(s.how.keep_slow_ns, 250000000);
    CHECK(s.how.keep_errors && s.how.parent_based && s.how.root == PIPE_SAMPLE_RATIO);
    CHECK_EQ(s.how.tail_bytes, 1 << 20);
    CHECK_EQ(s.how.tail_ns, UINT64_C(5000000000));
}

TEST(delegates_that_do_as_the_parent_did_are_not_asked)
{
    static const struct config_set code[] = {{"sampling.root", "always_off"},
                                             {"sampling.remote_parent_sampled", "traceidratio"},
                                             {"sampling.remote_parent_not_sampled", "always_on"},
                                             {"sampling.local_parent_sampled", "always_on"},
                                             {"sampling.local_parent_not_sampled", "always_off"}};
    struct sampling s;
    sampling(NULL, code, sizeof code / sizeof *code, &s);
    CHECK(s.how.parent_based && s.how.root == PIPE_SAMPLE_OFF);
    CHECK_EQ(s.how.remote_sampled, PIPE_DELEGATE_RATIO);
    CHECK_EQ(s.how.remote_not_sampled, PIPE_DELEGATE_ON);
    CHECK_EQ(s.how.local_sampled, PIPE_AS_PARENT);
    CHECK_EQ(s.how.local_not_sampled, PIPE_AS_PARENT);
}

TEST_MAIN()
