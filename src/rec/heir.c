/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A fork child records through the process that exports. One that goes into the background follows
 * that process when it ends, with a thread that waits for that in the kernel. It is made, if it is
 * to be, with the first record of a thread, which makes system calls anyway: a child that confines
 * itself once its threads have recorded makes none for this, whatever becomes of its parent.
 */
#include "rec/rec.h"

__attribute__((cold)) bool rec_heir_is_asked(void)
{
    const struct rec_thread_local *here = &rec_thread_local;
    const struct oriel_gate *g = oriel_tls.gate;
    const bool has_block = g->live && rec_gate_is_current(g);
    return !has_block && !here->inheriting && !here->setting_up && !here->crashing;
}

__attribute__((cold)) void rec_heir_come(void)
{
    rec_thread_local.inheriting = 1;
    if (rec_start_inherit())
        __atomic_store_n(&rec_runtime.served, 0, __ATOMIC_RELAXED);
    rec_thread_local.inheriting = 0;
}
