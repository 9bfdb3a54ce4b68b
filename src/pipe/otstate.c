/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reading and rewriting "ot=th:c;rv:0123456789abcd" in a list of members. The list was
 * checked when it came in; a value of `ot` is taken apart at ";" and ":" here, and parts
 * that nobody here knows stay. Pure.
 */
#include "pipe/otstate.h"

#include <assert.h>
#include <string.h>

#include "base/ratio.h"

enum { RV_DIGITS = 14, VALUE_MAX = 256 };

/* What stands before the next `stop`; false: nothing is left. */
static bool next(struct model_str *rest, char stop, struct model_str *out)
{
    if (rest->n == 0)
        return false;
    const char *end = memchr(rest->p, stop, rest->n);
    *out = (struct model_str){rest->p, end ? (uint32_t)(end - rest->p) : rest->n};
    uint32_t taken = out->n + (end != NULL);
    rest->p += taken;
    rest->n -= taken;
    return true;
}

static bool begins(struct model_str s, const char *with)
{
    return s.n >= 3 && memcmp(s.p, with, 3) == 0;
}

/* The value of `ot`; n is 0 for none. */
static struct model_str ot_of(struct model_str state)
{
    struct model_str member;
    while (next(&state, ',', &member))
        if (begins(member, "ot="))
            return (struct model_str){member.p + 3, member.n - 3};
    return (struct model_str){"", 0};
}

bool otstate_randomness(struct model_str state, uint64_t *out)
{
    struct model_str ot = ot_of(state), part;
    uint64_t value = 0;
    while (next(&ot, ';', &part)) {
        if (!begins(part, "rv:"))
            continue;
        for (uint32_t i = 3; i < part.n; i++) {
            char c = part.p[i];
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
                return false;
            value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        *out = value;
        return part.n == 3 + RV_DIGITS;
    }
    return false;
}

bool otstate_threshold(struct model_str state, uint64_t *out)
{
    struct model_str ot = ot_of(state), part;
    uint64_t value = 0;
    while (next(&ot, ';', &part)) {
        if (!begins(part, "th:"))
            continue;
        for (uint32_t i = 3; i < part.n; i++) {
            char c = part.p[i];
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
                return false;
            value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        if (part.n == 3 || part.n > 3 + RV_DIGITS)
            return false;
        *out = value << 4 * (3 + RV_DIGITS - part.n); /* zeros at the end are left out */
        return true;
    }
    return false;
}

/* One more of a list, if it fits into `max`. */
static uint32_t put(char *out, uint32_t at, uint32_t first, char comma, struct model_str s,
                    uint32_t max)
{
    const uint32_t separator = at > first;
    if (s.n == 0 || at + separator + s.n > max)
        return at;
    if (separator)
        out[at++] = comma;
    memcpy(out + at, s.p, s.n);
    return at + s.n;
}

uint32_t otstate_write(struct model_str state, uint64_t threshold, char out[OTSTATE_BYTES])
{
    char th[3 + 15] = "th:";
    struct model_str part, ot = ot_of(state);
    uint32_t n = 3, first = 3;
    memcpy(out, "ot=", first);
    ratio_text(threshold, th + 3);
    if (th[3])
        n = put(out, n, first, ';', (struct model_str){th, (uint32_t)strlen(th)}, OTSTATE_BYTES);
    while (next(&ot, ';', &part))
        if (!begins(part, "th:"))
            n = put(out, n, first, ';', part, first + VALUE_MAX);
    n = n == first ? 0 : n;
    while (next(&state, ',', &part))
        if (!begins(part, "ot="))
            n = put(out, n, 0, ',', part, OTSTATE_BYTES);
    assert(n <= OTSTATE_BYTES);
    return n;
}
