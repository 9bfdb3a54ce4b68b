/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The declarative configuration as programs see it (oriel/config.h). One thread per
 * config.
 */
#include "session/program_config.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "config/config.h"
#include "session/inprocess.h"

static int tell(const struct oriel_err *err, int rc, char *why, size_t size)
{
    if (rc < 0 && why && size)
        snprintf(why, size, "%s", err->text);
    return rc;
}

int oriel_inprocess_config_parse_text(struct oriel_config **out, const char *name, const char *text,
                                      size_t n, char *why, size_t size)
{
    struct oriel_err err = {0};
    if (!out || !text)
        return ORIEL_EINVAL;
    struct oriel_config *c = mem_calloc(1, sizeof *c);
    if (!c)
        return ORIEL_ENOMEM;
    int rc = config_model_parse(&c->model, name ? name : "configuration", text, n,
                                (const char *const *)environ, &err);
    if (rc < 0) {
        mem_free(c);
        return tell(&err, rc, why, size);
    }
    c->root = config_model_root(c->model);
    *out = c;
    return 0;
}

int oriel_inprocess_config_parse(struct oriel_config **out, const char *path, char *why,
                                 size_t size)
{
    struct oriel_err err = {0};
    struct buf text;
    if (!out || !path)
        return ORIEL_EINVAL;
    buf_init(&text);
    int rc = tell(&err, config_read_file(path, true, &text, &err), why, size);
    if (rc == 0)
        rc = oriel_inprocess_config_parse_text(out, path, buf_cstr(&text), text.size, why, size);
    buf_done(&text);
    return rc;
}

void oriel_inprocess_config_free(struct oriel_config *c)
{
    if (!c)
        return;
    assert(c->model);
    config_model_free(c->model);
    mem_free(c);
}

const char *oriel_inprocess_config_get(const struct oriel_config *c, const char *path)
{
    const struct yaml_value *v = c && path ? config_model_at(c->root, path) : NULL;
    if (!v || !config_model_scalar(v))
        return NULL;
    return v->type == YAML_NULL || !v->text ? "" : v->text;
}

const char *oriel_inprocess_config_name(const struct oriel_config *c, const char *path, size_t i)
{
    const struct yaml_value *v = c && path ? config_model_at(c->root, path) : NULL;
    const struct yaml_value *m = v ? v->first : NULL;
    while (m && i--)
        m = m->next;
    return m ? m->key : NULL;
}

int oriel_inprocess_config_set(struct oriel_config *c, const char *path, const char *yaml)
{
    if (!c || !c->model || !path || !yaml)
        return ORIEL_EINVAL;
    return config_model_set(c->model, path, yaml, NULL);
}
