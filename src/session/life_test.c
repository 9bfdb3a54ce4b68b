/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Who waits for a process goes on when it is gone, however it went. */
#include "session/life.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define KERNEL "robust locks are the kernel's, which an emulator does not hand on"

/* A child that has it, until `end`, which comes when it is told to; this process follows. */
static void follow(void (*end)(void))
{
    struct life *l;
    int ready[2], go[2];
    char c = 0;
    REQUIRE(life_new(&l) == 0);
    CHECK(!life_is_held(l));
    REQUIRE(pipe(ready) == 0 && pipe(go) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool held = life_hold(l);
        if (write(ready[1], held ? "y" : "n", 1) != 1 || read(go[0], &c, 1) != 1)
            _exit(1);
        usleep(20000); /* mostly somebody waits by then; it is right either way */
        end();
        _exit(2);
    }
    REQUIRE(read(ready[0], &c, 1) == 1);
    CHECK(c == 'y');
    CHECK(life_is_held(l));
    CHECK(!life_has_ended(l));
    REQUIRE(write(go[1], "g", 1) == 1);
    CHECK(life_hold(l)); /* waits for its end */
    life_let_go(l);
    CHECK(life_has_ended(l));
    CHECK(life_has_ended(l));
    CHECK(life_hold(l)); /* as whole as before */
    life_let_go(l);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    close(ready[0]);
    close(ready[1]);
    close(go[0]);
    close(go[1]);
    life_free(l);
}

static void leave(void)
{
    _exit(0);
}

static void be_killed(void)
{
    raise(SIGKILL);
}

static void become_another(void)
{
    execl("/bin/sleep", "sleep", "0.2", (char *)NULL);
}

TEST(who_waits_goes_on_when_it_is_gone)
{
    test_skip_emulated(KERNEL);
    follow(leave);
    follow(be_killed);
    follow(become_another);
    life_free(NULL);
}

TEST(children_that_said_that_they_are_there_are_known)
{
    struct life *l;
    int32_t there[LIFE_CHILDREN];
    REQUIRE(life_new(&l) == 0);
    CHECK(life_children(l, there) == 0);
    CHECK(!life_expects(l));
    life_expect_child(l);
    CHECK(life_expects(l));
    pid_t pid = fork();
    if (pid == 0) {
        life_add_child(l, getpid());
        _exit(0);
    }
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    CHECK(!life_expects(l));
    CHECK(life_children(l, there) == 1);
    CHECK(there[0] == pid);
    for (int32_t i = 0; i < 2 * LIFE_CHILDREN; i++)
        life_add_child(l, 1000 + i);
    REQUIRE(life_children(l, there) == LIFE_CHILDREN); /* the last ones */
    for (int i = 0; i < LIFE_CHILDREN; i++)
        CHECK(there[i] >= 1000 + LIFE_CHILDREN);
    life_free(l);
}

TEST_MAIN()
