/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Options of a destination, checked and copied into it. The opening thread only, but
 * for the headers of one that is held.
 */
#ifndef ORIEL_DELIVER_PREPARE_H
#define ORIEL_DELIVER_PREPARE_H

#include "deliver/inside.h"

/* The codes of deliver_open. */
int prepare(struct deliver *d, const struct deliver_options *o, struct oriel_err *err);
/* More of them, while it is held. As `prepare`. */
int prepare_headers(struct deliver *d, const struct http_header *headers, size_t count,
                    struct oriel_err *err);
/* Wipes and frees what it made, also when it failed half way. In a child of fork OpenSSL's
 * own (tls_too) may be in any state and is left alone. */
void prepare_undo(struct deliver *d, bool tls_too);

#endif
