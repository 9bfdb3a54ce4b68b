/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Filters switched from outside while the program runs. Whoever switches writes
 * the directives into the region and then marks the clock of every thread block;
 * a marked clock is none that inline code knows, so the thread's next record
 * asks oriel_abi_ticks_slow for the time, and comes by here. The path of a
 * record is the same as ever. Any thread, any signal handler: it waits for no
 * lock, and comes again with the next record if somebody else has it.
 */
#include "rec/rec.h"

#include <string.h>

static uint32_t applied; /* generation of the directives in force; atomic */

/* The text as it stands in the region, if nobody is writing it. */
static bool copy_directives(struct wire_region *shared, char *out, uint32_t *out_gen)
{
    uint32_t before = __atomic_load_n(&shared->filter_gen, __ATOMIC_ACQUIRE);
    memcpy(out, shared->directives, WIRE_DIRECTIVES_BYTES);
    out[WIRE_DIRECTIVES_BYTES - 1] = 0;
    *out_gen = before;
    /* Adding nothing keeps the copy before this look; a fence would do, but is
     * unknown to the thread sanitizer. */
    return before % 2 == 0 &&
           __atomic_fetch_add(&shared->filter_gen, 0, __ATOMIC_ACQ_REL) == before;
}

static void clear_mark(struct oriel_thread *t)
{
    __atomic_store_n(&t->clock, rec_runtime.clock, __ATOMIC_SEQ_CST);
}

static void look(struct oriel_gate *g)
{
    struct wire_region *shared = rec_runtime.shared;
    char text[WIRE_DIRECTIVES_BYTES];
    uint32_t gen;
    /* Unmarked first: who switches again from here on marks again. */
    clear_mark(g->thread);
    if (g->second)
        clear_mark(g->second->thread);
    if (__atomic_load_n(&shared->filter_gen, __ATOMIC_SEQ_CST) ==
        __atomic_load_n(&applied, __ATOMIC_ACQUIRE))
        return;
    if (copy_directives(shared, text, &gen) && rec_sites_filter(text))
        __atomic_store_n(&applied, gen, __ATOMIC_RELEASE);
    else
        __atomic_store_n(&g->thread->clock, ORIEL_CLOCK_MARK, __ATOMIC_SEQ_CST);
}

void rec_switch_attached(void)
{
    __atomic_store_n(&applied, 0, __ATOMIC_RELEASE); /* of a region nobody has switched yet */
}

/* Whoever switched while this block was being set up may have passed it over. Both sides
 * first tell and then look, so one of them sees the other. */
void rec_switch_joined(struct oriel_thread *t)
{
    if (__atomic_load_n(&rec_runtime.shared->filter_gen, __ATOMIC_SEQ_CST) !=
        __atomic_load_n(&applied, __ATOMIC_ACQUIRE))
        __atomic_store_n(&t->clock, ORIEL_CLOCK_MARK, __ATOMIC_SEQ_CST);
}

void rec_switch_look(void)
{
    struct oriel_gate *g = oriel_tls.gate;
    if (g == &rec_null_gate || !rec_enter())
        return;
    if (rec_gate_is_current(g) && g->thread->clock != rec_runtime.clock)
        look(g);
    rec_leave();
}
