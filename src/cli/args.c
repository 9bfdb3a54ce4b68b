/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The parser: option tables in, a filled options struct out. Options may stand
 * anywhere before "--"; a command that starts a program stops at its name.
 */
#include "cli/cli.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "util/left_out.h"

/* An option found in one of the two tables. */
struct found {
    const struct option_def *def;
    void *options;
    bool negated; /* --no-NAME of a switch */
};

struct parser {
    struct cli_args *a;
    char **words;
    int count, at;
    struct oriel_err *err;
};

static void to_snake(const char *name, size_t n, char *out, size_t out_n)
{
    assert(out_n > 0);
    n = n < out_n - 1 ? n : out_n - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = name[i] == '-' ? '_' : name[i];
    out[n] = 0;
}

static bool look_up(const struct cli_args *a, const char *name, struct found *out)
{
    const struct option_def *own = a->call.command->options;
    out->def = own ? option_find(own, name, strlen(name)) : NULL;
    out->options = a->options;
    if (!out->def && a->call.outlet && a->call.outlet->options) {
        out->def = option_find(a->call.outlet->options, name, strlen(name));
        out->options = a->outlet_options;
    }
    return out->def != NULL;
}

static bool look_up_letter(const struct cli_args *a, char letter, struct found *out)
{
    const struct option_def *tables[] = {a->call.command->options,
                                         a->call.outlet ? a->call.outlet->options : NULL};
    void *options[] = {a->options, a->outlet_options};
    for (int t = 0; t < 2; t++)
        for (const struct option_def *d = tables[t]; d && d->name; d++)
            if (d->letter == letter) {
                *out = (struct found){d, options[t], false};
                return true;
            }
    return false;
}

static int unknown_option(const struct parser *p, const char *snake, const char *shown)
{
    const struct option_def *near = NULL;
    if (p->a->call.command->options)
        near = option_nearest(p->a->call.command->options, snake);
    if (!near && p->a->call.outlet && p->a->call.outlet->options)
        near = option_nearest(p->a->call.outlet->options, snake);
    char flag[80];
    if (near) {
        cli_option_flag(near, flag, sizeof flag);
        return err_set(p->err, ORIEL_EINVAL, "unknown option \"%s\"; did you mean %s?", shown,
                       flag);
    }
    return err_set(p->err, ORIEL_EINVAL, "unknown option \"%s\"; oriel %s --help lists them", shown,
                   p->a->call.command->name);
}

