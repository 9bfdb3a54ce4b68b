/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "util/confine.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* Run `act` confined; how the process ended. Exit 9: it was not stopped. */
static int confined(void (*act)(void))
{
    int pair[2], status = 0;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (!confine_process(pair[1], -1, confine_memory_in_use() + (64 << 20), 0))
            _exit(7);
        if (!confine_calls())
            _exit(8);
        act();
        _exit(9);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 8)
        test_skip("no system call filters here");
    return status;
}

static void open_file(void)
{
    open("/etc/passwd", O_RDONLY);
}
static void make_socket(void)
{
    socket(AF_INET, SOCK_STREAM, 0);
}
static void run_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
}
static void fork_again(void)
{
    if (fork() == 0)
        _exit(0);
}
static void send_signal(void)
{
    kill(getppid(), 0);
}
static void make_code(void)
{
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void write_elsewhere(void)
{
    sendto(1, "x", 1, 0, NULL, 0);
}
static void look_around(void)
{
    char text[64];
    if (readlink("/proc/self/exe", text, sizeof text) < 0)
        return;
}

TEST(leaving_the_bounds_ends_the_process)
{
    static void (*const acts[])(void) = {open_file,   make_socket, run_program,     fork_again,
                                         send_signal, make_code,   write_elsewhere, look_around};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        int status = confined(acts[i]);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    }
}

static void use_memory(void)
{
    char *p = malloc(1 << 20);
    if (p)
        memset(p, 1, 1 << 20);
    free(p);
    if (sendto(0, "x", 1, MSG_NOSIGNAL, NULL, 0) != 1)
        raise(SIGABRT);
}

TEST(memory_and_the_socket_may_be_used)
{
    int status = confined(use_memory);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}

static void spin(void)
{
    for (volatile unsigned i = 0;; i++) {
    }
}

TEST(an_endless_loop_ends_by_the_time_limit)
{
    int status = confined(spin);
    CHECK(WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL));
}

TEST_MAIN()
