/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which counter to trust, readings of several clocks taken together, and the
 * map from ticks to time. No allocation; runs in strangers' processes (choose,
 * ticks, anchor) and in the reader (map). clock_gettime is a vDSO call.
 */
#include "base/clock.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/os.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

enum { ANCHOR_TRIES = 15 };
#define MULT_ONE ((uint64_t)1 << 32)
#define MULT_MAX ((uint64_t)1 << 48) /* 65 us per tick: slower than any counter */
#define JUMP_NS 10000000
#define UPDATE_MIN_NS 1000000u
#define HORIZON_MIN_NS 100000000u
#define WINDOW_NS 5000000000u

#if defined(__x86_64__) || defined(__i386__)
static bool kernel_trusts_tsc(void)
{
    char name[32];
    long n = os_read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", name,
                          sizeof name);
    return n >= 3 && memcmp(name, "tsc", 3) == 0 && (n == 3 || name[3] == '\n');
}

__attribute__((cold)) enum oriel_clock clock_choose(void)
{
    unsigned a, b, c, d;
    /* Leaf 0x80000007, EDX bit 8: same rate in all P-, C- and T-states. */
    bool invariant = __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d & 1u << 8);
    return invariant && kernel_trusts_tsc() ? ORIEL_CLOCK_TSC : ORIEL_CLOCK_MONOTONIC;
}
#elif defined(__aarch64__)
enum oriel_clock clock_choose(void)
{
    return ORIEL_CLOCK_CNTVCT; /* architected: constant rate, same on all cores */
}
#else
enum oriel_clock clock_choose(void)
{
    return ORIEL_CLOCK_MONOTONIC;
}
#endif

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    int rc = clock_gettime(id, &t);
    assert(rc == 0);
    (void)rc;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_unix_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t clock_ticks(enum oriel_clock kind)
{
#if defined(__x86_64__) || defined(__i386__)
    if (kind == ORIEL_CLOCK_TSC)
        return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    if (kind == ORIEL_CLOCK_CNTVCT) {
        uint64_t v;
        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
        return v;
    }
#endif
    (void)kind;
    return clock_mono_ns();
}

/* What read(a) says at the middle of a bracket of ticks; returns its width. */
static uint64_t bracket(enum oriel_clock kind, clockid_t id, uint64_t *out_ticks, uint64_t *out_ns)
{
    uint64_t before = clock_ticks(kind), ns = read_clock(id), after = clock_ticks(kind);
    *out_ns = ns;
    *out_ticks = before + (after - before) / 2;
    return after - before;
}

__attribute__((cold)) void clock_anchor_read(enum oriel_clock kind, struct clock_anchor *out)
{
    uint64_t best_mono = UINT64_MAX, best_unix = UINT64_MAX, mono = 0, offset = 0;
    for (int i = 0; i < ANCHOR_TRIES; i++) {
        uint64_t ticks, ns, width;
        if (kind == ORIEL_CLOCK_MONOTONIC) {
            ticks = ns = clock_mono_ns();
            width = 0; /* the same clock: exact */
        } else {
            width = bracket(kind, CLOCK_MONOTONIC, &ticks, &ns);
        }
        if (width < best_mono || i == 0) {
            best_mono = width;
            out->ticks = ticks;
            mono = ns;
        }
        width = bracket(ORIEL_CLOCK_MONOTONIC, CLOCK_REALTIME, &ticks, &ns);
        if (width < best_unix || i == 0) {
            best_unix = width;
            offset = ns - ticks;
        }
    }
    out->mono_ns = mono;
    out->unix_ns = mono + offset;
}

static uint64_t rate(uint64_t ticks, uint64_t ns)
{
    if (ticks == 0 || ns == 0)
        return MULT_ONE;
    unsigned __int128 m = (((unsigned __int128)ns << 32) + ticks / 2) / ticks;
    return m > MULT_MAX ? MULT_MAX : m ? (uint64_t)m : 1;
}

/* Anchors come out of files too: nothing about them is taken for granted. */
static bool in_order(const struct clock_anchor *older, const struct clock_anchor *newer)
{
    return (int64_t)(newer->ticks - older->ticks) > 0 &&
           (int64_t)(newer->mono_ns - older->mono_ns) > 0;
}

void clock_map_init(struct clock_map *m, enum oriel_clock kind, const struct clock_anchor *older,
                    const struct clock_anchor *newer)
{
    memset(m, 0, sizeof *m);
    m->kind = kind;
    m->unix_offset = newer->unix_ns - newer->mono_ns;
    m->last = *newer;
    m->now.base_ticks = newer->ticks;
    m->now.base_ns = newer->unix_ns;
    m->now.mult = MULT_ONE;
    if (kind != ORIEL_CLOCK_MONOTONIC && in_order(older, newer))
        m->now.mult = rate(newer->ticks - older->ticks, newer->mono_ns - older->mono_ns);
    m->before = m->now;
    m->origin = in_order(older, newer) ? *older : *newer;
    m->middle = *newer;
    m->horizon_ns = HORIZON_MIN_NS;
}

