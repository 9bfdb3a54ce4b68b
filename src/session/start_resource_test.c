/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a program is told to be at its start stands above what a cloud says of it later. */
#include <unistd.h>

#include "session/start_resource.h"

#include <stdlib.h>

#include "base/mem.h"
#include "export/resource.h"
#include "peer.h"
#include "session/told_resource.h"
#include "test.h"

static void answer(int fd, unsigned which, void *unused)
{
    static const char body[] = "{\"location\":\"west\",\"vmId\":\"id\",\"name\":\"of-the-cloud\"}";
    char request[2000], head[100];
    (void)which;
    (void)unused;
    if (!peer_read_until(fd, "\r\n\r\n", request, sizeof request))
        return;
    snprintf(head, sizeof head, "HTTP/1.1 200 X\r\nContent-Length: %zu\r\n\r\n", sizeof body - 1);
    peer_send(fd, head);
    peer_send(fd, body);
}

static struct config_telemetry telemetry(const char *detectors, const char *endpoint)
{
    return (struct config_telemetry){.detectors = detectors,
                                     .cloud_endpoint = endpoint,
                                     .resource_attributes = "host.name=mine,team=shop",
                                     .service_name = "tested"};
}

static const char *told(struct model_catalog *c, const char *key)
{
    struct model_str s = model_catalog_resource(c, key);
    return s.n ? s.p : "";
}

static uint32_t told_count;
static char told_last[64];
static void count_told(void *unused, const struct model_value *v)
{
    (void)unused;
    told_count++;
    snprintf(told_last, sizeof told_last, "%.*s=%.*s", (int)v->key.n, v->key.p, (int)v->v.str.n,
             v->v.str.p);
}

TEST(a_resource_that_begins_empty_has_what_is_said_and_nothing_else)
{
    static const struct {
        const char *attributes, *name, *last;
        uint32_t count;
    } cases[] = {{"", "", "", 0},
                 {"", "shop", "service.name=shop", 1},
                 {"team=a,b%0Ac=d", "", "b\nc=d", 2},
                 {"service.instance.id=i", "", "service.instance.id=i", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_catalog c;
        struct resource said = {.schema_url = ""};
        struct config_telemetry t = telemetry("process,host,os,azure", "");
        t.resource = CONFIG_RESOURCE_EMPTY;
        t.resource_attributes = cases[i].attributes;
        t.service_name = cases[i].name;
        model_catalog_init(&c);
        REQUIRE(model_catalog_add_process(&c, 1, MODEL_STR("n"), MODEL_STR("x")));
        start_resource(&t, (const char *const *)environ, &c, &said);
        start_resource_cloud(&said, &t, &c);
        const struct export_env env = {.catalog = &c, .service_name = "file", .version = "1"};
        told_count = 0;
        told_last[0] = 0;
        export_resource_each(&env, 0, count_told, NULL);
        CHECK(export_resource_is_empty(&c));
        CHECK_EQ(told_count, cases[i].count);
        CHECK_STR(told_last, cases[i].last);
        resource_done(&said);
        model_catalog_done(&c);
    }
}

TEST(what_a_person_said_stands_above_what_the_cloud_says_later)
{
    struct model_catalog c;
    struct resource said = {.schema_url = ""};
    char url[64];
    struct peer *p = peer_start(answer, NULL, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", peer_port(p));
    const struct config_telemetry t = telemetry("azure", url);
    model_catalog_init(&c);
    start_resource(&t, (const char *const *)environ, &c, &said);
    CHECK_STR(told(&c, "host.name"), "mine");
    CHECK_STR(told(&c, "cloud.region"), "");
    setenv("OTEL_RESOURCE_ATTRIBUTES", "team=other", 1); /* nobody looks at that any more */
    do /* a slow machine has not answered in time, perhaps */
        start_resource_cloud(&said, &t, &c);
    while (!told(&c, "cloud.region")[0]);
    CHECK_STR(told(&c, "cloud.region"), "west");
    CHECK_STR(told(&c, "host.id"), "id");
    CHECK_STR(told(&c, "host.name"), "mine");
    CHECK_STR(told(&c, "team"), "shop");
    CHECK_STR(told(&c, "service.name"), "tested");
    resource_done(&said);
    told_resource_clear();
    model_catalog_done(&c);
    peer_stop(p);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(without_a_cloud_nothing_is_kept_for_later_and_nobody_is_asked)
{
    struct model_catalog c;
    struct resource said = {.schema_url = ""};
    const struct config_telemetry t = telemetry("process,host", "http://127.0.0.1:1");
    model_catalog_init(&c);
    start_resource(&t, (const char *const *)environ, &c, &said);
    CHECK_EQ(said.attrs.count, 0);
    CHECK_STR(told(&c, "host.name"), "mine");
    CHECK(told(&c, "process.pid")[0] != 0);
    const uint32_t count = c.resource_count;
    start_resource_cloud(&said, &t, &c);
    CHECK_EQ(c.resource_count, count);
    model_catalog_done(&c);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
