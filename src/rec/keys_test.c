/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Values in contexts: whose they are, who sees them, and that none changes.
 */
#define ORIEL_TARGET "keys.test"
#include <oriel/oriel.h>
#include <oriel/propagation.h>

#include <pthread.h>
#include <stdlib.h>

#include "base/err.h"
#include "recording.h"
#include "test.h"

TEST(keys_of_the_same_name_are_not_the_same_key)
{
    const struct oriel_context_key a = oriel_context_key_new("user"),
                                   b = oriel_context_key_new("user"),
                                   nameless = oriel_context_key_new(NULL);
    struct oriel_context_value room[3];
    struct oriel_context c = {.values = NULL};
    int x = 1, y = 2;
    CHECK_EQ(oriel_context_set(&c, a, &x, &room[0], &c), 0);
    CHECK(oriel_context_get(&c, b) == NULL);
    CHECK_EQ(oriel_context_set(&c, b, &y, &room[1], &c), 0);
    CHECK(oriel_context_get(&c, a) == &x);
    CHECK(oriel_context_get(&c, b) == &y);
    CHECK(oriel_context_get(&c, nameless) == NULL);
    CHECK_EQ(oriel_context_set(&c, nameless, &x, &room[2], &c), 0);
    CHECK(oriel_context_get(&c, nameless) == &x);
}

enum { THREADS = 4, KEYS = 1000 };

static void *make_keys(void *out)
{
    struct oriel_context_key *keys = out;
    for (int i = 0; i < KEYS; i++)
        keys[i] = oriel_context_key_new("k");
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    const struct oriel_context_key *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

TEST(threads_that_make_keys_at_once_get_different_ones)
{
    static struct oriel_context_key keys[THREADS * KEYS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, make_keys, keys + i * KEYS) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qsort(keys, THREADS * KEYS, sizeof *keys, by_id);
    CHECK(keys[0].id != 0);
    for (int i = 1; i < THREADS * KEYS; i++)
        CHECK(keys[i].id != keys[i - 1].id);
}

TEST(a_value_is_set_in_a_new_context_and_the_one_before_stays_as_it_was)
{
    const struct oriel_context_key key = oriel_context_key_new("tenant");
    struct oriel_context_value room[3];
    struct oriel_context empty = {.flags = ORIEL_TRACE_SAMPLED}, one, two, none;
    struct oriel_baggage bag;
    int x = 1, y = 2;
    REQUIRE(oriel_traceparent_parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", 55,
                                    &empty) == 0);
    REQUIRE(oriel_baggage_set(NULL, "k", "v", NULL, &bag) == 0);
    empty.baggage = &bag;
    CHECK_EQ(oriel_context_set(&empty, key, &x, &room[0], &one), 0);
    CHECK_EQ(oriel_context_set(&one, key, &y, &room[1], &two), 0);
    CHECK_EQ(oriel_context_set(&two, key, NULL, &room[2], &none), 0);
    CHECK(oriel_context_get(&empty, key) == NULL);
    CHECK(oriel_context_get(&one, key) == &x);
    CHECK(oriel_context_get(&two, key) == &y);
    CHECK(oriel_context_get(&none, key) == NULL);
    CHECK_MEM(two.trace_id, (size_t)16, empty.trace_id, (size_t)16);
    CHECK_MEM(two.span_id, (size_t)8, empty.span_id, (size_t)8);
    CHECK_EQ(two.marks, ORIEL_CONTEXT_REMOTE);
    CHECK(two.baggage == &bag);
}

TEST(values_are_current_while_their_context_is_entered_whether_recorded_or_not)
{
    const struct oriel_context_key key = oriel_context_key_new("tenant"),
                                   other = oriel_context_key_new("other");
    struct oriel_context_value room[2];
    struct oriel_context a, b, back, plain = {.values = NULL};
    int x = 1, y = 2;
    for (int recorded = 0; recorded < 2; recorded++) {
        struct recording r = {0};
        if (recorded)
            recording_begin(&r, NULL);
        CHECK(oriel_context_get(NULL, key) == NULL);
        {
            ORIEL_SPAN("around");
            REQUIRE(oriel_context_set(NULL, key, &x, &room[0], &a) == 0);
            CHECK(oriel_context_get(NULL, key) == NULL); /* not entered yet */
            ORIEL_CONTEXT(&a);
            {
                ORIEL_SPAN("child");
                CHECK(oriel_context_get(NULL, key) == &x);
                REQUIRE(oriel_context_set(NULL, other, &y, &room[1], &b) == 0);
                ORIEL_CONTEXT(&b);
                CHECK(oriel_context_get(NULL, key) == &x && oriel_context_get(NULL, other) == &y);
                ORIEL_CONTEXT(&plain);
                CHECK(oriel_context_get(NULL, key) == NULL);
            }
            CHECK(oriel_context_get(NULL, other) == NULL);
            CHECK(oriel_context_current(&back) && back.values == &room[0]);
            CHECK(oriel_context_of(NULL, &back) == (recorded == 1));
            CHECK(!recorded || back.values == &room[0]);
        }
        CHECK(oriel_context_get(NULL, key) == NULL);
        CHECK(!oriel_context_current(&back));
        if (recorded) {
            recording_read(&r, true);
            CHECK_EQ(r.by_type[ORIEL_REC_ATTACH], 0); /* the span stays the current one */
            CHECK_EQ(r.by_type[ORIEL_REC_DETACH], 0);
            CHECK_EQ(r.damaged, 0);
            recording_end(&r);
        }
    }
}

