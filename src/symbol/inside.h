/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the files of this room know of struct symbols besides symbol.h.
 */
#ifndef ORIEL_SYMBOL_INSIDE_H
#define ORIEL_SYMBOL_INSIDE_H

#include "symbol/find.h"

/* How files are found; as long as s lives. */
struct finder *symbols_finder(struct symbols *s);

#endif
