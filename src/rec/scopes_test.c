/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is said of a target: which sites have it, in which recordings, and what is refused.
 */
#define ORIEL_TARGET "scopes.test"
#include <oriel/oriel.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "rec/rec.h"
#include "recording.h"
#include "test.h"

static void say(void)
{
    ORIEL_SPAN("a span");
    ORIEL_INFO("an event");
}

/* The version of the scope of every site of a target, "" none; "?": they differ, or no site. */
static const char *version_of(const struct recording *r, const char *target)
{
    static char text[64];
    strcpy(text, "?");
    for (uint32_t i = 0, seen = 0; i < r->catalog.site_count; i++) {
        const struct model_site *s = r->catalog.sites[i];
        if (s->target.n != strlen(target) || memcmp(s->target.p, target, s->target.n) != 0)
            continue;
        struct model_str v = {"", 0};
        if (s->scope)
            v = r->catalog.scopes[s->scope - 1]->version;
        if (seen++ && (strlen(text) != v.n || memcmp(text, v.p, v.n) != 0))
            return "?";
        snprintf(text, sizeof text, "%.*s", (int)v.n, v.p);
    }
    return text;
}

TEST(what_is_said_before_a_recording_is_in_every_recording)
{
    for (int i = 0; i < 2; i++) {
        struct recording r = {0};
        CHECK_EQ(ORIEL_INSTRUMENTATION(ORIEL_TARGET, "1.4", "https://s/1", "team", "storage"), 0);
        recording_begin(&r, NULL);
        say();
        recording_read(&r, true);
        CHECK_STR(version_of(&r, ORIEL_TARGET), "1.4");
        CHECK_EQ(r.damaged, 0);
        REQUIRE(rec_region_leave(600000));
        rec_region_drop();
        recording_end(&r);
    }
}

TEST(what_is_said_while_recording_is_of_what_was_described_before_too)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    say();
    recording_read(&r, false);
    CHECK_STR(version_of(&r, ORIEL_TARGET), "");
    CHECK_EQ(ORIEL_INSTRUMENTATION(ORIEL_TARGET, "2", NULL), 0);
    CHECK_EQ(ORIEL_INSTRUMENTATION("another", "3", NULL), 0);
    say();
    recording_read(&r, true);
    CHECK_STR(version_of(&r, ORIEL_TARGET), "2");
    recording_end(&r);
}

TEST(a_fork_child_speaks_with_the_scopes_of_its_parent)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    CHECK_EQ(ORIEL_INSTRUMENTATION(ORIEL_TARGET, "2", NULL), 0);
    say();
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        ORIEL_INFO("in the child");
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    recording_read(&r, false);
    CHECK_EQ(r.catalog.process_count, 2);
    CHECK_STR(version_of(&r, ORIEL_TARGET), "2");
    recording_end(&r);
}

TEST(a_target_is_told_once_and_what_cannot_be_is_refused)
{
    static const struct oriel_field field = {"k", ORIEL_TYPE_STR, 0};
    static const struct oriel_value value = {ORIEL_TYPE_I64, 0, {0}};
    struct oriel_instrumentation wrong = {sizeof wrong, "t", NULL, NULL, &field, &value, 1, 0};
    CHECK_EQ(ORIEL_INSTRUMENTATION("t", "1", "https://s/1", "n", 1), 0);
    CHECK_EQ(ORIEL_INSTRUMENTATION("t", "1", "https://s/1", "n", 1), 0);
    CHECK_EQ(ORIEL_INSTRUMENTATION("t", "1", "https://s/1", "n", 2), ORIEL_EINVAL);
    CHECK_EQ(ORIEL_INSTRUMENTATION("t", "2", "https://s/1", "n", 1), ORIEL_EINVAL);
    CHECK_EQ(ORIEL_INSTRUMENTATION("", "1", NULL), ORIEL_EINVAL);
    CHECK_EQ(ORIEL_INSTRUMENTATION(NULL, "1", NULL), ORIEL_EINVAL);
    CHECK_EQ(oriel_instrumentation_tell(NULL), ORIEL_EINVAL);
    CHECK_EQ(oriel_instrumentation_tell(&wrong), ORIEL_EINVAL); /* types differ */
    wrong.count = 0;
    wrong.size = 8; /* of no version there ever was */
    CHECK_EQ(oriel_instrumentation_tell(&wrong), ORIEL_EINVAL);
}

TEST(targets_have_a_limit)
{
    char target[32];
    int rc = 0;
    for (int i = 0; i < 512 && rc == 0; i++) {
        snprintf(target, sizeof target, "target %d", i);
        rc = ORIEL_INSTRUMENTATION(target, "1", NULL);
    }
    CHECK_EQ(rc, 0);
    CHECK_EQ(ORIEL_INSTRUMENTATION("one more", "1", NULL), ORIEL_ELIMIT);
    CHECK_EQ(ORIEL_INSTRUMENTATION("target 5", "1", NULL), 0); /* the same again */
}

TEST_MAIN()
