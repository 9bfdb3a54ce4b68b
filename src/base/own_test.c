/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which threads are Oriel's own. */
#include "base/own.h"

#include <errno.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "test.h"

struct seen {
    bool before, after, child;
};

static void *ask(void *out)
{
    *(bool *)out = own_thread_here();
    return NULL;
}

static void *begin_and_ask(void *user)
{
    struct seen *seen = user;
    pthread_t child;
    seen->before = own_thread_here();
    errno = 77;
    own_thread_begin(OWN_SEND);
    seen->after = own_thread_here();
    CHECK_EQ(errno, 77);
    REQUIRE(pthread_create(&child, NULL, ask, &seen->child) == 0);
    pthread_join(child, NULL);
    return NULL;
}

TEST(a_thread_is_ours_once_it_says_so_and_so_are_those_that_it_starts)
{
    struct seen seen = {0};
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, begin_and_ask, &seen) == 0);
    pthread_join(t, NULL);
    CHECK(!seen.before);
    CHECK(seen.after);
    CHECK(seen.child);
    CHECK(!own_thread_here());
}

TEST(a_program_that_is_called_like_a_thread_of_ours_is_none)
{
    REQUIRE(prctl(PR_SET_NAME, OWN_DRAIN, 0, 0, 0) == 0);
    CHECK(!own_thread_here());
}

TEST(names_are_whole_words)
{
    CHECK(own_thread_name("oriel-drain"));
    CHECK(own_thread_name("oriel-send"));
    CHECK(own_thread_name("oriel-vault"));
    CHECK(!own_thread_name("oriel"));
    CHECK(!own_thread_name("oriel-sender"));
    CHECK(!own_thread_name(""));
}

TEST_MAIN()
