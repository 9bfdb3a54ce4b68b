/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A flag that signals set. Nothing else happens in the handler.
 */
#include "cli/stopping.h"

#include <stddef.h>

static const int ours[] = {SIGINT, SIGTERM, SIGHUP};
enum { OURS = sizeof ours / sizeof *ours };

static volatile sig_atomic_t asked_to_end;
static bool caught[OURS];

static void on_signal(int number)
{
    (void)number;
    asked_to_end = 1;
}

void stopping_catch(unsigned how, sigset_t *out_open)
{
    struct sigaction before,
        sa = {.sa_handler = on_signal, .sa_flags = how & STOPPING_KEPT ? 0 : (int)SA_RESETHAND};
    sigset_t blocked;
    sigemptyset(&sa.sa_mask);
    sigemptyset(&blocked);
    for (size_t i = 0; i < OURS; i++) {
        if (sigaction(ours[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN)
            continue;
        caught[i] = sigaction(ours[i], &sa, NULL) == 0;
        if (how & STOPPING_IN_PPOLL)
            sigaddset(&blocked, ours[i]);
    }
    sigprocmask(SIG_BLOCK, &blocked, out_open);
}

bool stopping_asked(void)
{
    return asked_to_end != 0;
}

void stopping_release(const sigset_t *open)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};
    /* Before the handlers go: one that still waits was meant for what is over. */
    sigprocmask(SIG_SETMASK, open, NULL);
    for (size_t i = 0; i < OURS; i++)
        if (caught[i])
            sigaction(ours[i], &usual, NULL);
}
