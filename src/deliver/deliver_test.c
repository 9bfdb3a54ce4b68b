/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Destinations before receivers that answer, refuse, are away or say nothing. */
#include "deliver/deliver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "deliver/test_destination.h"
#include "peer.h"
#include "receiver.h"
#include "test.h"
#include "util/gzip.h"
#include "util/zip.h"

/* ---- what arrives ---- */

struct heard {
    pthread_mutex_t lock;
    unsigned times[1000]; /* of the message of that number */
    unsigned traces, logs, wrong;
    const char *encoding, *agent, *authorization, *path;
    char texts[4][200];
};

static void keep(struct receiver_request *r, const char *name, const char **to, char *text)
{
    const char *value = r->header(r, name);
    if (value) {
        snprintf(text, 200, "%s", value);
        *to = text;
    }
}

static void note(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    struct heard *h = arg;
    struct buf plain;
    struct zip *zip = NULL;
    const char *body = r->body;
    size_t n = r->body_n;
    buf_init(&plain);
    pthread_mutex_lock(&h->lock);
    keep(r, "user-agent", &h->agent, h->texts[0]);
    keep(r, "authorization", &h->authorization, h->texts[1]);
    if (r->compressed) {
        keep(r, r->header(r, "grpc-encoding") ? "grpc-encoding" : "content-encoding", &h->encoding,
             h->texts[2]);
        if (strcmp(h->encoding, "gzip") == 0)
            CHECK_EQ(gzip_decompress(body, n, 1 << 20, &plain), 0);
        else if (zip_new(&zip, 1) == 0)
            CHECK_EQ(zip_decompress(zip, body, n, 1 << 20, &plain), 0);
        body = plain.data;
        n = plain.size;
    }
    snprintf(h->texts[3], 200, "%s", r->path);
    h->path = h->texts[3];
    h->traces += strstr(r->path, "traces") != NULL;
    h->logs += strstr(r->path, "logs") != NULL;
    unsigned number = n >= 4 ? (unsigned)atoi(body) : 0;
    if (number < 1000)
        h->times[number]++;
    h->wrong += !destination_is_message(body, n);
    pthread_mutex_unlock(&h->lock);
    zip_free(zip);
    buf_done(&plain);
}

static struct heard *heard_new(void)
{
    struct heard *h = calloc(1, sizeof *h);
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

static void all_arrive(bool grpc, enum deliver_compression compression, unsigned count)
{
    struct heard *h = heard_new();
    struct receiver_options ro = {.grpc = grpc, .script = note, .arg = h};
    struct receiver *r = receiver_start(&ro);
    struct deliver_options o = destination_options(receiver_url(r), grpc);
    o.compression = compression;
    struct deliver *d = destination_open(&o);
    for (unsigned i = 0; i < count; i++)
        CHECK_EQ(destination_put(d, i % 3 ? OUT_TRACES : OUT_LOGS, i, 10), 0);
    CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
    struct deliver_counts c;
    destination_total(d, &c);
    CHECK_EQ(c.delivered, count * 10);
    CHECK_EQ(c.given, count * 10);
    CHECK_EQ(c.messages, count);
    CHECK_EQ(c.queued, 0);
    CHECK_EQ(c.in_flight, 0);
    CHECK(!c.open);
    out_close(deliver_out(d));
    receiver_stop(r);
    for (unsigned i = 0; i < count; i++)
        CHECK_EQ(h->times[i], 1);
    CHECK_EQ(h->wrong, 0);
    CHECK_EQ(h->traces + h->logs, count);
    CHECK_STR(h->agent, "oriel/" ORIEL_VERSION_TEXT);
    if (compression)
        CHECK_STR(h->encoding, compression == DELIVER_ZSTD ? "zstd" : "gzip");
    else
        CHECK(h->encoding == NULL);
    free(h);
}

TEST(every_message_arrives_once_over_http)
{
    all_arrive(false, DELIVER_PLAIN, 200);
}

TEST(every_message_arrives_once_over_grpc)
{
    all_arrive(true, DELIVER_PLAIN, 200);
}

TEST(compressed_bodies_are_what_was_given)
{
    all_arrive(false, DELIVER_GZIP, 20);
    all_arrive(false, DELIVER_ZSTD, 20);
    all_arrive(true, DELIVER_GZIP, 20);
    all_arrive(true, DELIVER_ZSTD, 20);
}

TEST(nothing_runs_before_the_first_message)
{
    struct deliver_options o = destination_options("http://127.0.0.1:1", false);
    struct deliver *d = destination_open(&o);
    CHECK_EQ(destination_threads(), 1);
    CHECK_EQ(deliver_flush(d, 0), 0);
    CHECK_EQ(out_finish(deliver_out(d), 0, true), 0);
    out_close(deliver_out(d));
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
