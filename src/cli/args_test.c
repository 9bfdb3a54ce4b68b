/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The parser, over a command made for it.
 */
#include <stddef.h>

#include "cli/cli.h"
#include "test.h"

struct sample {
    bool tree, keep;
    int64_t top;
    const char *name, *file, *to;
    uint64_t ring_size;
};

#define AT(member) .offset = offsetof(struct sample, member)
static const struct option_def options[] = {
    {.name = "tree", .type = OPTION_BOOL, AT(tree), .letter = 't', .help = "a tree"},
    {.name = "keep", .type = OPTION_BOOL, AT(keep), .fallback = "true", .letter = 'k'},
    {.name = "top",
     .type = OPTION_INT,
     AT(top),
     .fallback = "20",
     .min = 1,
     .max = 100,
     .letter = 'n'},
    {.name = "name", .type = OPTION_STRING, AT(name)},
    {.name = "file", .type = OPTION_STRING, AT(file), .filled = true, .letter = 'f', .arg = "FILE"},
    {.name = "to", .type = OPTION_STRING, AT(to)},
    {.name = "ring_size", .type = OPTION_SIZE, AT(ring_size), .fallback = "16MiB"},
    OPTION_END,
};
static const struct cli_command plain = {.name = "sample",
                                         .args = "[FILE]",
                                         .options = options,
                                         .options_size = sizeof(struct sample),
                                         .max_args = 2};
static const struct cli_command starter = {.name = "starter",
                                           .args = "PROGRAM",
                                           .program = true,
                                           .options = options,
                                           .min_args = 1,
                                           .max_args = -1,
                                           .options_size = sizeof(struct sample)};

static struct cli_args a;
static struct oriel_err err;

static int parse(const struct cli_command *c, const char *line)
{
    static char text[512];
    static char *words[64];
    int n = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *p = text; *p; n++) {
        words[n] = p;
        p += strcspn(p, " ");
        if (*p)
            *p++ = 0;
    }
    err = (struct oriel_err){0};
    return cli_args_parse(&a, c, n, words, &err);
}

static const struct sample *got(void)
{
    return a.call.options;
}

TEST(args_without_options_are_the_defaults)
{
    REQUIRE(parse(&plain, "") == 0);
    CHECK_EQ(got()->top, 20);
    CHECK_EQ(got()->keep, 1);
    CHECK_EQ(got()->tree, 0);
    CHECK_EQ(got()->ring_size, 16 << 20);
    CHECK_EQ(a.call.arg_count, 0);
    cli_args_done(&a);
}

TEST(args_take_every_spelling_of_an_option)
{
    static const char *const spellings[] = {"--top=7", "--top 7", "-n 7", "-n7", "-tn7", "-tn 7"};
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        REQUIRE(parse(&plain, spellings[i]) == 0);
        CHECK_EQ(got()->top, 7);
        cli_args_done(&a);
    }
}

TEST(args_that_say_nothing_are_refused_where_something_is_to_be_said)
{
    static const char *const empty[] = {"--file=", "--file= one", "-f  one"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        CHECK_EQ(parse(&plain, empty[i]), ORIEL_EINVAL);
        CHECK(strstr(err.text, "is empty") && strstr(err.text, "FILE"));
        CHECK(strstr(err.text, i < 2 ? "--file is" : "-f is") != NULL);
        cli_args_done(&a);
    }
    REQUIRE(parse(&plain, "--name= --file=f") == 0);
    CHECK_STR(got()->name, "");
    CHECK_STR(got()->file, "f");
    cli_args_done(&a);
}

TEST(args_take_options_after_and_between_arguments)
{
    REQUIRE(parse(&plain, "one --ring-size 1MiB two -t") == 0);
    CHECK_EQ(got()->ring_size, 1 << 20);
    CHECK_EQ(got()->tree, 1);
    CHECK_EQ(a.call.arg_count, 2);
    CHECK_STR(a.call.args[1], "two");
    CHECK(a.call.args[2] == NULL);
    cli_args_done(&a);
}

TEST(args_after_two_dashes_are_never_options)
{
    REQUIRE(parse(&plain, "-t -- --top -") == 0);
    CHECK_EQ(a.call.arg_count, 2);
    CHECK_STR(a.call.args[0], "--top");
    cli_args_done(&a);
}

TEST(args_leave_a_started_program_its_own_options)
{
    REQUIRE(parse(&starter, "-t ls -l --top -- x") == 0);
    CHECK_EQ(got()->tree, 1);
    CHECK_EQ(a.call.arg_count, 5);
    CHECK_STR(a.call.args[1], "-l");
    cli_args_done(&a);
    REQUIRE(parse(&starter, "-- -strange -t") == 0);
    CHECK_STR(a.call.args[0], "-strange");
    CHECK_EQ(a.call.arg_count, 2);
    cli_args_done(&a);
}

