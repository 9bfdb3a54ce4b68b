/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Is this run of words one whole record? A table says what every type looks
 * like; nothing is believed that the table, the length or the site's field
 * types do not bear out. Pure functions over private copies, any thread.
 */
#include "wire/record.h"

#include <assert.h>
#include <stdbool.h>

enum { SYNC_DEPTH_WORD = 2 + ORIEL_LOST_CAUSES, STATUS_CODE_WORD = 3 };
#define FLAGS_ANY                                                                                  \
    (ORIEL_RECF_HAS_SPAN | ORIEL_RECF_ROOT | ORIEL_RECF_TRUNCATED | ORIEL_RECF_HAS_TIME)

#define FLAGS_TOLD (FLAGS_ANY | ORIEL_RECF_HERE | ORIEL_RECF_DECIDED)
#define FLAGS_WATCHED (FLAGS_ANY | ORIEL_RECF_WATCHED)

/* The table of include/oriel/abi/record.h. EVENT without an explicit span; with
 * one it has a word more. */
const struct wire_shape wire_shapes[256] = {
    [ORIEL_REC_SYNC] = {SYNC_DEPTH_WORD + 1, 0, WIRE_LOW_ZERO, WIRE_TAIL_SYNC},
    [ORIEL_REC_BEGIN] = {2, FLAGS_WATCHED, WIRE_LOW_SITE, WIRE_TAIL_FIELDS},
    [ORIEL_REC_END] = {2, FLAGS_ANY, WIRE_LOW_FREE, WIRE_TAIL_NONE},
    [ORIEL_REC_SET] = {3, FLAGS_ANY, WIRE_LOW_SITE, WIRE_TAIL_FIELDS},
    [ORIEL_REC_EVENT] = {2, FLAGS_ANY, WIRE_LOW_SITE, WIRE_TAIL_FIELDS},
    [ORIEL_REC_OPEN] = {3, FLAGS_ANY, WIRE_LOW_SITE, WIRE_TAIL_FIELDS},
    [ORIEL_REC_CLOSE] = {3, FLAGS_WATCHED, WIRE_LOW_ID, WIRE_TAIL_NONE},
    [ORIEL_REC_ENTER] = {3, FLAGS_ANY, WIRE_LOW_ID, WIRE_TAIL_NONE},
    [ORIEL_REC_EXIT] = {3, FLAGS_ANY, WIRE_LOW_ID, WIRE_TAIL_NONE},
    [ORIEL_REC_LINK] = {7, FLAGS_ANY, WIRE_LOW_ID, WIRE_TAIL_NONE},
    [ORIEL_REC_STATUS] = {4, FLAGS_ANY, WIRE_LOW_ID, WIRE_TAIL_STR},
    [ORIEL_REC_SPAN] = {4, FLAGS_ANY, WIRE_LOW_SITE, WIRE_TAIL_FIELDS},
    [ORIEL_REC_PLOT] = {2, FLAGS_ANY, WIRE_LOW_SITE, WIRE_TAIL_PLOT},
    [ORIEL_REC_FRAME] = {2, FLAGS_ANY, WIRE_LOW_SITE, WIRE_TAIL_NONE},
    [ORIEL_REC_TASK] = {4, ORIEL_TASK_NAME, WIRE_LOW_SITE, WIRE_TAIL_NONE},
    [ORIEL_REC_THREAD] = {2, FLAGS_ANY, WIRE_LOW_ZERO, WIRE_TAIL_STR},
    [ORIEL_REC_ATTACH] = {6, FLAGS_ANY, WIRE_LOW_ZERO, WIRE_TAIL_NONE},
    [ORIEL_REC_DETACH] = {2, FLAGS_ANY, WIRE_LOW_ZERO, WIRE_TAIL_NONE},
    [ORIEL_REC_TRIGGER] = {2, FLAGS_ANY, WIRE_LOW_ZERO, WIRE_TAIL_STR},
    [ORIEL_REC_FOLLOW] = {4, FLAGS_ANY, WIRE_LOW_ID, WIRE_TAIL_NONE},
    [ORIEL_REC_OWNER] = {3, 0, WIRE_LOW_FREE, WIRE_TAIL_STR},
    [ORIEL_REC_SAMPLE] = {6, ORIEL_SAMPLE_KINDS - 1, WIRE_LOW_ZERO, WIRE_TAIL_NONE},
    [ORIEL_REC_STACK] = {6, ORIEL_SAMPLE_KINDS - 1, WIRE_LOW_ZERO, WIRE_TAIL_ADDRESSES},
    [ORIEL_REC_HEAP] = {6, 0, WIRE_LOW_ZERO, WIRE_TAIL_NONE},
    [ORIEL_REC_TOLD] = {7, FLAGS_TOLD, WIRE_LOW_SITE, WIRE_TAIL_FIELDS},
    [ORIEL_REC_TOLD_LOG] = {6, FLAGS_ANY, WIRE_LOW_SITE, WIRE_TAIL_FIELDS},
    [ORIEL_REC_TOLD_LINK] = {7, FLAGS_ANY, WIRE_LOW_SITE, WIRE_TAIL_FIELDS},
    [ORIEL_REC_STATE] = {3, ORIEL_RECF_HERE, WIRE_LOW_ID, WIRE_TAIL_STR},
    [ORIEL_REC_MORE] = {3, 0, WIRE_LOW_ZERO, WIRE_TAIL_STR},
    [ORIEL_REC_NAME] = {3, 0, WIRE_LOW_ID, WIRE_TAIL_STR},
};
_Static_assert(ORIEL_REC_MAX == ORIEL_REC_NAME, "a new type needs its row above");

