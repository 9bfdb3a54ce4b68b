/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The pace of a drain follows the fastest rate seen of late: it sleeps for as
 * long as that rate takes to fill an eighth of the ring. Writers never wake the
 * drain: a futex wake would cost them six spans.
 */
#include "session/pace.h"

#include <assert.h>

#define BEGIN_NS UINT64_C(100000000) /* who has said nothing until then speaks later, or never */
#define QUIET_NS UINT64_C(1000000000)
#define BURST_BYTES_PER_US 320 /* ten million spans without fields in a second */
#define SILENT_NS UINT64_C(10000000000)

void pace_init(struct pace *p, uint64_t ring_bytes)
{
    assert(ring_bytes > 0);
    *p = (struct pace){.ring_bytes = ring_bytes, .idle_ns = PACE_IDLE_NS};
}

uint64_t pace_of_sending(uint64_t ring_bytes)
{
    const uint64_t room_ns = (ring_bytes - ring_bytes / 8) / BURST_BYTES_PER_US * 1000;
    const uint64_t ns = room_ns < PACE_SENT_NS ? room_ns : PACE_SENT_NS;
    return ns > PACE_QUIET_NS ? ns : PACE_QUIET_NS;
}

static uint64_t rate(uint64_t bytes, uint64_t ns)
{
    return (uint64_t)((unsigned __int128)bytes * 1000000000u / (ns ? ns : 1));
}

bool pace_is_quiet(const struct pace *p, uint64_t now_ns)
{
    return p->last_ns && now_ns - p->data_ns >= QUIET_NS;
}

void pace_looked(struct pace *p, uint64_t now_ns)
{
    if (now_ns > p->last_ns && p->last_ns)
        p->last_ns = now_ns;
}

uint64_t pace_next(struct pace *p, uint64_t bytes, bool more, uint64_t now_ns)
{
    if (p->data_ns == 0)
        p->data_ns = now_ns; /* the beginning counts as busy */
    if (bytes) {
        p->data_ns = now_ns;
        p->spoke = true;
    }
    p->bytes += bytes;
    if (more)
        return 0;
    if (p->last_ns) { /* how fast it is read says nothing of how fast it comes */
        uint64_t r = rate(p->bytes, now_ns - p->last_ns);
        /* A fall is believed slowly: bursts come in rows. */
        p->bytes_per_s = r > p->bytes_per_s ? r : p->bytes_per_s - p->bytes_per_s / 8;
    }
    p->last_ns = now_ns;
    p->bytes = 0;
    uint64_t quiet = now_ns - p->data_ns;
    uint64_t fill = p->bytes_per_s ? rate(p->ring_bytes / 8, p->bytes_per_s) : p->idle_ns;
    if (quiet >= SILENT_NS)
        return PACE_SILENT_NS;
    if (quiet >= (p->spoke ? QUIET_NS : BEGIN_NS))
        return p->idle_ns > PACE_QUIET_NS ? p->idle_ns : PACE_QUIET_NS;
    return fill < PACE_BUSY_NS ? PACE_BUSY_NS : fill > p->idle_ns ? p->idle_ns : fill;
}
