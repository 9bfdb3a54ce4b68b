/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Each of these ends by itself: at a time that is known before, whatever a source or a
 * vault does meanwhile. Nothing here takes a lock.
 */
#include "session/drain.h"

#include <time.h>

#include "base/clock.h"

#define SETTLE_NS UINT64_C(100000000) /* longest wait in which nothing comes */
#define SETTLE_STEP_NS 500000L
#define VAULT_STEP_NS 2000000L

void drain_until_idle(struct session *s)
{
    while (session_step(s, NULL) == SOURCE_DATA)
        ;
    session_flush(s);
}

void drain_up_to_now(struct session *s, uint64_t deadline_ns)
{
    const struct timespec pause = {0, SETTLE_STEP_NS};
    const uint64_t now = clock_unix_ns();
    uint64_t until = clock_mono_ns() + SETTLE_NS;
    if (deadline_ns < until)
        deadline_ns = until;
    for (;;) {
        const int result = session_step(s, NULL);
        const uint64_t t = clock_mono_ns();
        if (result == SOURCE_DATA) /* as long as that takes: what comes behind it was said, too */
            until = t + SETTLE_NS;
        if (session_watermark(s) >= now || t >= until || t >= deadline_ns)
            return;
        if (result != SOURCE_DATA)
            nanosleep(&pause, NULL);
    }
}

void drain_vault(struct session *s, uint64_t deadline_ns)
{
    const struct timespec pause = {0, VAULT_STEP_NS};
    const uint64_t now = clock_mono_ns();
    const uint64_t until = deadline_ns > now ? now + (deadline_ns - now) / 2 : now;
    session_hurry_vault(s, until);
    while (session_awaits_vault(s) && clock_mono_ns() < until)
        nanosleep(&pause, NULL);
}
