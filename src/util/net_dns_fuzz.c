/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as the answer of a name server, as resolv.conf, as hosts
 * and as the list of NO_PROXY. Nothing is read beyond the end, nothing grows
 * beyond its bounds.
 */
#include <stdlib.h>
#include <string.h>

#include "util/net_dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t types[] = {DNS_A, DNS_AAAA};
    uint8_t query[DNS_QUERY_MAX];
    struct net_addr found[NET_ADDRS_MAX];
    struct dns_config config;
    char text[NET_ADDR_TEXT], list[200];
    for (int i = 0; i < 2; i++) {
        unsigned count = 0;
        /* The id of the answer is taken for ours, or it would never be one. */
        uint16_t id = size >= 2 ? (uint16_t)(data[0] << 8 | data[1]) : 0;
        size_t n = dns_query("one.test", 8, id, types[i], query);
        enum dns_answer a = dns_answer_read(data, size, query, n, 80, found, &count);
        require(count <= NET_ADDRS_MAX && (a == DNS_FOUND) == (count > 0));
        for (unsigned k = 0; k < count; k++)
            net_addr_text(&found[k], text);
    }
    dns_config_read((const char *)data, size, 53, &config);
    require(config.server_count >= 1 && config.server_count <= DNS_SERVERS_MAX);
    require(config.search_count <= DNS_SEARCH_MAX && config.attempts >= 1 && config.timeout_s >= 1);
    require(dns_hosts_find((const char *)data, size, "a", 80, found, 4) <= 4);
    size_t n = size < sizeof list - 1 ? size : sizeof list - 1;
    memcpy(list, data, n);
    list[n] = 0;
    net_proxy_skips(list, "10.1.2.3", 80);
    net_proxy_skips(list, "a.example", 80);
    return 0;
}
