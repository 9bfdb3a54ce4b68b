/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Functions that only hand on what somebody asked for, memory or a lock: those of the standard
 * libraries of C++ and Rust. Told by their readable names and files. Any thread.
 */
#ifndef ORIEL_REPORT_GLUE_H
#define ORIEL_REPORT_GLUE_H

#include <stdbool.h>

#include "model/str.h"

/* "std::vector<shop::item>::push_back" is, "<shop::item as core::clone::Clone>::clone" and
 * "std::vector<int> shop::sizes<int>()" are not: who wrote it decides, not what it is for. */
bool name_is_glue(struct model_str name);
/* Where a function is defined: what the compiler inlined often has its last name alone. */
bool file_is_glue(struct model_str file);

#endif