/* Tables say their own names, and people on a command line another one. */
static const char *without_name(const struct option_def *d, const char *text)
{
    const size_t n = strlen(d->name);
    return strncmp(text, d->name, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

/* Give a found option its value: inline, the next word, or "true". */
static int apply(struct parser *p, const struct found *f, const char *shown, const char *value)
{
    if (f->negated && value)
        return err_set(p->err, ORIEL_EINVAL, "%s takes no value", shown);
    if (!value && f->def->type == OPTION_BOOL)
        value = f->negated ? "false" : "true";
    if (!value) {
        if (p->at >= p->count)
            return err_set(p->err, ORIEL_EINVAL, "%s needs a value", shown);
        value = p->words[p->at++];
    }
    if (f->def->filled && !*value)
        return err_set(p->err, ORIEL_EINVAL, "%.*s is empty: leave it out, or say which %s",
                       (int)strcspn(shown, "="), shown, f->def->arg ? f->def->arg : "text");
    struct oriel_err why = {0};
    int rc = option_set(f->def, f->options, value, &why);
    char flag[80];
    cli_option_flag(f->def, flag, sizeof flag);
    if (rc < 0)
        err_set(p->err, rc, "%s: %.400s", flag, without_name(f->def, why.text));
    return rc;
}

static int long_option(struct parser *p, const char *word)
{
    const char *name = word + 2;
    const char *equals = strchr(name, '=');
    char snake[64];
    struct found f = {0};
    to_snake(name, equals ? (size_t)(equals - name) : strlen(name), snake, sizeof snake);
    if (strcmp(snake, "help") == 0) {
        p->a->help = true;
        return 0;
    }
    if (!look_up(p->a, snake, &f)) {
        f.negated = strncmp(snake, "no_", 3) == 0 && look_up(p->a, snake + 3, &f) &&
                    f.def->type == OPTION_BOOL;
        if (!f.negated)
            f.def = NULL;
    }
    if (!f.def)
        return unknown_option(p, snake, word);
    return apply(p, &f, word, equals ? equals + 1 : NULL);
}

/* -o VALUE, -oVALUE, and switches in a row: -tj. */
static int short_options(struct parser *p, const char *word)
{
    for (const char *c = word + 1; *c; c++) {
        struct found f = {0};
        const char shown[] = {'-', *c, 0};
        if (*c == 'h') {
            p->a->help = true;
            continue;
        }
        if (!look_up_letter(p->a, *c, &f))
            return unknown_option(p, shown + 1, shown);
        if (f.def->type != OPTION_BOOL)
            return apply(p, &f, shown, c[1] ? c + 1 : NULL);
        int rc = apply(p, &f, shown, NULL);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* --to is needed before the rest, since it brings options of its own. */
static const char *peek_outlet(const struct parser *p)
{
    for (int i = 0; i < p->count; i++) {
        const char *w = p->words[i];
        if (strcmp(w, "--") == 0)
            break;
        if (strncmp(w, "--to=", 5) == 0)
            return w + 5;
        if (strcmp(w, "--to") == 0 && i + 1 < p->count)
            return p->words[i + 1];
    }
    return NULL;
}

/* Its options are not unknown, but left out with it. */
static int say_left_out(const char *list, struct oriel_err *err)
{
    char why[LEFT_OUT_WHY_BYTES];
    for (const char *p = list; p && *p; p += *p == ',') {
        const size_t n = strcspn(p, ",");
        if (left_out_find("EXPORTER", p, n, why))
            return err_set(err, ORIEL_EINVAL, "--to %.*s: %s", (int)n, p, why);
        p += n;
    }
    return ORIEL_EINVAL;
}

static int make_options(const struct option_def *defs, size_t size, void **out)
{
    *out = mem_calloc(1, size ? size : 1);
    if (!*out)
        return ORIEL_ENOMEM;
    return defs ? option_defaults(defs, *out) : 0;
}

/* What the environment says stands before the defaults, and behind the command line. */
static int take_variables(const struct option_def *defs, void *options, struct oriel_err *err)
{
    for (; defs && defs->name; defs++) {
        struct oriel_err why = {0};
        const char *text = defs->variable ? getenv(defs->variable) : NULL;
        int rc = text && text[0] ? option_set(defs, options, text, &why) : 0;
        if (rc < 0)
            return err_set(err, rc, "$%s: %.400s", defs->variable, without_name(defs, why.text));
    }
    return 0;
}

static int prepare(struct parser *p)
{
    struct cli_args *a = p->a;
    const struct cli_command *c = a->call.command;
    int rc = make_options(c->options, c->options_size, &a->options);
    if (rc == 0 && c->outlet) {
        const char *name = peek_outlet(p);
        a->call.outlet = name ? export_find(name) : c->program ? export_find("capture") : NULL;
        if (a->call.outlet)
            rc = make_options(a->call.outlet->options, a->call.outlet->options_size,
                              &a->outlet_options);
    }
    a->call.args = rc == 0 ? mem_calloc((size_t)p->count + 1, sizeof(char *)) : NULL;
    if (rc < 0 || !a->call.args)
        return err_set(p->err, rc < 0 ? rc : ORIEL_ENOMEM, "out of memory");
    a->call.options = a->options;
    a->call.outlet_options = a->outlet_options;
    rc = take_variables(c->options, a->options, p->err);
    if (rc == 0 && a->call.outlet)
        rc = take_variables(a->call.outlet->options, a->outlet_options, p->err);
    return rc;
}

static void take_rest(struct parser *p)
{
    while (p->at < p->count)
        p->a->call.args[p->a->call.arg_count++] = p->words[p->at++];
}

static int parse_words(struct parser *p)
{
    struct cli_call *call = &p->a->call;
    while (p->at < p->count) {
        char *word = p->words[p->at++];
        int rc = 0;
        if (strcmp(word, "--") == 0 && call->command->sides) {
            call->args[call->arg_count++] = word;
            if (call->command->program)
                take_rest(p);
        } else if (strcmp(word, "--") == 0) {
            take_rest(p);
        } else if (word[0] != '-' || word[1] == 0) {
            call->args[call->arg_count++] = word;
            if (call->command->program && !call->command->sides)
                take_rest(p);
        } else if (word[1] == '-') {
            rc = long_option(p, word);
        } else {
            rc = short_options(p, word);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

int cli_args_parse(struct cli_args *a, const struct cli_command *command, int argc, char **argv,
                   struct oriel_err *err)
{
    assert(a && command && argc >= 0);
    *a = (struct cli_args){.call.command = command};
    struct parser p = {.a = a, .words = argv, .count = argc, .err = err};
    int rc = prepare(&p);
    if (rc == 0)
        rc = parse_words(&p);
    if (rc == ORIEL_EINVAL && command->outlet)
        rc = say_left_out(peek_outlet(&p), err);
    if (rc < 0 || a->help)
        return rc;
    if (a->call.arg_count < command->min_args)
        return err_set(err, ORIEL_EINVAL, "%s is missing; oriel %s --help shows how", command->args,
                       command->name);
    if (command->max_args >= 0 && a->call.arg_count > command->max_args)
        return err_set(err, ORIEL_EINVAL, "\"%s\" is one argument too many",
                       a->call.args[command->max_args]);
    return 0;
}

void cli_args_done(struct cli_args *a)
{
    if (a->options && a->call.command->options)
        option_done(a->call.command->options, a->options);
    if (a->outlet_options && a->call.outlet->options)
        option_done(a->call.outlet->options, a->outlet_options);
    mem_free(a->options);
    mem_free(a->outlet_options);
    mem_free(a->call.args);
}
