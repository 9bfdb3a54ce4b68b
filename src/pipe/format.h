/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * printf formats over recorded values. Inside the pipe only. The format comes
 * from the observed program: it says how to show a value, never what it is,
 * so a wrong or hostile one gives a strange text and nothing worse.
 */
#ifndef ORIEL_PIPE_FORMAT_H
#define ORIEL_PIPE_FORMAT_H

#include <stdint.h>

#include "base/buf.h"
#include "model/batch.h"

#define FORMAT_MESSAGE_MAX 65536u /* bytes; a longer message is cut */
#define FORMAT_WIDTH_MAX 1024u    /* greater widths and precisions count as this */

/*
 * Append the message to `out`. Conversions d i u x X o c s p f F e E g G a A n
 * with flags, width, precision (numbers, '*', 'N$') and every length modifier;
 * %n shows nothing. A conversion that is not known, or has no value left,
 * stands as it is written. Values marked MODEL_VALUE_REDACTED show their text.
 */
void format_message(struct buf *out, struct model_str format, const struct model_value *values,
                    uint32_t count);

#endif
