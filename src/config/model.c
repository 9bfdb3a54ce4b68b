/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The model of OpenTelemetry's declarative configuration: the file as a tree, with its
 * references replaced. A program may look into it and change it before telemetry
 * starts by it. Pure; one thread per model.
 */
#include "config/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/state.h"

struct config_model {
    struct arena arena;
    struct yaml_value *root;
};

/* ---- references ---- */

struct references {
    const char *const *environment;
};

static bool name_valid(const char *p, size_t n)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    if (n == 0 || !memchr(letters, *p, sizeof letters - 1))
        return false;
    for (size_t i = 1; i < n; i++)
        if (!memchr(letters, p[i], sizeof letters - 1) && !(p[i] >= '0' && p[i] <= '9'))
            return false;
    return true;
}

/* What stands between "${" and "}": [env:]NAME[:-default]. True: the value came from there. */
static int expand_one(const struct references *r, const char *p, size_t n, struct buf *out,
                      bool *out_set, struct oriel_err *err)
{
    char name[128];
    if (n > 4 && memcmp(p, "env:", 4) == 0) {
        p += 4;
        n -= 4;
    }
    const char *dash = memmem(p, n, ":-", 2);
    size_t name_n = dash ? (size_t)(dash - p) : n;
    if (!name_valid(p, name_n) || name_n >= sizeof name)
        return err_set(err, ORIEL_EFORMAT,
                       "a reference must look like ${NAME} or ${NAME:-default}");
    memcpy(name, p, name_n);
    name[name_n] = 0;
    const char *value = config_variable(r->environment, name);
    *out_set = value != NULL;
    if (value)
        buf_puts(out, value);
    else if (dash)
        buf_put(out, dash + 2, n - name_n - 2);
    return 0;
}

static int expand(void *user, const char *text, size_t n, struct buf *out, bool *out_whole,
                  struct oriel_err *err)
{
    *out_whole = false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '$' || i + 1 == n || (text[i + 1] != '$' && text[i + 1] != '{')) {
            buf_putc(out, text[i]);
            continue;
        }
        i++;
        if (text[i] == '$') {
            buf_putc(out, '$');
            continue;
        }
        const char *start = text + i + 1, *end = memchr(start, '}', n - i - 1);
        bool set = false;
        if (!end)
            return err_set(err, ORIEL_EFORMAT, "a reference without its }");
        int rc = expand_one(user, start, (size_t)(end - start), out, &set, err);
        if (rc < 0)
            return rc;
        *out_whole = set && i == 1 && end + 1 == text + n;
        i = (size_t)(end - text);
    }
    return 0;
}

static bool format_known(const char *text)
{
    static const char *const known[] = {"0.3", "0.4", "1.0", "1.1", NULL};
    for (const char *const *k = known; *k; k++)
        if (strncmp(text, *k, 3) == 0 && (!text[3] || text[3] == '-' || text[3] == '.'))
            return true;
    return false;
}

int config_declarative_read(struct arena *arena, const char *file, const char *text, size_t n,
                            const char *const *environment, struct yaml_value **out,
                            struct oriel_err *err)
{
    struct references references = {environment};
    const struct yaml_options how = {.name = file, .expand = expand, .user = &references};
    struct yaml_value *root;
    int rc = yaml_read(arena, text, n, &how, &root, err);
    if (rc < 0)
        return rc;
    const struct yaml_value *format = yaml_get(root, "file_format");
    if (!format || !config_model_scalar(format) || !format_known(format->text))
        return err_set(err, ORIEL_EFORMAT, "%s:%u: file_format has to be 0.3, 0.4, 1.0 or 1.1",
                       file, format ? format->line : root->line);
    *out = root;
    return 0;
}

/* ---- the model ---- */

bool config_model_scalar(const struct yaml_value *v)
{
    return v->type != YAML_SEQUENCE && v->type != YAML_MAPPING;
}

int config_model_parse(struct config_model **out, const char *name, const char *text, size_t n,
                       const char *const *environment, struct oriel_err *err)
{
    assert(out && name && text);
    struct config_model *m = mem_calloc(1, sizeof *m);
    if (!m)
        return err_set(err, ORIEL_ENOMEM, "%s: %s", name, err_text(ORIEL_ENOMEM));
    arena_init(&m->arena);
    int rc = config_declarative_read(&m->arena, name, text, n, environment, &m->root, err);
    if (rc < 0)
        config_model_free(m);
    else
        *out = m;
    return rc;
}

