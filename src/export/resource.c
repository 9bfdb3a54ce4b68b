/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The resource of a process out of the catalog: what the recording is described by,
 * with what differs from process to process. Pure; one thread.
 */
#include "export/resource.h"

#include <assert.h>
#include <string.h>

#include "base/instance.h"

struct telling {
    const struct export_env *env;
    export_resource_fn *each;
    void *user;
};

static struct model_str str(const char *s)
{
    return (struct model_str){s, (uint32_t)strlen(s)};
}

static void tell_text(const struct telling *t, struct model_str key, struct model_str text)
{
    const struct model_value v = {
        .key = key, .type = ORIEL_TYPE_STR, .full_bytes = text.n, .v.str = text};
    t->each(t->user, &v);
}

static void tell_number(const struct telling *t, const char *key, int64_t n)
{
    const struct model_value v = {.key = str(key), .type = ORIEL_TYPE_I64, .v.i64 = n};
    t->each(t->user, &v);
}

/* Of the recording, but not of each of its processes; and the command line, which
 * holds what people type: OpenTelemetry has it as opt-in. */
static bool is_left_out(struct model_str key)
{
    /* of the recorder, not of who is recorded: they change while it runs */
    static const char *const own[] = {"otel.sdk.", "oriel.reload."};
    static const char *const keys[] = {
        "service.name",        "service.instance.id",     "process.pid",
        "process.parent_pid",  "process.executable.path", "process.executable.name",
        "process.command_args"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (model_str_equal(key, str(keys[i])))
            return true;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (key.n >= strlen(own[i]) && memcmp(key.p, own[i], strlen(own[i])) == 0)
            return true;
    return false;
}

static struct model_str said_id(const struct model_catalog *c)
{
    return model_catalog_resource(c, "service.instance.id");
}

/* An instance is one process of one recording: known by what the process said of itself, if that
 * is how it was met, which it can work out as well as we do; else by the recording. What a person
 * said is of one process: a child is another instance than it is told to be. */
static struct model_str id_of(const struct model_catalog *c, uint32_t process,
                              char room[INSTANCE_TEXT])
{
    const struct model_process *p = c->processes[process];
    const bool said = c->said_pid ? p->pid == c->said_pid : process == 0;
    if (said && said_id(c).n)
        return said_id(c);
    if (p->seed[0] || p->seed[1])
        instance_id(p->seed, 0, room);
    else
        instance_id(c->session_id, process, room);
    return str(room);
}

bool export_resource_is_empty(const struct model_catalog *c)
{
    return model_catalog_resource(c, EXPORT_RESOURCE_SAID).n > 0;
}

bool export_resource_tells(const struct model_catalog *c, struct model_str key)
{
    struct model_str said = model_catalog_resource(c, EXPORT_RESOURCE_SAID);
    for (uint32_t i = 0; i + key.n + 1 < said.n; i++)
        if (said.p[i] == '\n' && said.p[i + key.n + 1] == '\n' &&
            memcmp(said.p + i + 1, key.p, key.n) == 0)
            return true;
    return said.n == 0;
}

/* What was said of a resource that began empty; of an id only where one is given. */
static void tell_said(const struct telling *t, struct model_str id)
{
    const struct model_catalog *c = t->env->catalog;
    for (uint32_t i = 0; i < c->resource_count; i++) {
        const struct model_attr_text *a = &c->resource[i];
        const bool is_id = model_str_equal(a->key, str("service.instance.id"));
        if (export_resource_tells(c, a->key) && (!is_id || id.n))
            tell_text(t, a->key, is_id ? id : a->value);
    }
}

static void tell_common(const struct telling *t, struct model_str id)
{
    const struct model_catalog *c = t->env->catalog;
    tell_text(t, MODEL_STR("service.name"), str(t->env->service_name));
    if (id.n)
        tell_text(t, MODEL_STR("service.instance.id"), id);
    tell_text(t, MODEL_STR("telemetry.sdk.name"), MODEL_STR("oriel"));
    tell_text(t, MODEL_STR("telemetry.sdk.language"), MODEL_STR("c"));
    tell_text(t, MODEL_STR("telemetry.sdk.version"), str(t->env->version));
    for (uint32_t i = 0; i < c->resource_count; i++)
        if (!is_left_out(c->resource[i].key))
            tell_text(t, c->resource[i].key, c->resource[i].value);
}

static void tell_program(const struct telling *t, const struct model_process *p)
{
    if (p->exe.n)
        tell_text(t, MODEL_STR("process.executable.path"), p->exe);
    if (p->name.n)
        tell_text(t, MODEL_STR("process.executable.name"), p->name);
}

void export_resource_each(const struct export_env *env, uint32_t process, export_resource_fn *each,
                          void *user)
{
    const struct telling t = {env, each, user};
    char room[INSTANCE_TEXT];
    assert(env && each && process < env->catalog->process_count);
    const struct model_process *p = env->catalog->processes[process];
    for (uint32_t i = 0; p->told && i < p->told->attr_count; i++)
        each(user, &p->told->attrs[i]);
    if (p->told)
        return;
    const struct model_str id = id_of(env->catalog, process, room);
    if (export_resource_is_empty(env->catalog)) {
        tell_said(&t, id);
        return;
    }
    tell_common(&t, id);
    tell_number(&t, "process.pid", p->pid);
    if (p->ppid > 0)
        tell_number(&t, "process.parent_pid", p->ppid);
    tell_program(&t, p);
}

void export_resource_shared(const struct export_env *env, const struct model_process *program,
                            export_resource_fn *each, void *user)
{
    const struct telling t = {env, each, user};
    assert(env && program && each);
    if (export_resource_is_empty(env->catalog)) {
        tell_said(&t, MODEL_STR(""));
        return;
    }
    tell_common(&t, MODEL_STR(""));
    tell_program(&t, program);
}

struct model_str export_resource_id(const struct model_catalog *c)
{
    const bool told = export_resource_tells(c, str("service.instance.id"));
    return told ? said_id(c) : MODEL_STR("");
}
