/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a program is told to be at its start stands above what a cloud says of it later. */
#include <unistd.h>

#include "session/start_resource.h"

#include <stdlib.h>

#include "base/mem.h"
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
