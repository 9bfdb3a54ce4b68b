/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Directives: "info,db=debug,net.http=off". The longest target that is a
 * dotted prefix of a site's target (or of its name, when it has no target)
 * decides; a directive without target is the default. Fixed memory.
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

static struct rule rules[RULES_MAX];
static uint32_t rule_count;
static uint8_t default_level = ORIEL_LEVEL_TRACE;

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
    if (!eq) {
        out->length = 0;
        return parse_level(p, n, &out->level);
    }
    size_t target = (size_t)(eq - p);
    if (target == 0 || target >= TARGET_MAX)
        return false;
    memcpy(out->target, p, target);
    out->target[target] = 0;
    out->length = (uint32_t)target;
    return parse_level(eq + 1, n - target - 1, &out->level);
}

int rec_filter_set(const char *directives)
{
    static struct rule parsed[RULES_MAX]; /* too large for a signal stack */
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
            if (count == RULES_MAX || !parse_one(p, n, &parsed[count]))
                return ORIEL_EINVAL;
            if (parsed[count].length == 0)
                fallback = parsed[count].level;
            else
                count++;
        }
        p = next;
    }
    memcpy(rules, parsed, count * sizeof rules[0]);
    rule_count = count;
    default_level = fallback;
    return 0;
}

static bool covers(const struct rule *r, const char *text)
{
    return strncmp(text, r->target, r->length) == 0 &&
           (text[r->length] == 0 || text[r->length] == '.' || text[r->length] == ':');
}

bool rec_filter_allows(const char *target, const char *name, uint8_t level)
{
    const char *text = target && *target ? target : name;
    uint8_t lowest = default_level;
    uint32_t longest = 0;
    for (uint32_t i = 0; i < rule_count; i++)
        if (rules[i].length >= longest && covers(&rules[i], text)) {
            longest = rules[i].length;
            lowest = rules[i].level;
        }
    return level >= lowest;
}
