/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the YAML reader: types of the core schema, bounds, and what is refused. */
#include "util/yaml.h"

#include <stdlib.h>

#include "test.h"

static struct arena arena;
static struct oriel_err err;

static int read_text(const char *text, struct yaml_value **out)
{
    const struct yaml_options how = {.name = "a.yaml"};
    err = (struct oriel_err){0};
    return yaml_read(&arena, text, strlen(text), &how, out, &err);
}

static struct yaml_value *read_good(const char *text)
{
    struct yaml_value *root = NULL;
    if (read_text(text, &root) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return root;
}

TEST(what_stands_without_quotes_has_the_types_of_the_core_schema)
{
    static const struct {
        const char *text;
        enum yaml_type type;
    } cases[] = {{"", YAML_NULL},
                 {"~", YAML_NULL},
                 {"null", YAML_NULL},
                 {"Null", YAML_NULL},
                 {"nUll", YAML_STRING},
                 {"true", YAML_BOOL},
                 {"False", YAML_BOOL},
                 {"yes", YAML_STRING},
                 {"no", YAML_STRING},
                 {"on", YAML_STRING},
                 {"0", YAML_INTEGER},
                 {"-12", YAML_INTEGER},
                 {"+7", YAML_INTEGER},
                 {"0o17", YAML_INTEGER},
                 {"0xBeef", YAML_INTEGER},
                 {"0x", YAML_STRING},
                 {"1_000", YAML_STRING},
                 {"1.5", YAML_FLOAT},
                 {"1.", YAML_FLOAT},
                 {".5", YAML_FLOAT},
                 {"1e3", YAML_FLOAT},
                 {"-1.5E-3", YAML_FLOAT},
                 {"1e", YAML_STRING},
                 {".", YAML_STRING},
                 {".inf", YAML_FLOAT},
                 {"-.inf", YAML_FLOAT},
                 {".NaN", YAML_FLOAT},
                 {"1:30", YAML_STRING},
                 {"2026-01-01", YAML_STRING},
                 {"'1'", YAML_STRING},
                 {"\"true\"", YAML_STRING},
                 {"a b", YAML_STRING},
                 {"'~'", YAML_STRING}};
    arena_init(&arena);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        snprintf(text, sizeof text, "k: %s\n", cases[i].text);
        const struct yaml_value *v = yaml_get(read_good(text), "k");
        if (!v || v->type != cases[i].type)
            test_fail(__FILE__, __LINE__, "%s is of type %d", text, v ? (int)v->type : -1);
    }
    CHECK(yaml_get(read_good("k: TRUE"), "k")->truth);
    CHECK(!yaml_get(read_good("k: false"), "k")->truth);
    arena_done(&arena);
}

TEST(tables_and_lists_keep_order_and_lines)
{
    arena_init(&arena);
    const struct yaml_value *root =
        read_good("a: 1\nb:\n  - x\n  - y: {z: 2}\nc: |\n  two\n  lines\n");
    CHECK(root->type == YAML_MAPPING && root->count == 3 && root->first->line == 1);
    const struct yaml_value *b = yaml_get(root, "b");
    REQUIRE(b && b->type == YAML_SEQUENCE && b->count == 2);
    CHECK_STR(b->first->text, "x");
    CHECK_EQ(b->first->line, 3);
    CHECK_STR(yaml_get(yaml_get(b->first->next, "y"), "z")->text, "2");
    CHECK_STR(yaml_get(root, "c")->text, "two\nlines\n");
    CHECK(yaml_get(root, "d") == NULL && yaml_get(b, "x") == NULL && yaml_get(NULL, "x") == NULL);
    arena_done(&arena);
}

TEST(what_is_refused_is_said_with_its_line)
{
    static const struct {
        const char *text;
        int code;
        const char *where;
    } cases[] = {{"", ORIEL_EFORMAT, "a.yaml:1: "},
                 {"a: 1\na: 2\n", ORIEL_EFORMAT, "a.yaml:2: "},
                 {"a: 1\n b: 2\n", ORIEL_EFORMAT, "a.yaml:2: "},
                 {"a: [1\n", ORIEL_EFORMAT, "a.yaml:"},
                 {"a: \"x\n", ORIEL_EFORMAT, "a.yaml:"},
                 {"a: &x 1\nb: *x\n", ORIEL_EUNSUPPORTED, "a.yaml:2: "},
                 {"b:\n  <<: {a: 1}\n", ORIEL_EUNSUPPORTED, "a.yaml:2: "},
                 {"a: !own 1\n", ORIEL_EUNSUPPORTED, "a.yaml:1: "},
                 {"? [a]\n: 1\n", ORIEL_EUNSUPPORTED, "a.yaml:1: "},
                 {"a: 1\n---\nb: 1\n", ORIEL_EUNSUPPORTED, "a.yaml:2: "},
                 {"a: \xff\n", ORIEL_EFORMAT, "a.yaml:"},
                 {"a: \"\\0\"\n", ORIEL_EFORMAT, "a.yaml:1: "}};
    arena_init(&arena);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct yaml_value *root = NULL;
        int rc = read_text(cases[i].text, &root);
        if (rc != cases[i].code || strncmp(err.text, cases[i].where, strlen(cases[i].where)) != 0)
            test_fail(__FILE__, __LINE__, "%zu: %d %s", i, rc, err.text);
    }
    arena_done(&arena);
}

TEST(depth_and_number_are_bounded)
{
    struct yaml_value *root;
    char deep[YAML_DEPTH_MAX * 2 + 8];
    arena_init(&arena);
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = 0;
    CHECK_EQ(read_text(deep, &root), ORIEL_ELIMIT);
    char *many = malloc(YAML_VALUES_MAX * 2 + 8), *p = many;
    *p++ = '[';
    for (int i = 0; i < YAML_VALUES_MAX; i++, p += 2)
        memcpy(p, "1,", 2);
    memcpy(p, "]", 2);
    CHECK_EQ(read_text(many, &root), ORIEL_ELIMIT);
    free(many);
    arena_done(&arena);
}

static int double_it(void *user, const char *text, size_t n, struct buf *out, bool *out_whole,
                     struct oriel_err *e)
{
    (void)user;
    *out_whole = n == 1;
    if (n == 3)
        return err_set(e, ORIEL_EFORMAT, "three");
    buf_put(out, text, n);
    buf_put(out, text, n);
    return 0;
}

TEST(texts_are_rewritten_before_their_type_is_decided_and_keys_never)
{
    const struct yaml_options how = {.name = "a.yaml", .expand = double_it};
    struct yaml_value *root;
    arena_init(&arena);
    REQUIRE(yaml_read(&arena, "k: 1\nl: '22'", 12, &how, &root, &err) == 0);
    const struct yaml_value *k = yaml_get(root, "k"), *l = yaml_get(root, "l");
    REQUIRE(k && l);
    CHECK(k->type == YAML_INTEGER && k->expanded && l->type == YAML_STRING && !l->expanded);
    CHECK_STR(k->text, "11");
    CHECK_STR(l->text, "2222");
    CHECK_EQ(yaml_read(&arena, "k: 1\nl: abc", 11, &how, &root, &err), ORIEL_EFORMAT);
    CHECK_STR(err.text, "a.yaml:2: three");
    arena_done(&arena);
}

TEST_MAIN()
