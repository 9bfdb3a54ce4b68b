/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which items become lines: a least level, and directives for targets and what
 * is below them ("net" is for net and net.http, not for network); the longest
 * that fits decides. The answer is kept per site. Runs on one thread.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "export/log/log.h"

/* From the option's order (trace first) to enum oriel_level; off is above all. */
static uint8_t level_of_choice(int choice)
{
    assert(choice >= 0 && choice <= ORIEL_LEVEL_FATAL);
    return (uint8_t)(choice + ORIEL_LEVEL_TRACE);
}

static bool parse_level(struct model_str text, uint8_t *out)
{
    static const char *const names[] = {"trace", "debug", "info", "warn", "error", "fatal", "off"};
    for (int i = 0; i < 7; i++)
        if (strlen(names[i]) == text.n && strncasecmp(names[i], text.p, text.n) == 0) {
            *out = level_of_choice(i);
            return true;
        }
    return false;
}

static struct model_str trim(const char *p, const char *end)
{
    while (p < end && *p == ' ')
        p++;
    while (end > p && end[-1] == ' ')
        end--;
    return (struct model_str){p, (uint32_t)(end - p)};
}

/* The next item of a comma list; false at the end. Empty items are skipped. */
static bool next_item(const char **at, struct model_str *out)
{
    while (**at) {
        const char *start = *at, *end = strchrnul(start, ',');
        *at = *end ? end + 1 : end;
        *out = trim(start, end);
        if (out->n)
            return true;
    }
    return false;
}

static int add_directive(struct log_state *l, struct model_str item, struct oriel_err *err)
{
    struct log_directive *d, parsed;
    const char *eq = memrchr(item.p, '=', item.n);
    struct model_str level = eq ? trim(eq + 1, item.p + item.n) : item;
    parsed.target = eq ? trim(item.p, eq) : (struct model_str){item.p, 0};
    if (!parse_level(level, &parsed.level))
        return err_set(err, ORIEL_EINVAL,
                       "log: levels: '%.*s': expected TARGET=LEVEL with LEVEL one of trace, debug, "
                       "info, warn, error, fatal, off",
                       (int)item.n, item.p);
    if (!eq) { /* a level alone is the one for all */
        l->level = parsed.level;
        return 0;
    }
    d = VEC_PUSH(&l->directives);
    if (!d)
        return ORIEL_ENOMEM;
    *d = parsed;
    return 0;
}

int log_filter_init(struct log_state *l, const struct log_options *o, struct oriel_err *err)
{
    const char *levels = o->levels ? o->levels : "", *context = o->context ? o->context : "";
    size_t levels_n = strlen(levels), context_n = strlen(context);
    struct model_str item;
    int rc = 0;
    l->level = level_of_choice(o->level);
    l->texts = mem_alloc(levels_n + context_n + 2);
    if (!l->texts)
        return err_set(err, ORIEL_ENOMEM, "log: %s", err_text(ORIEL_ENOMEM));
    memcpy(l->texts, levels, levels_n + 1);
    memcpy(l->texts + levels_n + 1, context, context_n + 1);
    const char *at = l->texts;
    while (rc == 0 && next_item(&at, &item))
        rc = add_directive(l, item, err);
    at = l->texts + levels_n + 1;
    while (rc == 0 && next_item(&at, &item)) {
        struct model_str *key = VEC_PUSH(&l->context);
        if (key)
            *key = item;
        else
            rc = ORIEL_ENOMEM;
    }
    if (rc)
        log_filter_done(l);
    return rc;
}

void log_filter_done(struct log_state *l)
{
    VEC_DONE(&l->directives);
    VEC_DONE(&l->context);
    VEC_DONE(&l->by_site);
    mem_free(l->texts);
    l->texts = NULL;
}

static bool covers(struct model_str directive, struct model_str target)
{
    return target.n >= directive.n && memcmp(target.p, directive.p, directive.n) == 0 &&
           (target.n == directive.n || target.p[directive.n] == '.' ||
            target.p[directive.n] == ':' || target.p[directive.n] == '/');
}

static uint8_t look_up(const struct log_state *l, struct model_str target)
{
    const struct log_directive *best = NULL;
    for (size_t i = 0; i < l->directives.count; i++) {
        const struct log_directive *d = &l->directives.items[i];
        if (covers(d->target, target) && (!best || d->target.n >= best->target.n))
            best = d;
    }
    return best ? best->level : l->level;
}

bool log_filter_shows(struct log_state *l, const struct model_site *s)
{
    while (l->by_site.count <= s->index)
        if (!VEC_PUSH(&l->by_site))
            return s->level >= look_up(l, s->target);
    uint8_t *least = &l->by_site.items[s->index];
    if (!*least)
        *least = look_up(l, s->target);
    return s->level >= *least;
}
