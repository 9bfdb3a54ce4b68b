/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * All rows of one module made at once: six bytes for each range of addresses,
 * found by a page index and a short search without branches. For the recorder,
 * when a module is met often; unchanged once built, so any thread may read.
 */
#ifndef ORIEL_UNWIND_TABLE_H
#define ORIEL_UNWIND_TABLE_H

#include "unwind/unwind.h"

/* 0, ORIEL_ENOMEM, ORIEL_EFORMAT (no functions), or ORIEL_ELIMIT (text beyond
 * 4 GiB). Takes about 60 ns for a row. */
int unwind_table_build(const struct eh_frame *eh, struct unwind_table **out);
void unwind_table_free(struct unwind_table *t);
/* UNWIND_NONE where nothing is described. */
unwind_row unwind_table_find(const struct unwind_table *t, uint64_t va);
size_t unwind_table_rows(const struct unwind_table *t);
size_t unwind_table_bytes(const struct unwind_table *t);

#endif