TEST(args_switch_off_with_no)
{
    REQUIRE(parse(&plain, "--no-keep --tree=false") == 0);
    CHECK_EQ(got()->keep, 0);
    CHECK_EQ(got()->tree, 0);
    cli_args_done(&a);
}

TEST(args_say_what_was_wrong)
{
    static const struct {
        const char *line, *expected;
    } cases[] = {
        {"--tpo 5", "did you mean --top?"},
        {"--rong", "unknown option \"--rong\""},
        {"-x", "unknown option \"-x\""},
        {"--no-top", "unknown option \"--no-top\""},
        {"--no-keep=1", "takes no value"},
        {"--top", "needs a value"},
        {"-n", "needs a value"},
        {"--top 0", "top"},
        {"--top seven", "seven"},
        {"--ring-size much", "--ring-size: \"much\" is not"},
        {"--ring-size=much", "--ring-size: \"much\" is not"},
        {"-n x", "--top: \"x\" is not"},
        {"a b c", "\"c\" is one argument too many"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_EQ(parse(&plain, cases[i].line), ORIEL_EINVAL);
        if (!strstr(err.text, cases[i].expected))
            test_fail(__FILE__, __LINE__, "\"%s\" says \"%s\"", cases[i].line, err.text);
        cli_args_done(&a);
    }
    CHECK_EQ(parse(&starter, "-t"), ORIEL_EINVAL);
    CHECK(strstr(err.text, "PROGRAM is missing") != NULL);
    cli_args_done(&a);
}

TEST(args_help_wins_over_missing_arguments)
{
    REQUIRE(parse(&starter, "--help") == 0);
    CHECK(a.help);
    cli_args_done(&a);
    REQUIRE(parse(&starter, "-th") == 0);
    CHECK(a.help);
    cli_args_done(&a);
    REQUIRE(parse(&starter, "prog --help") == 0);
    CHECK(!a.help);
    cli_args_done(&a);
}

TEST(every_option_of_every_command_is_in_help_man_and_completions)
{
    struct buf help, man, shells[3];
    buf_init(&help);
    buf_init(&man);
    for (int i = 0; i < 3; i++)
        buf_init(&shells[i]);
    generate_bash(&shells[0]);
    generate_zsh(&shells[1]);
    generate_fish(&shells[2]);
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *c = cli_commands[i];
        buf_clear(&help);
        buf_clear(&man);
        cli_help_command(&help, c);
        generate_man(&man, c);
        for (const struct option_def *d = c->options; d && d->name; d++) {
            char flag[80];
            cli_option_flag(d, flag, sizeof flag);
            CHECK(strstr(buf_cstr(&help), flag) != NULL);
            CHECK(d->help && d->help[0] && d->help[strlen(d->help) - 1] != '.');
            if (!c->hidden)
                for (int k = 0; k < 2; k++)
                    CHECK(strstr(buf_cstr(&shells[k]), flag) != NULL);
            if (!c->hidden)
                CHECK(strstr(buf_cstr(&shells[2]), flag + 2) != NULL);
        }
        CHECK(strstr(buf_cstr(&man), ".SH NAME") != NULL);
    }
    buf_done(&help);
    buf_done(&man);
    for (int i = 0; i < 3; i++)
        buf_done(&shells[i]);
}

TEST(the_nearest_command_is_named)
{
    CHECK(cli_command_nearest("recrod") == cli_command_find("record"));
    CHECK(cli_command_nearest("zzzzzz") == NULL);
    CHECK(cli_command_nearest("generat") == NULL); /* hidden */
}

TEST(with_sides_a_program_begins_behind_the_dashes_only)
{
    static const struct cli_command both = {.name = "both",
                                            .args = "[FILE...] | -- PROGRAM",
                                            .options = options,
                                            .options_size = sizeof(struct sample),
                                            .program = true,
                                            .sides = true,
                                            .max_args = -1};
    static const char *const said[] = {"file", "-n", "7", "--", "prog", "-n", "8", "--", "--tree"};
    char *words[9];
    memcpy(words, said, sizeof words);
    REQUIRE(cli_args_parse(&a, &both, 9, words, NULL) == 0);
    const struct sample *o = a.call.options;
    CHECK_EQ(o->top, 7);
    CHECK(!o->tree);
    CHECK_EQ(a.call.arg_count, 7);
    CHECK_STR(a.call.args[1], "--");
    CHECK_STR(a.call.args[6], "--tree");
    cli_args_done(&a);
}

TEST_MAIN()
