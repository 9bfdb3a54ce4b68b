/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The receiver as a live source. What a poll hands out was told by requests that wait
 * for their answer until the commit: then the outlets hold it, or the sender hears
 * that it is to come again. One thread.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "source/otlp/server.h"

enum { BODY_MAX = 4 << 20, UNPACKED_MAX = 16 << 20, CONNECTIONS = 48, BACKLOG = 1024 };

static char *copy_text(const char *text)
{
    size_t n = text ? strlen(text) + 1 : 0;
    char *copy = n ? mem_alloc(n) : NULL;
    return copy ? memcpy(copy, text, n) : NULL;
}

static int listen_all(struct collect *c, struct oriel_err *err)
{
    for (unsigned i = 0; i < c->options.listen_count; i++) {
        const struct collect_listen *l = &c->options.listens[i];
        const struct net_listen_options o = {.size = sizeof o,
                                             .address = l->address,
                                             .port = l->port,
                                             .unix_path = l->unix_path,
                                             .beyond_loopback = c->options.beyond_loopback,
                                             .backlog = BACKLOG};
        int rc = net_listen(&o, &c->listeners[i], &c->bound[i], err);
        if (rc < 0)
            return rc;
        if (l->unix_path)
            snprintf(c->unix_paths[i], sizeof c->unix_paths[i], "%s", l->unix_path);
    }
    return 0;
}

int collect_open(struct collect **out, const struct collect_options *options, struct oriel_err *err)
{
    assert(options->listen_count <= COLLECT_LISTENERS_MAX);
    if (options->beyond_loopback && (!options->token || !*options->token))
        return err_set(err, ORIEL_EPERM,
                       "receiving from other machines needs a token: --token-file FILE");
    struct collect *c = mem_calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ORIEL_ENOMEM, "%s", err_text(ORIEL_ENOMEM));
    c->options = *options;
    c->options.body_max = options->body_max ? options->body_max : BODY_MAX;
    c->options.unpacked_max = options->unpacked_max ? options->unpacked_max : UNPACKED_MAX;
    c->conns_max = options->connections ? options->connections : CONNECTIONS;
    c->waiting.end = &c->waiting.first;
    c->told.end = &c->told.first;
    c->more_ns = 0;
    for (unsigned i = 0; i < COLLECT_LISTENERS_MAX; i++)
        c->listeners[i] = -1;
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->token = copy_text(options->token);
    c->hosts = copy_text(options->hosts);
    c->decode = mem_calloc(1, sizeof *c->decode);
    int rc = ORIEL_ENOMEM;
    if (c->epoll < 0 || !c->decode || (options->token && !c->token) ||
        (options->hosts && !c->hosts))
        err_set(err, rc, "%s", err_text(rc));
    else
        rc = listen_all(c, err);
    if (rc < 0)
        collect_close(c);
    else
        *out = c;
    return rc;
}

int collect_fd(const struct collect *c)
{
    return c->epoll;
}

const struct net_addr *collect_bound(const struct collect *c, unsigned listener)
{
    assert(listener < c->options.listen_count);
    return &c->bound[listener];
}

unsigned collect_listeners(const struct collect *c)
{
    return c->options.listen_count;
}

void collect_stop(struct collect *c)
{
    c->stopping = true;
}

bool collect_is_owing(const struct collect *c)
{
    return c->told.first != NULL;
}

bool collect_has_more(const struct collect *c)
{
    return c->waiting.first != NULL;
}

void collect_get_counts(const struct collect *c, struct collect_counts *out)
{
    *out = c->counts;
    out->spans = c->tell.spans;
    out->logs = c->tell.logs;
    out->span_events = c->tell.span_events;
    out->points = c->tell.refused[OTLP_METRIC];
    out->no_id = c->tell.refused[OTLP_NO_ID];
    out->too_many = c->tell.refused[OTLP_MANY_WHO];
    out->no_memory = c->tell.refused[OTLP_NO_MEMORY];
    out->cut_texts = c->tell.truncated;
    memcpy(out->lost, c->tell.lost, sizeof out->lost);
}

static void free_jobs(struct otlp_jobs *jobs)
{
    for (struct otlp_job *j = jobs->first, *next; j; j = next) {
        next = j->next;
        route_job_free(j);
    }
}

void collect_close(struct collect *c)
{
    if (!c)
        return;
    free_jobs(&c->waiting);
    free_jobs(&c->told);
    c->waiting.first = c->told.first = NULL;
    server_close(c);
    if (c->token)
        explicit_bzero(c->token, strlen(c->token));
    mem_free(c->token);
    mem_free(c->hosts);
    mem_free(c->decode);
    mem_free(c);
}

