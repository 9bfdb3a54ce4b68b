/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who telemetry is from (resource/sdk.md): detectors, each of which finds what it
 * can and never fails, what the environment says, and the name of the service, one
 * upon the other. Files are read below a root, so that tests have machines of
 * their own. One thread per call.
 */
#ifndef ORIEL_SESSION_RESOURCE_H
#define ORIEL_SESSION_RESOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/catalog.h"

#define RESOURCE_SCHEMA_URL "https://opentelemetry.io/schemas/1.34.0"
#define RESOURCE_CLOUD_ENDPOINT "http://169.254.169.254"
#define RESOURCE_CLOUD_MS 300u /* for all of the cloud's answers together */

struct resource_attr {
    char key[128];
    char value[512]; /* longer ones are cut at a character */
};
struct resource {
    VEC(struct resource_attr) attrs; /* each key once */
    char schema_url[128];            /* "" none */
    bool conflict;                   /* two schema URLs met: that of the first is kept */
    bool no_memory;
};
void resource_done(struct resource *r);
/* Of an empty key or value nothing is kept. */
void resource_set(struct resource *r, const char *key, const char *value);
const char *resource_get(const struct resource *r, const char *key); /* "" none */
/* `upper` onto `r`: its values win; a schema URL counts where the other has none. */
void resource_merge(struct resource *r, const struct resource *upper);

enum resource_detector {
    RESOURCE_PROCESS = 1,
    RESOURCE_HOST = 2,
    RESOURCE_OS = 4,
    RESOURCE_CONTAINER = 8,
    RESOURCE_K8S = 16,
    RESOURCE_AWS = 32,
    RESOURCE_GCP = 64,
    RESOURCE_AZURE = 128,
    RESOURCE_CLOUD = RESOURCE_AWS | RESOURCE_GCP | RESOURCE_AZURE
};
/* Of a comma list, as the key `detectors` has it. */
unsigned resource_detectors(const char *list);

struct resource_input {
    const char *root; /* before every path; "" is the machine */
    const char *const *environment;
    unsigned detectors;       /* the cloud's are not asked here */
    const char *attributes;   /* as OTEL_RESOURCE_ATTRIBUTES; "" */
    const char *service_name; /* "" */
    int32_t pid;              /* of the process, in that root's proc */
};
/* All of it together. What is wrong with the attributes is said while they are
 * loaded; here they are left out. */
void resource_find(struct resource *r, const struct resource_input *in);

/* One detector each; what is not known is left out. */
void resource_find_process(struct resource *r, const struct resource_input *in);
void resource_find_host(struct resource *r, const struct resource_input *in);
void resource_find_os(struct resource *r, const struct resource_input *in);
void resource_find_container(struct resource *r, const struct resource_input *in);
void resource_find_k8s(struct resource *r, const struct resource_input *in);

/* The clouds in `detectors` are asked at `endpoint`, until one answers or the
 * deadline (monotonic) has passed. Blocks that long: not on a thread of the program. */
void resource_find_cloud(struct resource *r, unsigned detectors, const char *endpoint,
                         uint64_t deadline_ns);

/* Into the catalog, where outlets find it. 0 or ORIEL_ENOMEM. */
int resource_apply(const struct resource *r, struct model_catalog *c);

#endif