/* The rate from now on: as measured from the origin on, plus what brings the
 * map back to the truth. A correction lasts until the next update, so the time
 * it is meant for must not be shorter than intervals tend to be, or it would
 * overshoot and swing. */
static uint64_t corrected_rate(struct clock_map *m, const struct clock_anchor *newer,
                               int64_t behind_ns)
{
    uint64_t interval = newer->mono_ns - m->last.mono_ns;
    m->horizon_ns -= m->horizon_ns / 8;
    if (m->horizon_ns < HORIZON_MIN_NS)
        m->horizon_ns = HORIZON_MIN_NS;
    if (m->horizon_ns < interval)
        m->horizon_ns = interval;
    uint64_t measured = rate(newer->ticks - m->origin.ticks, newer->mono_ns - m->origin.mono_ns);
    int64_t horizon = (int64_t)(m->horizon_ns < WINDOW_NS ? m->horizon_ns : WINDOW_NS);
    /* Ahead: slow down, but never to less than half, let alone backwards. */
    if (behind_ns < -horizon / 2)
        behind_ns = -horizon / 2;
    __int128 change = (__int128)measured * behind_ns / horizon;
    __int128 mult = (__int128)measured + change;
    return mult > (__int128)MULT_MAX ? MULT_MAX : mult < 1 ? 1 : (uint64_t)mult;
}

static void restart_after_reset(struct clock_map *m, const struct clock_anchor *newer)
{
    uint64_t given = clock_map_ns(m, m->last.ticks), truth = newer->mono_ns + m->unix_offset;
    uint64_t mult = m->now.mult;
    m->now = (struct clock_piece){newer->ticks, truth > given ? truth : given, mult};
    m->before = m->now;
    m->origin = m->middle = m->last = *newer;
}

/* The counter stood still for a while (suspend), or the first rate was far off.
 * The rate across a standstill means nothing, so the old one stays, unless the
 * update before jumped too: then it is the rate that is wrong. */
static void jump(struct clock_map *m, const struct clock_anchor *newer, uint64_t truth)
{
    uint64_t mult = m->now.mult;
    if (m->origin.ticks == m->last.ticks)
        mult = rate(newer->ticks - m->last.ticks, newer->mono_ns - m->last.mono_ns);
    m->before = m->now;
    m->now = (struct clock_piece){newer->ticks, truth, mult};
    m->origin = m->middle = m->last = *newer;
}

/* Ahead by about as much as the wall clock gained on the monotonic one: the
 * machine slept, and the counter ran on while the monotonic clock stood still. */
static bool ran_on(const struct clock_map *m, const struct clock_anchor *newer, int64_t ahead_ns)
{
    int64_t gained = clock_wall_gain(&m->last, newer);
    if (ahead_ns <= JUMP_NS || gained <= JUMP_NS)
        return false;
    uint64_t differ = (uint64_t)(ahead_ns > gained ? ahead_ns - gained : gained - ahead_ns);
    return differ <= (uint64_t)ahead_ns / 8 + JUMP_NS;
}

/* Then the ticks told the truth all the time, and go on telling it. */
static void take_sleep(struct clock_map *m, const struct clock_anchor *newer, uint64_t told,
                       int64_t ahead_ns)
{
    m->before = m->now;
    m->now = (struct clock_piece){newer->ticks, told, m->now.mult};
    m->unix_offset += (uint64_t)ahead_ns;
    m->origin = m->middle = m->last = *newer;
}

void clock_map_update(struct clock_map *m, const struct clock_anchor *newer)
{
    if (m->kind == ORIEL_CLOCK_MONOTONIC) {
        m->last = *newer; /* ticks are the time: nothing drifts */
        return;
    }
    if ((int64_t)(newer->mono_ns - m->last.mono_ns) < (int64_t)UPDATE_MIN_NS)
        return;
    if (newer->ticks < m->last.ticks) {
        restart_after_reset(m, newer);
        return;
    }
    if (!in_order(&m->last, newer) || !in_order(&m->origin, newer))
        return;
    uint64_t told = clock_map_ns(m, newer->ticks), truth = newer->mono_ns + m->unix_offset;
    int64_t behind = (int64_t)(truth - told);
    if (behind > JUMP_NS) {
        jump(m, newer, truth);
        return;
    }
    if (ran_on(m, newer, -behind)) {
        take_sleep(m, newer, told, -behind);
        return;
    }
    m->before = m->now;
    m->now = (struct clock_piece){newer->ticks, told, corrected_rate(m, newer, behind)};
    if (newer->mono_ns - m->middle.mono_ns >= WINDOW_NS) {
        m->origin = m->middle;
        m->middle = *newer;
    }
    m->last = *newer;
}