struct elsewhere {
    struct oriel_context context;
    struct oriel_context_key key;
    void *before, *in;
};

static void *look(void *user)
{
    struct elsewhere *e = user;
    e->before = oriel_context_get(NULL, e->key);
    ORIEL_CONTEXT(&e->context);
    e->in = oriel_context_get(NULL, e->key);
    return NULL;
}

TEST(values_go_to_another_thread_with_a_copy_of_their_context_only)
{
    struct elsewhere e = {.key = oriel_context_key_new("user")};
    struct oriel_context_value room;
    pthread_t thread;
    int x = 1;
    REQUIRE(oriel_context_set(NULL, e.key, &x, &room, &e.context) == 0);
    ORIEL_CONTEXT(&e.context);
    REQUIRE(pthread_create(&thread, NULL, look, &e) == 0);
    pthread_join(thread, NULL);
    CHECK(e.before == NULL);
    CHECK(e.in == &x);
}

static int count_headers(void *carrier, const char *name, const char *value, size_t bytes)
{
    (void)name, (void)value, (void)bytes;
    ++*(int *)carrier;
    return 0;
}

TEST(values_stay_in_the_process)
{
    const struct oriel_setter setter = {count_headers};
    struct oriel_context_value room;
    struct oriel_context c = {.values = NULL};
    int x = 1, headers = 0;
    REQUIRE(oriel_context_set(&c, oriel_context_key_new("k"), &x, &room, &c) == 0);
    CHECK_EQ(oriel_inject(NULL, &c, &setter, &headers), 0);
    CHECK_EQ(headers, 0);
}

TEST(what_no_context_can_have_is_refused_and_changes_nothing)
{
    const struct oriel_context_key key = oriel_context_key_new("k"), none = {0, NULL};
    static struct oriel_context_value rooms[ORIEL_CONTEXT_VALUES_MAX + 1];
    struct oriel_context c = {.values = NULL};
    int x = 1;
    CHECK_EQ(oriel_context_set(&c, none, &x, &rooms[0], &c), ORIEL_EINVAL);
    CHECK_EQ(oriel_context_set(&c, key, &x, NULL, &c), ORIEL_EINVAL);
    CHECK_EQ(oriel_context_set(&c, key, &x, &rooms[0], NULL), ORIEL_EINVAL);
    CHECK(c.values == NULL);
    CHECK(oriel_context_get(&c, none) == NULL);
    for (uint32_t i = 0; i < ORIEL_CONTEXT_VALUES_MAX; i++)
        REQUIRE(oriel_context_set(&c, key, &rooms[i], &rooms[i], &c) == 0);
    const struct oriel_context_value *last = c.values;
    CHECK_EQ(oriel_context_set(&c, key, &x, &rooms[5], &c), ORIEL_EINVAL); /* a ring */
    CHECK_EQ(oriel_context_set(&c, key, &x, &rooms[ORIEL_CONTEXT_VALUES_MAX], &c), ORIEL_ELIMIT);
    CHECK(c.values == last);
    CHECK(oriel_context_get(&c, key) == last);
}

TEST(a_place_that_was_used_again_by_mistake_makes_no_search_endless)
{
    const struct oriel_context_key key = oriel_context_key_new("k");
    struct oriel_context_value room[2];
    struct oriel_context c = {.values = NULL};
    int x = 1;
    REQUIRE(oriel_context_set(&c, key, &x, &room[0], &c) == 0);
    REQUIRE(oriel_context_set(&c, key, &x, &room[1], &c) == 0);
    room[0].next = &room[1]; /* as a program could by mistake */
    CHECK(oriel_context_get(&c, oriel_context_key_new("k")) == NULL);
    CHECK(oriel_context_get(&c, key) == &x);
}

TEST_MAIN()
