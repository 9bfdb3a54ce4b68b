/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Options of a destination, checked and copied into it. The opening thread only.
 */
#ifndef ORIEL_DELIVER_PREPARE_H
#define ORIEL_DELIVER_PREPARE_H

#include "deliver/inside.h"

/* The codes of deliver_open. */
int prepare(struct deliver *d, const struct deliver_options *o, struct oriel_err *err);
/* Wipes and frees what it made, also when it failed half way. In a child of fork OpenSSL's
 * own (tls_too) may be in any state and is left alone. */
void prepare_undo(struct deliver *d, bool tls_too);

#endif
