/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of the DWARF reader use of each other and nobody else does. */
#ifndef ORIEL_SYMBOL_DW_FORMS_H
#define ORIEL_SYMBOL_DW_FORMS_H

#include "symbol/dw.h"

/* How a form is read whose size is not fixed. */
enum {
    DW_FORM_IS_BLOCK = -1,
    DW_FORM_IS_ULEB = -2, /* or a signed one */
    DW_FORM_IS_STRING = -3,
    DW_FORM_IS_INDIRECT = -4,
    DW_FORM_IS_UNKNOWN = -5
};
/* Bytes of a form, or one of the above. */
int dw_form_size(uint32_t form, unsigned addr_size, unsigned offset_size, unsigned version);
/* Bytes of the length in front of a block; 0: a ULEB. */
uint32_t dw_form_block_length(uint32_t form);
/* The table of a unit, read once; NULL when it lies outside or memory is out. */
const struct dw_abbrevs *dw_abbrevs_get(const struct dw_unit *u);
void dw_abbrevs_free(struct dw_abbrevs *t);
/* Entry n of .debug_addr. */
bool dw_indexed_address(const struct dw_unit *u, uint64_t n, uint64_t *out);

#endif
