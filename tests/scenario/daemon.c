/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Programs that put themselves into the background, each in the way that such programs have. Says
 * nothing to Oriel but spans: what the environment switches on has to find out the rest.
 *
 *   daemon WAY N    N spans "before", then into the background by WAY, N spans "after" one by one,
 *                   one more when DIR/go is there, and then the end. Writes DIR/pid there.
 *
 *   ways  call       daemon(3), whose parent ends by _exit
 *         twice      fork, setsid, fork; both parents end by exit, descriptors go to /dev/null
 *         closed     fork, setsid; every descriptor is closed, the directory is /
 *         many       eight children, each in a session of its own; the parent ends by _exit
 *         handler    as twice; the first span of the child is said in a signal handler
 *         allocator  as twice; each span is said in malloc, which holds its lock
 *         jailed     as twice; DIR is the root then, without anything else
 *         silent     as twice; the first span of the child comes long after its parents' end
 *         quiet      as twice, with one span only, and then the end by exit
 *         flood      as twice; once the parents are gone, more spans at once than the ring holds
 *         killed     the parent is killed by the child, which is in a session of its own
 *         worker     the same in the parent's session; then a new thread of it says a span
 *         late       a child in the parent's session; its first span comes when that is gone
 *         confined   as worker, but no thread: a filter ends the child at any system call that
 *                    it does not need; DIR/alive is written at the end
 *         apart      as confined, in a session of its own
 *         stopped    the parent is stopped by the child, and goes on in the end
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <oriel/oriel.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "locked_malloc.h"

enum { FLOOD = 300000, FLOODS = 40 };

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

static volatile long said; /* in a signal handler, too */

static void say(const char *when, long n)
{
    said += n;
    for (long i = 0; i < n; i++) {
        ORIEL_SPAN("step", "when", when, "i", i);
    }
}

static void say_in_handler(int unused)
{
    (void)unused;
    said++;
    ORIEL_SPAN("step", "when", "handler", "i", 0L);
}

static void *say_in_thread(void *unused)
{
    say("thread", 1);
    return unused;
}

static void say_in_new_thread(void)
{
    pthread_t t;
    if (pthread_create(&t, NULL, say_in_thread, NULL) != 0 || pthread_join(t, NULL) != 0)
        _exit(10);
}

/* Until some found no room, however fast they are read. By this process: what a parent reads that
 * is just ending, that has in its books. */
static void flood(pid_t first)
{
    uint64_t lost[8] = {0};
    while (kill(first, 0) == 0)
        sleep_ms(1);
    for (int i = 0; i < FLOODS && !lost[0]; i++) {
        say("flood", FLOOD);
        oriel_lost(lost);
    }
}

/* Of this process: what it said, and what of it found no room, by cause. */
static void write_books(void)
{
    char name[40];
    uint64_t lost[8];
    oriel_lost(lost);
    snprintf(name, sizeof name, "books.%d", (int)getpid());
    FILE *f = fopen(in_dir(name), "w");
    if (!f)
        _exit(13);
    fprintf(f, "%ld", said);
    for (int i = 0; i < 8; i++)
        fprintf(f, " %llu", (unsigned long long)lost[i]);
    if (fclose(f) != 0)
        _exit(14);
}

/* Any other system call ends the process, also one that is only asked whether it may be. */
static void confine(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_nanosleep, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof code / sizeof *code, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        _exit(11);
}

/* For longer than anybody would wait who looks now and then. It ends in the usual way. */
static void go_on_confined(long n)
{
    int fd = open(in_dir("alive"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    confine();
    for (long i = 0; i < 200; i++) {
        say(i < n ? "after" : "later", 1);
        sleep_ms(20);
    }
    if (write(fd, "yes", 3) != 3)
        _exit(12);
    exit(0);
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

static void say_in_malloc(void)
{
    say("malloc", 1);
}

static void *stay(void *unused)
{
    sleep_ms(600000);
    return unused;
}

/* Each in a call of malloc, with its lock held. The parents are gone, and the C library has no
 * stack at hand that a new thread could have without memory. */
static void allocate(long n)
{
    sleep_ms(1500);
    for (int i = 0; i < 4; i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, stay, NULL) != 0)
            _exit(15);
    }
    locked_malloc_calls = say_in_malloc;
    for (long i = 0; i < n; i++)
        *(void *volatile *)&(void *){NULL} = malloc(1);
    locked_malloc_calls = NULL;
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

static bool is_one_of(const char *way, const char *names)
{
    const char *found = strstr(names, way);
    return found && strcspn(found, " ") == strlen(way);
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
            if (fork() == 0) {
                setsid();
                return;
            }
        _exit(0);
    } else if (strcmp(way, "late") == 0) {
        pid_t parent = getpid();
        once(_exit);
        while (getppid() == parent)
            sleep_ms(1);
    } else if (is_one_of(way, "killed worker confined apart stopped")) {
        pid_t pid = fork();
        if (pid == 0) {
            if (is_one_of(way, "killed apart"))
                setsid();
            return;
        }
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
    said = 0;
    note_pid();
    if (strcmp(way, "jailed") == 0) {
        if (chroot(dir) != 0)
            _exit(16);
        dir[0] = 0;
    }
    if (strcmp(way, "silent") == 0)
        sleep_ms(1500);
    if (strcmp(way, "handler") == 0) {
        struct sigaction a = {.sa_handler = say_in_handler};
        sigaction(SIGUSR1, &a, NULL);
        sleep_ms(1500); /* the parents are gone */
        raise(SIGUSR1);
    }
    if (strcmp(way, "allocator") == 0)
        allocate(n);
    if (strcmp(way, "flood") == 0)
        flood(first);
    if (strcmp(way, "quiet") == 0) {
        say("after", 1);
        return 0;
    }
    if (is_one_of(way, "killed worker confined apart")) {
        say("between", n);
        sleep_ms(200);
        kill(first, SIGKILL);
    }
    if (is_one_of(way, "confined apart"))
        go_on_confined(n);
    if (strcmp(way, "worker") == 0) {
        sleep_ms(200);
        say_in_new_thread();
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
    write_books();
    if (strcmp(way, "stopped") == 0)
        kill(first, SIGCONT);
    return 0;
}
