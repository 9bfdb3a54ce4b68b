/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names as the compiler wrote them to names as the programmer did: C++ (Itanium)
 * and Rust (v0 and legacy), by libiberty. Only called where hostile names may
 * cost no more than a child process.
 */
#ifndef ORIEL_SYMBOL_DEMANGLE_H
#define ORIEL_SYMBOL_DEMANGLE_H

#include "base/buf.h"

/* Append the readable form. False, nothing appended, when it is no mangled name
 * or cannot be read (too long, too deep, or expands beyond 64 KiB). A symbol
 * version ("@@V_1") is left out, a suffix such as ".cold" kept. */
bool demangle(const char *linkage, struct buf *out);

#endif
