/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A build without OTLP: no outlet has a destination, so nothing is in one.
 */
#include "deliver/deliver.h"

int deliver_flush(struct deliver *d, uint64_t deadline_ns)
{
    return 0;
}

bool deliver_keeps(const struct deliver *d)
{
    return false;
}

void deliver_counts(struct deliver *d, enum out_signal signal, struct deliver_counts *out)
{
    *out = (struct deliver_counts){0};
}

void deliver_total(struct deliver *d, struct deliver_counts *out)
{
    *out = (struct deliver_counts){0};
}
