/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Directives: "info,db=debug,net.http=off". The longest target that is a
 * dotted prefix of a site's target (or of its name, when it has no target)
 * decides; a directive without target is the default. Fixed memory, read without
 * a lock, by signal handlers too: of two tables one is in force while the other is
 * filled, and a reader who was overtaken reads again.
 */
#include "rec/rec.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"

#define RULES_MAX WIRE_RULES_MAX
#define TARGET_MAX WIRE_TARGET_MAX

struct rule {
    char target[TARGET_MAX];
    uint32_t length;
    uint8_t level; /* lowest that records; LEVEL_OFF none */
};
enum { LEVEL_OFF = 7 };

struct table {
    struct rule rules[RULES_MAX];
    uint32_t count;
    uint8_t fallback; /* of targets without a rule */
};
/* All that is in them is atomic, byte by byte. */
static struct table tables[2] = {{.fallback = ORIEL_LEVEL_TRACE}, {.fallback = ORIEL_LEVEL_TRACE}};
static uint32_t version; /* atomic; tables[version % 2] is in force */

#define PUT(place, value) __atomic_store_n(&(place), value, __ATOMIC_RELEASE)
#define GET(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)

static bool parse_level(const char *p, size_t n, uint8_t *out)
{
    static const char *const names[] = {"",     "trace", "debug", "info",
                                        "warn", "error", "fatal", "off"};
    for (uint8_t i = 1; i <= LEVEL_OFF; i++)
        if (strlen(names[i]) == n && strncasecmp(names[i], p, n) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static bool parse_one(const char *p, size_t n, struct rule *out)
{
    const char *eq = memchr(p, '=', n);
    size_t target = eq ? (size_t)(eq - p) : 0;
    uint8_t level;
    if ((eq && target == 0) || target >= TARGET_MAX ||
        !parse_level(eq ? eq + 1 : p, eq ? n - target - 1 : n, &level))
        return false;
    for (size_t i = 0; i < target; i++)
        PUT(out->target[i], p[i]);
    PUT(out->length, (uint32_t)target);
    PUT(out->level, level);
    return true;
}

__attribute__((cold)) int rec_filter_set(const char *directives)
{
    uint32_t now = __atomic_load_n(&version, __ATOMIC_RELAXED);
    struct table *t = &tables[(now + 1) % 2];
    uint32_t count = 0;
    uint8_t fallback = ORIEL_LEVEL_TRACE;
    for (const char *p = directives ? directives : ""; *p;) {
        size_t n = strcspn(p, ",");
        const char *next = p[n] ? p + n + 1 : p + n;
        while (n && *p == ' ')
            p++, n--;
        while (n && p[n - 1] == ' ')
            n--;
        if (n) {
            if (count == RULES_MAX || !parse_one(p, n, &t->rules[count]))
                return ORIEL_EINVAL;
            if (t->rules[count].length == 0)
                fallback = t->rules[count].level;
            else
                count++;
        }
        p = next;
    }
    PUT(t->count, count);
    PUT(t->fallback, fallback);
    __atomic_store_n(&version, now + 1, __ATOMIC_RELEASE);
    return 0;
}

static bool covers(const struct rule *r, uint32_t length, const char *text)
{
    for (uint32_t i = 0; i < length; i++)
        if (text[i] == 0 || text[i] != GET(r->target[i]))
            return false;
    return text[length] == 0 || text[length] == '.' || text[length] == ':';
}

/* Lowest level that records; torn where the table was filled meanwhile. */
static uint8_t lowest_in(const struct table *t, const char *text)
{
    uint8_t lowest = GET(t->fallback);
    uint32_t longest = 0, count = GET(t->count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = GET(t->rules[i].length);
        if (length >= longest && length < TARGET_MAX && covers(&t->rules[i], length, text)) {
            longest = length;
            lowest = GET(t->rules[i].level);
        }
    }
    return lowest;
}

bool rec_filter_allows(const char *target, const char *name, uint8_t level)
{
    const char *text = target && *target ? target : name;
    uint32_t seen, after;
    uint8_t lowest;
    do {
        seen = GET(version);
        lowest = lowest_in(&tables[seen % 2], text);
        after = __atomic_load_n(&version, __ATOMIC_RELAXED);
    } while (after != seen);
    return level >= lowest;
}
