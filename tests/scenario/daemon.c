/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Programs that put themselves into the background, each in the way that such programs have. Says
 * nothing to Oriel but spans: what the environment switches on has to find out the rest.
 *
 *   daemon WAY N    N spans "before", then into the background by WAY, N spans "after" one by one,
 *                   one more when DIR/go is there, and then the end. Writes DIR/pid there.
 *
 *   ways  call      daemon(3), whose parent ends by _exit
 *         twice     fork, setsid, fork; both parents end by exit, descriptors 0 to 2 go to
 * /dev/null closed    fork, setsid; every descriptor is closed, the directory is / many      eight
 * children that all go on; the parent ends by _exit handler   as twice, and the first span of the
 * child is said in a signal handler quiet     as twice, with one span only, and then the end by
 * exit killed    the parent is killed by the child stopped   the parent is stopped by the child,
 * and goes on in the end
 */
#include <fcntl.h>
#include <oriel/oriel.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[400];

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static const char *in_dir(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void note_pid(void)
{
    char name[40], text[40];
    snprintf(name, sizeof name, "pid.%d", (int)getpid());
    int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        _exit(9);
    close(fd);
}

static void say(const char *when, long n)
{
    for (long i = 0; i < n; i++) {
        ORIEL_SPAN("step", "when", when, "i", i);
    }
}

static void say_in_handler(int unused)
{
    (void)unused;
    ORIEL_SPAN("step", "when", "handler", "i", 0L);
}

/* True in who goes on. */
static void once(void (*end)(int))
{
    pid_t pid = fork();
    if (pid < 0)
        _exit(8);
    if (pid > 0)
        end(0);
}

static void to_null(void)
{
    int fd = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; i++)
        dup2(fd, i);
    if (fd > 2)
        close(fd);
}

static void leave_twice(void)
{
    once(exit);
    setsid();
    once(exit);
    to_null();
}

static void go(const char *way)
{
    if (strcmp(way, "call") == 0) {
        if (daemon(0, 0) != 0)
            _exit(7);
    } else if (strcmp(way, "closed") == 0) {
        once(_exit);
        setsid();
        if (chdir("/") != 0)
            _exit(6);
        for (int fd = 0; fd < 1024; fd++)
            close(fd);
    } else if (strcmp(way, "many") == 0) {
        for (int i = 0; i < 8; i++)
            if (fork() == 0)
                return;
        _exit(0);
    } else if (strcmp(way, "killed") == 0 || strcmp(way, "stopped") == 0) {
        pid_t pid = fork();
        if (pid == 0)
            return;
        waitpid(pid, NULL, 0);
        exit(0);
    } else {
        leave_twice();
    }
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "call";
    long n = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
    struct stat st;
    if (!getcwd(dir, sizeof dir))
        return 2;
    pid_t first = getpid();
    say("before", n);
    go(way);
    note_pid();
    if (strcmp(way, "handler") == 0) {
        struct sigaction a = {.sa_handler = say_in_handler};
        sigaction(SIGUSR1, &a, NULL);
        sleep_ms(1500); /* the parents are gone */
        raise(SIGUSR1);
    }
    if (strcmp(way, "quiet") == 0) {
        say("after", 1);
        return 0;
    }
    if (strcmp(way, "killed") == 0) {
        say("between", n);
        sleep_ms(200);
        kill(first, SIGKILL);
    }
    if (strcmp(way, "stopped") == 0)
        kill(first, SIGSTOP);
    for (long i = 0; i < n; i++) {
        say("after", 1);
        sleep_ms(5);
    }
    for (int i = 0; i < 4000 && stat(in_dir("go"), &st) != 0; i++) {
        sleep_ms(10);
        if (i % 100 == 50)
            say("later", 1);
    }
    say("last", 1);
    if (strcmp(way, "stopped") == 0)
        kill(first, SIGCONT);
    return 0;
}
