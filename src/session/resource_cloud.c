/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Asks the metadata service of a cloud what machine this is. Off unless wanted:
 * elsewhere the address answers nothing, or somebody else does. Plain HTTP to
 * one endpoint, no proxy, no redirect, small replies, one deadline over all.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "session/resource.h"
#include "util/http_client.h"
#include "util/json.h"

enum { REPLY_BYTES = 64 << 10 };

struct cloud {
    struct http_client *client;
    uint64_t deadline_ns;
    struct resource *out;
    struct arena *arena;
};

/* The body of a reply with status 200, until the next call; false: none. */
static bool ask(struct cloud *c, const char *method, const char *target,
                const struct http_header *header, struct http_reply *out)
{
    struct oriel_err unused;
    const struct http_request r = {
        .size = sizeof r, .method = method, .target = target, .headers = header, .header_count = 1};
    return http_client_call(c->client, &r, c->deadline_ns, out, &unused) == 0 &&
           out->head.status == 200 && !out->cut && out->body_n > 0;
}

static struct http_header header_of(const char *name, const char *value, size_t n)
{
    return (struct http_header){.name = name, .value = value, .name_n = strlen(name), .value_n = n};
}

static struct json_value *parse(struct cloud *c, const struct http_reply *reply)
{
    struct json_value *root = NULL;
    struct oriel_err unused;
    return json_read(c->arena, reply->body, reply->body_n, NULL, &root, &unused) == 0 ? root : NULL;
}

static void put_cloud(struct cloud *c, const char *provider, const char *platform)
{
    resource_set(c->out, "cloud.provider", provider);
    resource_set(c->out, "cloud.platform", platform);
}

/* What a cloud calls what everybody calls by the key. */
struct row {
    const char *key, *name; /* the last: NULL */
};

static void put_all(struct cloud *c, const struct json_value *from, const struct row *rows)
{
    for (; rows->key; rows++)
        resource_set(c->out, rows->key, json_get_string(from, rows->name, ""));
}

/* ---- the three ---- */

static bool ask_aws(struct cloud *c)
{
    char token[512];
    struct http_reply reply;
    struct http_header ttl = header_of("X-aws-ec2-metadata-token-ttl-seconds", "60", 2);
    if (!ask(c, "PUT", "/latest/api/token", &ttl, &reply) || reply.body_n >= sizeof token ||
        !http_value_valid(reply.body, reply.body_n))
        return false;
    size_t n = reply.body_n;
    memcpy(token, reply.body, n);
    struct http_header header = header_of("X-aws-ec2-metadata-token", token, n);
    if (!ask(c, "GET", "/latest/dynamic/instance-identity/document", &header, &reply))
        return false;
    const struct json_value *v = parse(c, &reply);
    if (!json_get_string(v, "instanceId", "")[0])
        return false;
    static const struct row rows[] = {{"cloud.region", "region"},
                                      {"cloud.availability_zone", "availabilityZone"},
                                      {"cloud.account.id", "accountId"},
                                      {"host.id", "instanceId"},
                                      {"host.type", "instanceType"},
                                      {"host.image.id", "imageId"},
                                      {NULL, NULL}};
    put_cloud(c, "aws", "aws_ec2");
    put_all(c, v, rows);
    return true;
}

/* "projects/123/zones/europe-west1-b" and the like: what stands behind the last slash. */
static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool ask_gcp(struct cloud *c)
{
    struct http_reply reply;
    struct http_header header = header_of("Metadata-Flavor", "Google", 6);
    char region[64];
    if (!ask(c, "GET", "/computeMetadata/v1/project/project-id", &header, &reply))
        return false;
    snprintf(region, sizeof region, "%.*s", (int)(reply.body_n < 63 ? reply.body_n : 63),
             reply.body);
    resource_set(c->out, "cloud.account.id", region);
    if (!ask(c, "GET", "/computeMetadata/v1/instance/?recursive=true&alt=json", &header, &reply))
        return false;
    const struct json_value *v = parse(c, &reply), *id = json_get(v, "id");
    const char *zone = last_part(json_get_string(v, "zone", ""));
    if (!zone[0])
        return false;
    put_cloud(c, "gcp", "gcp_compute_engine");
    resource_set(c->out, "cloud.availability_zone", zone);
    const char *dash = strrchr(zone, '-');
    snprintf(region, sizeof region, "%.*s", (int)(dash ? dash - zone : 0), zone);
    resource_set(c->out, "cloud.region", region);
    resource_set(c->out, "host.id", id ? id->text : ""); /* a number: as it is written */
    resource_set(c->out, "host.name", json_get_string(v, "name", ""));
    resource_set(c->out, "host.type", last_part(json_get_string(v, "machineType", "")));
    return true;
}

static bool ask_azure(struct cloud *c)
{
    struct http_reply reply;
    struct http_header header = header_of("Metadata", "true", 4);
    if (!ask(c, "GET", "/metadata/instance/compute?api-version=2021-02-01&format=json", &header,
             &reply))
        return false;
    const struct json_value *v = parse(c, &reply);
    if (!json_get_string(v, "vmId", "")[0])
        return false;
    static const struct row rows[] = {{"cloud.region", "location"},
                                      {"cloud.account.id", "subscriptionId"},
                                      {"cloud.resource_id", "resourceId"},
                                      {"host.id", "vmId"},
                                      {"host.name", "name"},
                                      {"host.type", "vmSize"},
                                      {NULL, NULL}};
    put_cloud(c, "azure", "azure_vm");
    put_all(c, v, rows);
    return true;
}

void resource_find_cloud(struct resource *r, unsigned detectors, const char *endpoint,
                         uint64_t deadline_ns)
{
    static const struct {
        unsigned detector;
        bool (*ask)(struct cloud *c);
    } clouds[] = {{RESOURCE_AWS, ask_aws}, {RESOURCE_GCP, ask_gcp}, {RESOURCE_AZURE, ask_azure}};
    struct arena arena;
    struct buf authority;
    struct http_url url;
    struct oriel_err unused;
    if (http_url_read(endpoint, &url, &unused) < 0 || url.scheme != HTTP_PLAIN)
        return;
    buf_init(&authority);
    http_url_authority(&url, &authority);
    const struct http_client_options how = {
        .size = sizeof how,
        .stream = {.size = sizeof how.stream, .host = url.host, .port = url.port},
        .authority = buf_cstr(&authority),
        .body_max = REPLY_BYTES};
    struct http_client *client = NULL;
    arena_init(&arena);
    bool found = http_client_new(&client, &how, &unused) < 0;
    for (size_t i = 0; !found && i < sizeof clouds / sizeof *clouds; i++) {
        struct resource of_cloud = {.schema_url = RESOURCE_SCHEMA_URL};
        struct cloud c = {client, deadline_ns, &of_cloud, &arena};
        if ((detectors & clouds[i].detector) && clock_mono_ns() < deadline_ns)
            found = clouds[i].ask(&c);
        if (found)
            resource_merge(r, &of_cloud);
        resource_done(&of_cloud);
    }
    http_client_free(client);
    arena_done(&arena);
    buf_done(&authority);
}
