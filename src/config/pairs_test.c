/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of lists of pairs: what is decoded, and that a wrong list is wrong as a whole. */
#include <stdlib.h>

#include "config/otlp.h"
#include "test.h"

static int append(void *user, const char *key, const char *value)
{
    char *text = user;
    size_t n = strlen(text);
    snprintf(text + n, 500 - n, "%s=%s|", key, value);
    return 0;
}

static const struct {
    const char *text, *attributes, *headers; /* NULL: refused */
} cases[] = {
    {"", "", ""},
    {"a=1", "a=1|", "a=1|"},
    {"a=1,b=2", "a=1|b=2|", "a=1|b=2|"},
    {" a = 1 ,\tb=2 ", "a=1|b=2|", "a=1|b=2|"},
    {"a=1,", "a=1|", "a=1|"},
    {",a=1,,b=2", "a=1|b=2|", "a=1|b=2|"},
    {"a=", "a=|", "a=|"},
    {"a=b=c", "a=b=c|", "a=b=c|"},
    {"a=%2C%3D%25", "a=,=%|", "a=,=%|"},
    {"authorization=Basic%20dTpw", "authorization=Basic dTpw|", "authorization=Basic dTpw|"},
    {"a=1,a=2", "a=1|a=2|", "a=1|a=2|"},
    {"a%2Cb=1", "a,b=1|", "a%2Cb=1|"}, /* the key of a header is as it is */
    {"%61=1", "a=1|", "%61=1|"},
    {"gr\xc3\xbc=\xc3\x9f", "gr\xc3\xbc=\xc3\x9f|", NULL},
    {"a=\xff", NULL, "a=\xff|"},
    {"a=%FF", NULL, "a=\xff|"},
    {"a=b;c", "a=b;c|", NULL},
    {"a=b%3Bc", "a=b;c|", "a=b;c|"},
    {"a=%0d%0ax: y", "a=\r\nx: y|", NULL},
    {"a:b=1", "a:b=1|", NULL},
    {"a b=1", "a b=1|", NULL},
    {"a", NULL, NULL},
    {"a=1,b", NULL, NULL},
    {"=1", NULL, NULL},
    {" =1", NULL, NULL},
    {"a=%", NULL, NULL},
    {"a=%2", NULL, NULL},
    {"a=%zz", NULL, NULL},
    {"a=%00", NULL, NULL},
    {"%4=1", NULL, "%4=1|"},
};

TEST(lists_are_decoded_whole_or_not_at_all)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int kind = 0; kind < 2; kind++) {
            char text[500] = "";
            struct oriel_err err = {0};
            const char *want =
                kind == CONFIG_PAIRS_HEADERS ? cases[i].headers : cases[i].attributes;
            int rc = config_pairs_read(cases[i].text, (enum config_pairs)kind, append, text, &err);
            if (rc != (want ? 0 : ORIEL_EFORMAT) || strcmp(text, want ? want : "") != 0)
                test_fail(__FILE__, __LINE__, "\"%s\" as %d: %d \"%s\" %s", cases[i].text, kind, rc,
                          text, err.text);
        }
}

TEST(a_wrong_member_is_named_by_its_number_and_never_repeated)
{
    struct oriel_err err = {0};
    CHECK_EQ(config_pairs_read("a=1,token:x=hunter2", CONFIG_PAIRS_HEADERS, NULL, NULL, &err),
             ORIEL_EFORMAT);
    CHECK_STR(err.text, "member 2 of the list has a key that is no name of a header");
}

TEST(a_list_beyond_the_bound_is_refused_before_it_is_read)
{
    size_t n = CONFIG_PAIRS_MAX_BYTES + 1;
    char *text = malloc(n + 1);
    struct oriel_err err = {0};
    memset(text, 'a', n);
    text[1] = '=';
    text[n] = 0;
    CHECK_EQ(config_pairs_read(text, CONFIG_PAIRS_ATTRIBUTES, NULL, NULL, &err), ORIEL_ELIMIT);
    text[n - 1] = 0;
    CHECK_EQ(config_pairs_read(text, CONFIG_PAIRS_ATTRIBUTES, NULL, NULL, &err), 0);
    free(text);
}

static int stop(void *user, const char *key, const char *value)
{
    (void)key, (void)value;
    ++*(int *)user;
    return ORIEL_EBUSY;
}

TEST(who_is_told_may_stop_it)
{
    int calls = 0;
    CHECK_EQ(config_pairs_read("a=1,b=2", CONFIG_PAIRS_ATTRIBUTES, stop, &calls, NULL),
             ORIEL_EBUSY);
    CHECK_EQ(calls, 1);
}

TEST_MAIN()
