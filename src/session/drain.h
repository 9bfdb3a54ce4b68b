/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Rounds of a session until something is so. The thread that owns it. */
#ifndef ORIEL_SESSION_DRAIN_H
#define ORIEL_SESSION_DRAIN_H

#include <stdint.h>
#include <time.h>

#include "session/session.h"

static inline struct timespec drain_time(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
}

/* Until the source has nothing more at hand. */
void drain_until_idle(struct session *s);
/* Until it promises that nothing older is still to come: a record is seen a little after it was
 * said. A wall clock that was set back meanwhile does not keep us for ever; in no case longer than
 * until deadline_ns, monotonic, or a tenth of a second. */
void drain_up_to_now(struct session *s, uint64_t deadline_ns);
/* A vault that is still asked has half of the time: what waits for its headers has to be sent, or
 * kept, in the other. */
void drain_vault(struct session *s, uint64_t deadline_ns);

#endif
