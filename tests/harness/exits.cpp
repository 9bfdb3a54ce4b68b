// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Ends of programs (B11): ticks from destructors of thread-local and static
// objects, thread-specific data, atexit handlers, after oriel_stop, and with
// fifty threads running. Built as a program with the static archive and with
// the shared library, and as a plugin for exits_host.c.
//
//   exits_static|exits_shared PAGE_FILE HOW
//
// HOW plus a multiple of HOW_COUNT numbers the run: pids come again.
#include "tick.h"

#include <cstdlib>
#include <pthread.h>

enum {
    HOW_RETURN,
    HOW_EXIT_IN_THREAD,
    HOW_MAIN_THREAD_FIRST,
    HOW_STOPPED,
    HOW_THREADS_RUN,
    HOW_THREADS_RUN_RAW,
    HOW_COUNT
};
enum { STATIC = 1, LOCAL, ATEXIT, KEY, WORK, RUNNING = 100, THREADS = 50, RUN = 1000 };

static uint64_t serial, run;

static void late_tick(uint64_t who)
{
    if (tick_page)
        tick(run + who, __atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED));
}

namespace
{
struct late {
    uint64_t who;
    explicit late(uint64_t w) : who(w)
    {
    }
    ~late()
    {
        late_tick(who);
    }
    void touch() const
    {
    }
};
late at_static_end(STATIC);
} // namespace
static thread_local late at_thread_end(LOCAL);
static pthread_key_t key;

// Comes again for as many rounds as there are: later than any other hook.
static void key_end(void *left)
{
    uintptr_t rounds = (uintptr_t)left;
    late_tick(KEY);
    if (rounds > 1)
        pthread_setspecific(key, (void *)(rounds - 1));
}

static void work()
{
    at_thread_end.touch();
    pthread_setspecific(key, (void *)(uintptr_t)6);
    ORIEL_SPAN("exit.work");
    late_tick(WORK);
}

static void *short_thread(void *)
{
    work();
    return nullptr;
}

static void *exiting_thread(void *)
{
    work();
    exit(0);
}

static void *running_thread(void *me)
{
    for (uint64_t i = 0;; i++) {
        tick(run + RUNNING + (uintptr_t)me, i);
        if (i % 32 == 31)
            usleep(100);
    }
    return nullptr;
}

static void at_exit()
{
    late_tick(ATEXIT);
}

static void start(unsigned n, void *(*fn)(void *), bool join)
{
    pthread_t t;
    for (uintptr_t i = 0; i < n; i++)
        if (pthread_create(&t, nullptr, fn, (void *)i) == 0)
            join ? pthread_join(t, nullptr) : pthread_detach(t);
}

extern "C" ORIEL_EXPORT int exits_run(const char *page, int how)
{
    if (tick_open(page) != 0 || how < 0)
        return 2;
    run = (uint64_t)(how / HOW_COUNT) * RUN;
    how %= HOW_COUNT;
    pthread_key_create(&key, key_end);
    atexit(at_exit);
    work();
    start(2, short_thread, true);
    if (how == HOW_EXIT_IN_THREAD)
        start(1, exiting_thread, true);
    if (how == HOW_MAIN_THREAD_FIRST) {
        start(2, short_thread, false);
        pthread_exit(nullptr);
    }
    if (how == HOW_STOPPED) {
        oriel_stop(100);
        ORIEL_EVENT("after.stop");
        oriel_stop(0);
    }
    if (how == HOW_THREADS_RUN || how == HOW_THREADS_RUN_RAW) {
        start(THREADS, running_thread, false);
        usleep(500);
    }
    if (how == HOW_THREADS_RUN_RAW)
        _exit(0);
    return 0;
}

// For cycles of dlopen and dlclose.
extern "C" ORIEL_EXPORT int exits_tick(const char *page, uint64_t seq)
{
    if (!tick_page && tick_open(page) != 0)
        return 2;
    ORIEL_SPAN("plugin.span", "seq", seq);
    tick(WORK, seq);
    munmap(tick_page, TICK_PAGE);
    tick_page = nullptr;
    return 0;
}

#ifndef EXITS_PLUGIN
int main(int argc, char **argv)
{
    return argc == 3 ? exits_run(argv[1], atoi(argv[2])) : 2;
}
#endif
