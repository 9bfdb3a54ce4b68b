/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A further mark that the name of a field may begin with, beside those of site.h. Frozen, as
 * everything here.
 */
#ifndef ORIEL_ABI_MARK_H
#define ORIEL_ABI_MARK_H

#define ORIEL_MARK_NESTED "\3" /* becomes ORIEL_FIELD_NESTED: a str that is JSON */

#endif
