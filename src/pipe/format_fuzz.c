/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a printf format and as the values behind it. The
 * message is bounded whatever the widths say, and the format's end is its end.
 *
 *   input: count, then per value a type byte and 8 bytes, then the format
 */
#include <stdlib.h>
#include <string.h>

#include "pipe/format.h"

enum { VALUES_MAX = 8, VALUE_BYTES = 9 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_value(const uint8_t *p, struct model_value *out)
{
    static const char texts[] = "a text that values of type string are cut from";
    uint64_t bits;
    memcpy(&bits, p + 1, sizeof bits);
    memset(out, 0, sizeof *out);
    out->key = (struct model_str){"k", 1};
    out->type = (uint8_t)(ORIEL_TYPE_BOOL + p[0] % (ORIEL_TYPE_PTR - ORIEL_TYPE_BOOL + 1));
    if (p[0] & 0x80)
        out->flags = MODEL_VALUE_TRUNCATED;
    if (out->type == ORIEL_TYPE_STR || out->type == ORIEL_TYPE_BYTES) {
        out->v.str = (struct model_str){texts, (uint32_t)(bits % sizeof texts)};
        out->full_bytes = out->v.str.n;
        if (p[0] & 0x40)
            out->flags |= MODEL_VALUE_REDACTED;
    } else if (out->type == ORIEL_TYPE_BOOL) {
        out->v.b = bits & 1;
    } else {
        out->v.u64 = bits;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_value values[VALUES_MAX];
    uint32_t count = 0;
    struct buf out;
    if (size == 0)
        return 0;
    uint32_t wanted = data[0] % (VALUES_MAX + 1);
    data++, size--;
    for (; count < wanted && size >= VALUE_BYTES; count++) {
        read_value(data, &values[count]);
        data += VALUE_BYTES, size -= VALUE_BYTES;
    }
    /* Of exact length, so that one byte too many is seen. */
    char *format = malloc(size ? size : 1);
    if (!format)
        return 0;
    memcpy(format, data, size);
    buf_init(&out);
    buf_put(&out, "before", 6);
    format_message(&out, (struct model_str){format, (uint32_t)size}, values, count);
    if (out.failed || out.size > 6 + FORMAT_MESSAGE_MAX || memcmp(out.data, "before", 6) != 0)
        abort();
    buf_done(&out);
    free(format);
    return 0;
}