/* ---- the source ---- */

struct collect_source {
    struct collect *c;
};

static int collect_source_open(void *state, const void *options, struct model_catalog *catalog,
                               struct oriel_err *err)
{
    struct collect_source *s = state;
    s->c = (struct collect *)options;
    int rc = otlp_tell_init(&s->c->tell, catalog);
    if (s->c->options.text_max)
        s->c->tell.text_max = s->c->options.text_max;
    s->c->attached = rc == 0;
    return rc < 0 ? err_set(err, rc, "%s", err_text(rc)) : 0;
}

/* It leaves the queue, and waits for its answer. */
static void job_told(struct collect *c)
{
    struct otlp_job *job = c->waiting.first;
    assert(job && c->decoding && c->waiting.count > 0 && c->waiting_bytes >= job->n);
    c->decoding = false;
    job->rejected = c->decode->rejected;
    c->waiting.first = job->next;
    if (!job->next)
        c->waiting.end = &c->waiting.first;
    c->waiting.count--;
    c->waiting_bytes -= job->n;
    buf_done(&job->body);
    job->bytes = NULL;
    job->n = 0;
    job->next = NULL;
    *c->told.end = job;
    c->told.end = &job->next;
    c->told.count++;
}

/* Its bytes are its own from here on: the connection may go while they are read. */
static void begin_job(struct collect *c)
{
    struct otlp_job *job = c->waiting.first;
    assert(job && !c->decoding);
    if (!job->body.size && job->n && !job->failed) {
        buf_put(&job->body, job->bytes, job->n);
        job->failed = job->body.failed;
        if (job->failed)
            buf_done(&job->body);
    }
    otlp_decode_begin(c->decode, job->signal, job->body.data, job->body.size);
    c->decoding = true;
}

static void answer_told(struct collect *c, bool stored)
{
    uint64_t now_ns = clock_mono_ns();
    struct otlp_job *job;
    while ((job = c->told.first) != NULL) {
        c->told.first = job->next;
        if (!job->next)
            c->told.end = &c->told.first;
        c->told.count--;
        struct otlp_conn *conn = job->conn;
        route_answer(c, job, stored && !job->failed, now_ns);
        route_job_free(job);
        bool more = false; /* answers of one connection go out together */
        for (struct otlp_job *j = c->told.first; j && conn && !more; j = j->next)
            more = j->conn == conn;
        if (conn && !more)
            server_flush(c, conn, now_ns);
    }
}

static int collect_source_poll(void *state, struct model_batch *batch, size_t max_records,
                               struct oriel_err *err)
{
    struct collect *c = ((struct collect_source *)state)->c;
    uint64_t now_ns = clock_mono_ns(), unix_ns = clock_unix_ns();
    (void)err;
    server_step(c, now_ns);
    c->tell.batch = batch;
    c->tell.now_ns = unix_ns > c->tell.now_ns ? unix_ns : c->tell.now_ns;
    while (c->waiting.first && batch->record_count < max_records) {
        if (!c->decoding)
            begin_job(c);
        if (otlp_decode_run(c->decode, &c->tell, max_records))
            job_told(c);
    }
    c->tell.batch = NULL;
    batch->watermark_ns = c->tell.now_ns;
    if (batch->record_count)
        return SOURCE_DATA;
    if (!c->stopping || c->waiting.first)
        return SOURCE_IDLE;
    batch->watermark_ns = UINT64_MAX;
    batch->last = true;
    return SOURCE_END;
}

static void collect_source_commit(void *state)
{
    struct collect *c = ((struct collect_source *)state)->c;
    uint64_t refused = c->options.refused ? c->options.refused(c->options.ctx) : 0;
    bool stored = refused == c->refused_before;
    c->refused_before = refused;
    answer_told(c, stored);
}

/* Nothing but answers to wait for: they may go. */
static bool collect_source_pressed(const void *state)
{
    const struct collect *c = ((const struct collect_source *)state)->c;
    return c->told.first && c->waiting_bytes > (UINT64_C(8) << 20);
}

static void collect_source_damage(const void *state, struct source_damage *out)
{
    (void)state;
    *out = (struct source_damage){.first_offset = UINT64_MAX};
}

static void collect_source_close(void *state)
{
    struct collect *c = ((struct collect_source *)state)->c;
    otlp_tell_done(&c->tell);
    c->attached = false;
}

const struct source source_collect = {.name = "collect",
                                      .state_size = sizeof(struct collect_source),
                                      .open_with = collect_source_open,
                                      .poll = collect_source_poll,
                                      .commit = collect_source_commit,
                                      .pressed = collect_source_pressed,
                                      .damage = collect_source_damage,
                                      .close = collect_source_close};