void config_model_free(struct config_model *m)
{
    if (!m)
        return;
    arena_done(&m->arena);
    mem_free(m);
}

const struct yaml_value *config_model_root(const struct config_model *m)
{
    return m->root;
}

/* The member that the first word of a path means; a number is a place in a list. */
static struct yaml_value *member_of(const struct yaml_value *v, const char *word, size_t n)
{
    size_t index = 0;
    char *end = NULL;
    if (v->type == YAML_SEQUENCE) {
        const unsigned long at = strtoul(word, &end, 10);
        if (end != word + n)
            return NULL;
        for (struct yaml_value *m = v->first; m; m = m->next)
            if (index++ == at)
                return m;
        return NULL;
    }
    for (struct yaml_value *m = v->first; v->type == YAML_MAPPING && m; m = m->next)
        if (strlen(m->key) == n && memcmp(m->key, word, n) == 0)
            return m;
    return NULL;
}

const struct yaml_value *config_model_at(const struct yaml_value *root, const char *path)
{
    const struct yaml_value *v = root;
    while (v && *path) {
        const size_t n = strcspn(path, ".");
        v = member_of(v, path, n);
        path += n + (path[n] == '.');
    }
    return v;
}

/* ---- changes ---- */

static struct yaml_value *append(struct config_model *m, struct yaml_value *to, const char *key,
                                 size_t n)
{
    struct yaml_value **end = &to->first;
    struct yaml_value *made = arena_alloc(&m->arena, sizeof *made, _Alignof(struct yaml_value));
    const char *name = arena_copy(&m->arena, key, to->type == YAML_MAPPING ? n : 0);
    if (!made || !name)
        return NULL;
    while (*end)
        end = &(*end)->next;
    *made = (struct yaml_value){.type = YAML_NULL, .key = name, .text = "", .line = to->line};
    *end = made;
    to->count++;
    return made;
}

/* The place of a path, made where there is none: tables in tables, and the next of a list.
 * A part that is checked first changes nothing where the path cannot be. */
static int place_of(struct config_model *m, const char *path, struct yaml_value **out)
{
    struct yaml_value *v = m->root;
    while (*path) {
        const size_t n = strcspn(path, ".");
        char *end;
        if (n == 0)
            return ORIEL_EINVAL;
        if (v->type == YAML_NULL)
            v->type = YAML_MAPPING;
        struct yaml_value *next = member_of(v, path, n);
        if (!next && v->type == YAML_SEQUENCE &&
            (strtoul(path, &end, 10) != v->count || end != path + n))
            return ORIEL_EINVAL;
        if (!next && config_model_scalar(v))
            return ORIEL_EINVAL;
        if (!next && !(next = append(m, v, path, n)))
            return ORIEL_ENOMEM;
        v = next;
        path += n + (path[n] == '.');
    }
    *out = v;
    return v == m->root ? ORIEL_EINVAL : 0;
}

int config_model_set(struct config_model *m, const char *path, const char *text,
                     struct oriel_err *err)
{
    const struct yaml_options how = {.name = path};
    struct yaml_value *value, *place;
    if (!text[strspn(text, " \n")]) /* a document of nothing is none, a value of nothing is null */
        text = "null";
    int rc = yaml_read(&m->arena, text, strlen(text), &how, &value, err);
    if (rc < 0)
        return rc;
    rc = place_of(m, path, &place);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", path, err_text(rc));
    struct yaml_value was = *place;
    *place = *value;
    place->key = was.key;
    place->next = was.next;
    place->line = was.line;
    return 0;
}

struct yaml_value *config_model_copy(struct arena *arena, const struct yaml_value *from)
{
    struct yaml_value *to = arena_alloc(arena, sizeof *to, _Alignof(struct yaml_value));
    if (!to)
        return NULL;
    *to = *from;
    to->key = arena_copy(arena, from->key, strlen(from->key));
    to->text = from->text ? arena_copy(arena, from->text, strlen(from->text)) : NULL;
    to->first = NULL;
    if (!to->key || (from->text && !to->text))
        return NULL;
    struct yaml_value **end = &to->first;
    for (const struct yaml_value *m = from->first; m; m = m->next) {
        if (!(*end = config_model_copy(arena, m))) /* as deep as yaml_read lets it be */
            return NULL;
        end = &(*end)->next;
        *end = NULL;
    }
    return to;
}