uint32_t wire_record_prefix_words(uint32_t type, uint32_t flags)
{
    if (type > ORIEL_REC_MAX)
        return 0;
    return wire_shapes[type].prefix +
           (type == ORIEL_REC_EVENT && (flags & ORIEL_RECF_HAS_SPAN) ? 1u : 0u);
}

int wire_record_has_site(uint32_t type)
{
    return type <= ORIEL_REC_MAX && wire_shapes[type].low == WIRE_LOW_SITE;
}

/* Words of a str or bytes value that starts at `at`, 0 if it is damaged. */
static uint32_t text_words(const uint64_t *at, uint32_t available)
{
    if (available == 0)
        return 0;
    uint32_t stored = (uint32_t)at[0], original = (uint32_t)(at[0] >> 32);
    if (stored > original || stored > ORIEL_STRING_MAX_BYTES)
        return 0;
    uint32_t words = 1 + (stored + 7) / 8;
    if (words > available)
        return 0;
    /* The padding is zero, so that no stale byte of the writer leaves it. */
    if (stored % 8 && at[words - 1] >> (stored % 8 * 8))
        return 0;
    return words;
}

static bool is_text(uint8_t type)
{
    return type == ORIEL_TYPE_STR || type == ORIEL_TYPE_BYTES;
}

/* Whether values of these types fill exactly `available` words. */
static bool fields_fill(const uint64_t *at, uint32_t available, const uint8_t *types,
                        uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (types[i] < ORIEL_TYPE_BOOL || types[i] > ORIEL_TYPE_PTR)
            return false;
        uint32_t n = is_text(types[i]) ? text_words(at, available) : available > 0;
        if (n == 0)
            return false;
        at += n;
        available -= n;
    }
    return available == 0;
}

static bool tail_is_whole(const uint64_t *words, uint32_t size, uint32_t prefix, uint8_t tail)
{
    assert(size >= prefix);
    uint32_t rest = size - prefix;
    switch ((enum wire_tail)tail) {
    case WIRE_TAIL_NONE:
        return rest == 0;
    case WIRE_TAIL_FIELDS:
        return true; /* only the site's types can tell */
    case WIRE_TAIL_STR:
        return text_words(words + prefix, rest) == rest && rest > 0;
    case WIRE_TAIL_SYNC: {
        uint64_t depth = words[SYNC_DEPTH_WORD];
        return depth <= UINT32_MAX &&
               rest == (depth < ORIEL_STACK_DEPTH ? depth : ORIEL_STACK_DEPTH);
    }
    case WIRE_TAIL_PLOT:
        return rest == 1;
    case WIRE_TAIL_ADDRESSES:
        return rest == ORIEL_STACK_COUNT(words[2]);
    }
    return false;
}

static bool low_is_right(const uint64_t *words, uint32_t low, uint8_t rule)
{
    switch ((enum wire_low)rule) {
    case WIRE_LOW_ZERO:
        return low == 0;
    case WIRE_LOW_SITE:
        return low >= ORIEL_SITE_ID_FIRST && low <= ORIEL_SITE_ID_MAX;
    case WIRE_LOW_ID:
        return low == (uint32_t)words[2];
    case WIRE_LOW_FREE:
        return true;
    }
    return false;
}

/* What a single type asks for beyond its shape. */
static bool content_is_right(const uint64_t *words, uint32_t type, uint32_t flags)
{
    if (type == ORIEL_REC_TASK)
        return flags >= ORIEL_TASK_SPAWN;
    if (type == ORIEL_REC_STATUS)
        return words[STATUS_CODE_WORD] <= ORIEL_STATUS_ERROR;
    return true;
}

uint32_t wire_record_check(const uint64_t *words, uint32_t available, const uint8_t *types,
                           uint32_t count)
{
    assert(words && (count == 0 || types));
    if (available == 0)
        return 0;
    uint64_t h = words[0];
    uint32_t size = ORIEL_RECORD_WORDS(h), type = ORIEL_RECORD_TYPE(h);
    uint32_t flags = ORIEL_RECORD_FLAGS(h);
    uint32_t prefix = wire_record_prefix_words(type, flags);
    const struct wire_shape *shape = &wire_shapes[type];
    if (prefix == 0 || size < prefix || size > available || size > ORIEL_RECORD_MAX_BYTES / 8)
        return 0;
    if (flags > shape->flag_max || !low_is_right(words, ORIEL_RECORD_LOW(h), shape->low))
        return 0;
    if (!tail_is_whole(words, size, prefix, shape->tail) || !content_is_right(words, type, flags))
        return 0;
    /* Records without values (FRAME, TASK) come from sites without fields. */
    if (!types || shape->low != WIRE_LOW_SITE)
        return size;
    if (shape->tail == WIRE_TAIL_PLOT && (count != 1 || is_text(types[0])))
        return 0;
    return fields_fill(words + prefix, size - prefix, types, count) ? size : 0;
}
