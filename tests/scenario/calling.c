/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * System calls whose numbers are known. "alone": one process after the other, nothing left to
 * chance. "together": threads and a child at the same time. Also runs as its own child ("child").
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARENT = 1000, BAD = 70, MISSING = 30, THREADS = 4, EACH = 500, CHILD = 250 };

static void call_some(int many)
{
    for (int i = 0; i < many; i++)
        (void)syscall(SYS_getppid);
}

static void fail_some(void)
{
    for (int i = 0; i < BAD; i++)
        (void)syscall(SYS_close, -1);
    for (int i = 0; i < MISSING; i++)
        (void)syscall(SYS_openat, AT_FDCWD, i % 3 ? "/nowhere/at/all" : "/dev/null/none", O_RDONLY,
                      0);
}

static void *thread(void *number)
{
    char name[16];
    snprintf(name, sizeof name, "caller-%d", (int)(long)number);
    (void)pthread_setname_np(pthread_self(), name);
    call_some(EACH);
    return NULL;
}

static int run_child(const char *self)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        call_some(CHILD);
        execl(self, self, "child", (char *)NULL);
        _exit(1);
    }
    return waitpid(pid, &status, 0) == pid ? status : 1;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    const char *how = argc > 1 ? argv[1] : "";
    if (strcmp(how, "child") == 0) {
        call_some(CHILD);
        return 0;
    }
    if (strcmp(how, "forever") == 0)
        for (;;) {
            call_some(1);
            usleep(1000);
        }
    call_some(PARENT);
    fail_some();
    for (long i = 0; strcmp(how, "together") == 0 && i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, thread, (void *)i) != 0)
            return 1;
    int status = run_child(argv[0]);
    for (long i = 0; strcmp(how, "together") == 0 && i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return status;
}
