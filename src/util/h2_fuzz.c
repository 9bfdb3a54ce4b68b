/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as HTTP/2 frames, to a client with requests under way and
 * to a server that answers; what came of it as gRPC. The limits hold and nothing
 * is left. The first byte says which side, and how the rest is cut.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "util/grpc.h"
#include "util/h2.h"

enum { BODY = 4000, HELD = 6000, HEAD = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void look(const struct h2_exchange *x)
{
    struct grpc_result r;
    size_t n;
    require(h2_body(x, &n) && n <= BODY);
    if (h2_done(x)) {
        h2_result(x, NULL);
        grpc_result_read(x, &r);
        require(strlen(r.text) < GRPC_TEXT);
    }
}

static void answer(struct h2 *server)
{
    struct http_header trailer = {"grpc-status", "0", 11, 1};
    struct h2_exchange *x;
    while ((x = h2_next(server)) != NULL) {
        size_t n;
        struct h2_response r = {.size = sizeof r,
                                .status = 200,
                                .trailers = &trailer,
                                .trailer_count = 1,
                                .body = h2_body(x, &n),
                                .body_n = 0};
        r.body_n = n;
        look(x);
        h2_respond_take(x, &r, NULL);
    }
}

static void drain(struct h2 *h)
{
    const char *bytes;
    for (size_t n, i = 0; i < 64 && (n = h2_pull(h, &bytes)) > 0; i++)
        h2_pulled(h, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct h2_options o = {.size = sizeof o,
                           .server = data[0] & 1,
                           .body_max = BODY,
                           .held_max = HELD,
                           .head_max = HEAD,
                           .streams_max = 8};
    struct h2_exchange *x[2] = {NULL, NULL};
    struct h2 *h;
    size_t step = (data[0] >> 1) + 1u;
    size_t before = mem_live_blocks();
    require(h2_new(&h, &o, NULL) == 0);
    for (int i = 0; i < 2 && !o.server; i++) {
        struct h2_request r = {.size = sizeof r,
                               .method = "POST",
                               .scheme = "http",
                               .authority = "a",
                               .path = "/",
                               .body = "xyz",
                               .body_n = 3};
        require(h2_start(h, &r, &x[i], NULL) == 0);
    }
    drain(h);
    int rc = 0;
    for (size_t at = 1; at < size && rc == 0; at += step) {
        rc = h2_feed(h, data + at, size - at < step ? size - at : step, NULL);
        if (o.server)
            answer(h);
        drain(h);
    }
    for (int i = 0; i < 2 && !o.server; i++) {
        look(x[i]);
        if (i == 0)
            h2_exchange_free(x[i]);
    }
    h2_free(h);
    if (!o.server) {
        look(x[1]);
        h2_exchange_free(x[1]);
    }
    require(mem_live_blocks() == before);
    return 0;
}
