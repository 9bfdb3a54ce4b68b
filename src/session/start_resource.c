/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a start finds out of the program it is in: at once, and, from a cloud, later
 * on the thread that drains. Only the first reads the environment.
 */
#include "session/start_resource.h"

#include <assert.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "config/otlp.h"
#include "export/resource.h"
#include "session/artifact.h"
#include "session/published.h"
#include "session/told_resource.h"

static unsigned detectors_of(const struct config_telemetry *t)
{
    return t->resource == CONFIG_RESOURCE_EMPTY ? 0 : resource_detectors(t->detectors);
}

static int put_key(void *keys, const char *key, const char *value)
{
    (void)value;
    buf_printf(keys, "%s\n", key);
    return 0;
}

/* Which attributes are all of a resource that began empty. */
static void note_said(const struct config_telemetry *t, struct model_catalog *c)
{
    struct buf keys;
    buf_init(&keys);
    buf_putc(&keys, '\n');
    (void)config_pairs_read(t->resource_attributes, CONFIG_PAIRS_ATTRIBUTES, put_key, &keys, NULL);
    if (t->service_name[0])
        buf_puts(&keys, "service.name\n");
    (void)artifact_set(c, EXPORT_RESOURCE_SAID, buf_cstr(&keys));
    buf_done(&keys);
}

/* A set-uid program takes no orders from its environment. */
static struct resource_input wish_of(const struct config_telemetry *t,
                                     const char *const *environment)
{
    const bool secure = getauxval(AT_SECURE) != 0;
    return (struct resource_input){.root = "",
                                   .environment = secure ? NULL : environment,
                                   .detectors = detectors_of(t),
                                   .attributes = t->resource_attributes,
                                   .service_name = t->service_name,
                                   .pid = os_getpid()};
}

void start_resource(const struct config_telemetry *t, const char *const *environment,
                    struct model_catalog *c, struct resource *out_said)
{
    struct resource found = {.schema_url = ""};
    struct resource_input in = wish_of(t, environment);
    char exe[512] = ""; /* all zero: what readlink writes has its end */
    assert(out_said->attrs.count == 0);
    (void)!readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (in.detectors & RESOURCE_HOST)
        (void)artifact_host(c);
    if (exe[0])
        (void)artifact_command(c, exe, (char *[]){exe, NULL});
    resource_find(&found, &in);
    (void)resource_apply(&found, c);
    resource_done(&found);
    if (t->resource == CONFIG_RESOURCE_EMPTY)
        note_said(t, c);
    if (in.detectors & RESOURCE_CLOUD) {
        in.detectors = 0;
        resource_find(out_said, &in);
    }
}

void start_resource_cloud(const struct resource *said, const struct config_telemetry *t,
                          struct model_catalog *c)
{
    const unsigned detectors = detectors_of(t);
    struct resource found = {.schema_url = ""};
    if (!(detectors & RESOURCE_CLOUD))
        return;
    resource_find_cloud(&found, detectors, t->cloud_endpoint,
                        clock_mono_ns() + RESOURCE_CLOUD_MS * UINT64_C(1000000));
    resource_merge(&found, said);
    (void)told_resource_apply(&found, c);
    published_set(c);
    resource_done(&found);
}
