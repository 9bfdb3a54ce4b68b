/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The books of a session: what was read, by kind, and what became of it. Pure.
 */
#ifndef ORIEL_SESSION_BOOKS_H
#define ORIEL_SESSION_BOOKS_H

#include "session/outlet_set.h"
#include "session/session.h"

/* Adds the records of a batch; their bytes on the wire. */
uint64_t books_add_records(struct session_counts *c, const struct model_batch *b);
/* What is known of the recording and its losses, and what the outlets say, at this moment. */
void books_put_catalog(struct session_counts *c, const struct model_catalog *from);
void books_put_outlets(struct session_counts *c, const struct outlet_set *set);
/* What outlets write at their end. */
void books_summary(const struct session_counts *c, struct export_summary *out);

#endif
