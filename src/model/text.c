/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The words of the house: ids as hex, causes of loss, levels. Pure functions.
 */
#include <assert.h>
#include <stddef.h>

#include "model/batch.h"

static void hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = 0;
}

void model_trace_hex(const uint8_t trace_id[16], char out[33])
{
    hex(trace_id, 16, out);
}

void model_span_hex(uint64_t span_id, char out[17])
{
    uint8_t bytes[8];
    memcpy(bytes, &span_id, sizeof bytes); /* ids travel in memory order */
    hex(bytes, sizeof bytes, out);
}

static const struct {
    const char *text, *remedy;
} lost_causes[ORIEL_LOST_CAUSES] = {
    [ORIEL_LOST_RING_FULL] = {"ring full", "raise --ring, for probes --probe-ring, or record less"},
    [ORIEL_LOST_NESTED] = {"signal handlers nested too deep",
                           "say less in handlers that interrupt handlers"},
    [ORIEL_LOST_NO_THREAD] = {"no free thread slot", "raise the number of threads of the ring"},
    [ORIEL_LOST_TOO_LARGE] = {"record too large", "give fewer or shorter fields"},
    [ORIEL_LOST_OVERWRITTEN] = {"overwritten by newer records",
                                "raise --ring: a flight recorder keeps the last of it"},
};

const char *model_lost_text(uint32_t cause)
{
    return cause < ORIEL_LOST_CAUSES ? lost_causes[cause].text : "unknown cause";
}

const char *model_lost_remedy(uint32_t cause)
{
    return cause < ORIEL_LOST_CAUSES ? lost_causes[cause].remedy : "";
}

static const struct {
    const char *text;
    int severity;
} levels[] = {
    [ORIEL_LEVEL_TRACE] = {"TRACE", 1},  [ORIEL_LEVEL_DEBUG] = {"DEBUG", 5},
    [ORIEL_LEVEL_INFO] = {"INFO", 9},    [ORIEL_LEVEL_WARN] = {"WARN", 13},
    [ORIEL_LEVEL_ERROR] = {"ERROR", 17}, [ORIEL_LEVEL_FATAL] = {"FATAL", 21},
};
_Static_assert(sizeof levels / sizeof levels[0] == ORIEL_LEVEL_FATAL + 1, "a row per level");

/* A foreign file may hold any byte: what is not a level counts as INFO. */
static uint8_t known_level(uint8_t level)
{
    return level >= ORIEL_LEVEL_TRACE && level <= ORIEL_LEVEL_FATAL ? level : ORIEL_LEVEL_INFO;
}

const char *model_level_text(uint8_t level)
{
    return levels[known_level(level)].text;
}

int model_level_severity(uint8_t level)
{
    return levels[known_level(level)].severity;
}
