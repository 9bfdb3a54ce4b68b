/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * OTLP: traces and logs as OpenTelemetry's protocol has them. To a receiver whole
 * requests, each when it is full or has waited long enough. In a file JSON: one
 * request a line, as OTLP files are (protocol/file-exporter.md); or protobuf:
 * messages one behind the other, which is one TracesData or LogsData again, so a
 * file holds one signal. Plots, frame marks, samples and the life of tasks are neither
 * traces nor logs and are left out. Runs on one thread.
 */
#include "export/otlp/otlp.h"

#include <assert.h>
#include <stddef.h>

#include "export/resource.h"

enum {
    RESOURCE_ITEMS = 1,
    SCOPE_ITEMS = 2,
    SCOPE = 1,
    SCOPE_NAME = 1,
    SCOPE_VERSION = 2,
    SCOPE_ATTRIBUTES = 3,
    SCOPE_DROPPED = 4,
    SCHEMA_URL = 3
};
enum { FRAME_BYTES = 256 }; /* what stands around the items of a scope */

static const char *const encoding_choices[] = {"json", "protobuf", NULL};
static const char *const signal_choices[] = {"all", "traces", "logs", NULL};
/* In the order of enum otlp_protocol and of enum deliver_compression. */
static const char *const protocol_choices[] = {"auto", "grpc", "http/protobuf", "http/json", NULL};
static const char *const compression_choices[] = {"none", "gzip", "zstd", NULL};

#define OPTION(name_, type_, member, fallback_)                                                    \
    .name = name_, .type = type_, .offset = offsetof(struct otlp_options, member),                 \
    .fallback = fallback_

#define TEXT(name_, member, arg_, help_)                                                           \
    {                                                                                              \
        OPTION(name_, OPTION_STRING, member, ""), .arg = arg_, .filled = true, .help = help_       \
    }
#define LIMIT(name_, member, help_)                                                                \
    {                                                                                              \
        OPTION(name_, OPTION_INT, member, "-1"), .min = -1, .max = 16777216, .arg = "N",           \
                                                 .help = help_ "; -1 = any number"                 \
    }

static const struct option_def otlp_option_defs[] = {
    {OPTION("encoding", OPTION_ENUM, encoding, "json"), .choices = encoding_choices,
     .help = "of a file; json: one request a line; protobuf: a file of one signal"},
    {OPTION("signals", OPTION_ENUM, signals, "all"), .choices = signal_choices,
     .help = "what goes out: spans, events as log records, or both"},
    {OPTION("span_events", OPTION_BOOL, span_events, "true"),
     .help = "put events into their spans too, for readers of traces that see no logs"},
    {OPTION("source", OPTION_BOOL, source, "true"),
     .help = "function, file and line of the call site as code.* attributes"},
    {OPTION("batch", OPTION_INT, batch, "512"), .arg = "N", .min = 1, .max = 65536,
     .help = "items in a request, at most"},
    {OPTION("max_bytes", OPTION_SIZE, max_bytes, "4MiB"),
     .help = "size of a request, unless one item alone is larger"},
    TEXT("endpoint", endpoint, "URL",
         "send to this receiver instead of writing a file: http://HOST:PORT, https://HOST:PORT, "
         "unix:PATH"),
    TEXT("also", also, "URL[,..]",
         "further receivers, which get the same by queues of their own, without the headers"),
    {OPTION("protocol", OPTION_ENUM, protocol, "auto"), .choices = protocol_choices,
     .help = "how the receiver is spoken to; auto: HTTP with protobuf to port 4318 or to a path, "
             "else gRPC"},
    {OPTION("headers", OPTION_STRING, headers, ""), .arg = "NAME=VALUE[,..]", .secret = true,
     .help = "headers to send, values percent encoded; never from a file, and a command line can "
             "be seen by others: $OTEL_EXPORTER_OTLP_HEADERS cannot"},
    TEXT("headers_vault_key", headers_vault_key, "KEY",
         "where the vault has the headers, which then stand nowhere else"),
    {OPTION("compression", OPTION_ENUM, compression, "none"), .choices = compression_choices,
     .help = "of what is sent"},
    TEXT("certificate", certificate, "FILE",
         "authorities to trust (PEM); default: those of the machine"),
    TEXT("client_certificate", client_certificate, "FILE", "our certificate (PEM)"),
    TEXT("client_key", client_key, "FILE", "the key of our certificate (PEM)"),
    {OPTION("insecure", OPTION_BOOL, insecure, "false"),
     .help = "gRPC without TLS where the endpoint has no scheme"},
    {OPTION("timeout_ms", OPTION_INT, timeout_ms, "10000"), .max = 3600000,
     .help = "longest time of one try, in milliseconds; 0 = an hour"},
    {OPTION("proxy", OPTION_STRING, proxy, ""), .arg = "URL",
     .help = "reach the receiver through this HTTP proxy"},
    {OPTION("no_proxy", OPTION_STRING, no_proxy, ""), .arg = "HOST[,..]",
     .help = "hosts that are reached without it"},
    {OPTION("queue_items", OPTION_INT, queue_items, "0"), .max = 16777216, .arg = "N",
     .help = "items that may wait for the receiver; 0 = as many as queue_bytes hold"},
    {OPTION("queue_bytes", OPTION_SIZE, queue_bytes, "16MiB"), .min = 65536, .max = 4e9,
     .help = "bytes that may wait for the receiver"},
    {OPTION("retry_first", OPTION_DURATION, retry_first, "1s"), .max = 3600e9,
     .help = "longest pause before the second try; it grows fourfold from try to try"},
    {OPTION("retry_most", OPTION_DURATION, retry_most, "30s"), .max = 3600e9,
     .help = "longest pause, unless the receiver asks for more"},
    {OPTION("retry_for", OPTION_DURATION, retry_for, "0"), .max = 86400e9,
     .help = "a request is tried for so long, then spooled or lost; 0 = 5m, in `oriel export` 30s"},
    TEXT("spool_dir", spool_dir, "DIR",
         "keep here what the receiver cannot take now, for later and for the next run"),
    {OPTION("spool_bytes", OPTION_SIZE, spool_bytes, "512MiB"), .max = 1e15,
     .help = "room in it; the oldest goes first"},
    {OPTION("spans_delay", OPTION_DURATION, delay[OTLP_TRACES], "5s"), .max = 3600e9,
     .help = "longest wait of a span for its request to a receiver"},
    {OPTION("logs_delay", OPTION_DURATION, delay[OTLP_LOGS], "1s"), .max = 3600e9,
     .help = "the same of an event"},
    {OPTION("spans_batch", OPTION_INT, batches[OTLP_TRACES], "0"), .max = 65536, .arg = "N",
     .help = "spans in a request, at most; 0 = as batch"},
    {OPTION("logs_batch", OPTION_INT, batches[OTLP_LOGS], "0"), .max = 65536, .arg = "N",
     .help = "the same of events"},
    LIMIT("span_attribute_count", of[OTLP_TRACES].attributes, "attributes of a span"),
    LIMIT("span_attribute_length", of[OTLP_TRACES].text, "characters of a value of a span"),
    LIMIT("log_attribute_count", of[OTLP_LOGS].attributes, "attributes of a log record"),
    LIMIT("log_attribute_length", of[OTLP_LOGS].text, "characters of a value of a log record"),
    LIMIT("event_count", event_count, "events of a span, up to 128"),
    LIMIT("link_count", link_count, "links of a span"),
    LIMIT("event_attribute_count", event_attribute_count, "attributes of an event of a span"),
    LIMIT("link_attribute_count", link_attribute_count, "attributes of a link of a span"),
    OPTION_END,
};

struct put otlp_put_limited(struct otlp *o, struct buf *out, enum otlp_signal signal)
{
    const int64_t text = o->options.of[signal].text;
    const uint32_t longest = text < 0 || text >= UINT32_MAX - 1 ? 0 : (uint32_t)text + 1;
    return (struct put){out, o->json, longest};
}

static int otlp_open(void *state, const void *options, const struct export_env *env,
                     struct oriel_err *err)
{
    struct otlp *o = state;
    o->options = *(const struct otlp_options *)options;
    o->env = *env;
    const bool file = !out_takes_messages(env->out);
    o->json = file ? o->options.encoding == OTLP_JSON : o->options.protocol == OTLP_HTTP_JSON;
    if (file && !o->json && o->options.signals == 0)
        return err_set(err, ORIEL_EINVAL,
                       "otlp: a protobuf file holds one signal: choose signals traces or logs");
    /* A request that the queue has no room for would never go out. */
    if (!file && o->options.queue_bytes && o->options.max_bytes > o->options.queue_bytes / 2)
        o->options.max_bytes = o->options.queue_bytes / 2;
    arena_init(&o->arena);
    buf_init(&o->large);
    buf_init(&o->request);
    return 0;
}

static bool wanted(const struct otlp *o, enum otlp_signal signal)
{
    return o->options.signals == 0 || o->options.signals == (int)signal + 1;
}

/* ---- requests ---- */

/* What names are from: ours, or what was told with them; of another program, or of a scope. */
static void put_schema(struct put *w, const struct model_told *told)
{
    if (!told)
        put_text(w, SCHEMA_URL, "schemaUrl", MODEL_STR(EXPORT_SCHEMA_URL));
    else if (told->schema_url.n)
        put_text(w, SCHEMA_URL, "schemaUrl", told->schema_url);
}

static const struct model_told *told_scope(const struct otlp *o, const struct otlp_group *g)
{
    const struct model_told *told = g->scope ? &o->env.catalog->scopes[g->scope - 1]->told : NULL;
    /* A component of ours that names no schema has our names beside its own. */
    bool ours = told && !told->schema_url.n && !o->env.catalog->processes[g->process]->told;
    return ours ? NULL : told;
}

/* What stands before the items of a group, and behind them. */
static struct pb_mark open_scope(struct otlp *o, struct put *w, const struct otlp_group *g)
{
    const struct model_scope *told = g->scope ? o->env.catalog->scopes[g->scope - 1] : NULL;
    struct pb_mark m = put_open(w, SCOPE_ITEMS, NULL, 4);
    struct pb_mark scope = put_open(w, SCOPE, "scope", put_width(3 * (size_t)g->target.n));
    if (g->target.n)
        put_text(w, SCOPE_NAME, "name", g->target);
    if (told && told->version.n)
        put_text(w, SCOPE_VERSION, "version", told->version);
    if (told)
        otlp_put_told(w, &told->told, SCOPE_ATTRIBUTES, SCOPE_DROPPED);
    put_close(w, scope);
    put_list(w, g->signal == OTLP_TRACES ? "spans" : "logRecords");
    return m;
}

static void close_scope(struct otlp *o, struct put *w, const struct otlp_group *g, struct pb_mark m)
{
    put_list_end(w);
    put_schema(w, told_scope(o, g));
    put_close(w, m);
}

static void put_scope(struct otlp *o, struct put *w, const struct otlp_group *g)
{
    struct pb_mark m = open_scope(o, w, g);
    buf_put(w->out, g->items.data + g->front, g->items.size - g->front);
    close_scope(o, w, g, m);
}

/* The same of a process. */
static struct pb_mark open_resource(struct put *w, const struct buf *resource,
                                    enum otlp_signal signal)
{
    struct pb_mark m = put_open(w, RESOURCE_ITEMS, NULL, 4);
    buf_put(w->out, resource->data, resource->size);
    put_list(w, signal == OTLP_TRACES ? "scopeSpans" : "scopeLogs");
    return m;
}

static void close_resource(struct otlp *o, struct put *w, uint32_t process, struct pb_mark m)
{
    put_list_end(w);
    const struct model_told *told = o->env.catalog->processes[process]->told;
    if (told || !export_resource_is_empty(o->env.catalog)) /* which is of no schema */
        put_schema(w, told);
    put_close(w, m);
}

static bool waits(const struct otlp_group *g, uint32_t process, enum otlp_signal signal)
{
    return g->process == process && g->signal == signal && g->count > 0;
}

static void put_resource(struct otlp *o, struct put *w, uint32_t process, enum otlp_signal signal)
{
    const struct buf *resource = otlp_resource_of(o, process);
    if (!resource) {
        w->out->failed = true;
        return;
    }
    struct pb_mark m = open_resource(w, resource, signal);
    for (size_t i = 0; i < o->groups.count; i++)
        if (waits(&o->groups.items[i], process, signal))
            put_scope(o, w, &o->groups.items[i]);
    close_resource(o, w, process, m);
}

static void put_request(struct otlp *o, enum otlp_signal signal)
{
    struct put w = {&o->request, o->json, 0};
    buf_clear(&o->request);
    if (o->json)
        buf_putc(&o->request, '{');
    put_list(&w, signal == OTLP_TRACES ? "resourceSpans" : "resourceLogs");
    for (uint32_t p = 0; p < o->env.catalog->process_count; p++) {
        bool any = false;
        for (size_t i = 0; i < o->groups.count && !any; i++)
            any = waits(&o->groups.items[i], p, signal);
        if (any)
            put_resource(o, &w, p, signal);
    }
    put_list_end(&w);
    if (o->json)
        buf_puts(&o->request, "}\n");
}

/* The first item of a group comes: a request for it alone is opened. */
static void open_alone(struct otlp *o, struct otlp_group *g)
{
    const struct buf *resource = o->json ? NULL : otlp_resource_of(o, g->process);
    struct put w = {&g->items, o->json, 0};
    buf_clear(&g->items);
    g->attributes = o->env.catalog->resource_count;
    if (resource) {
        g->resource_mark = open_resource(&w, resource, g->signal);
        g->scope_mark = open_scope(o, &w, g);
    }
    g->front = g->items.size;
}

/* The group that makes up the whole request, if there is one whose front is still true. */
static struct otlp_group *alone(const struct otlp *o, enum otlp_signal signal)
{
    struct otlp_group *only = NULL;
    for (size_t i = 0; i < o->groups.count; i++) {
        struct otlp_group *g = &o->groups.items[i];
        if (g->signal != signal || !g->count)
            continue;
        if (only)
            return NULL;
        only = g;
    }
    const bool whole = only && only->front && only->attributes == o->env.catalog->resource_count;
    return whole ? only : NULL;
}

/* What waits of a signal as a request. */
static const struct buf *make_request(struct otlp *o, enum otlp_signal signal)
{
    struct otlp_group *g = alone(o, signal);
    if (!g) {
        put_request(o, signal);
        return &o->request;
    }
    struct put w = {&g->items, false, 0};
    close_scope(o, &w, g, g->scope_mark);
    close_resource(o, &w, g->process, g->resource_mark);
    return &g->items;
}

static void forget(struct otlp *o, enum otlp_signal signal)
{
    for (size_t i = 0; i < o->groups.count; i++)
        if (o->groups.items[i].signal == signal) {
            buf_clear(&o->groups.items[i].items);
            o->groups.items[i].count = 0;
        }
    o->waiting[signal] = (struct otlp_waiting){0};
    buf_clear(&o->request);
}

/* What waits of a signal goes out whole, or is counted as unwritten. */
static int send(struct otlp *o, enum otlp_signal signal, struct oriel_err *err)
{
    struct out *out = o->env.out;
    const struct otlp_waiting was = o->waiting[signal];
    uint64_t keep = out->bytes;
    if (was.items == 0)
        return 0;
    const struct buf *request = make_request(o, signal);
    const struct out_message m = {.signal = signal == OTLP_TRACES ? OUT_TRACES : OUT_LOGS,
                                  .items = was.items,
                                  .seen = was.seen,
                                  .bytes = request->data,
                                  .n = request->size};
    int rc = request->failed ? ORIEL_ENOMEM : out_message(out, &m);
    forget(o, signal);
    if (rc == 0)
        return 0;
    o->unwritten += was.items;
    o->unwritten_seen += was.seen;
    if (out_can_seek(out))
        out_truncate(out, keep); /* no half request, and another try next time */
    if (rc == ORIEL_ELIMIT)
        return err_set(err, rc,
                       "otlp: a request of %zu bytes is more than the queue holds (queue_bytes)",
                       m.n);
    return err_set(err, rc, "%s: writing OTLP: %s", *out->path ? out->path : "otlp", err_text(rc));
}

/* ---- items ---- */

static int no_memory(struct otlp *o, bool seen, struct oriel_err *err)
{
    o->unwritten++;
    o->unwritten_seen += seen;
    return err_set(err, ORIEL_ENOMEM, "otlp: %s", err_text(ORIEL_ENOMEM));
}

/* The item that comes next goes to this group: o->item is where. Returns its size so far. */
static size_t begin_item(struct otlp *o, struct otlp_group *g)
{
    if (!g->count)
        open_alone(o, g);
    o->item = &g->items;
    return g->items.size;
}

/* The last item of the group has no room in the request of the others: they go first. */
static int send_others(struct otlp *o, struct otlp_group *g, size_t before, struct oriel_err *err)
{
    const bool comma = o->json && g->items.data[before] == ',';
    buf_clear(&o->large);
    buf_put(&o->large, g->items.data + before + comma, g->items.size - before - comma);
    g->items.size = before;
    int rc = send(o, g->signal, err);
    open_alone(o, g);
    buf_put(&g->items, o->large.data, o->large.size);
    g->items.failed |= o->large.failed;
    return rc;
}

static int send_full(struct otlp *o, enum otlp_signal signal, struct oriel_err *err)
{
    return o->waiting[signal].items >= otlp_most_items(o, signal) ? send(o, signal, err) : 0;
}

/* What was encoded behind `before` is an item of its group now. */
static int end_item(struct otlp *o, struct otlp_group *g, size_t before, bool seen,
                    struct oriel_err *err)
{
    const enum otlp_signal signal = g->signal;
    struct otlp_waiting *wait = &o->waiting[signal];
    uint64_t bytes = g->items.size - before + 1;
    int rc = 0;
    if (!g->items.failed && wait->items && wait->bytes + bytes > o->options.max_bytes) {
        rc = send_others(o, g, before, err);
        before = g->front;
    }
    if (g->items.failed) { /* those before it are whole */
        g->items.failed = false;
        g->items.size = before;
        return no_memory(o, seen, err);
    }
    if (!g->count) {
        const struct buf *resource = otlp_resource_of(o, g->process);
        bytes += FRAME_BYTES + g->target.n + (resource ? resource->size : 0);
    }
    g->count++;
    wait->items++;
    wait->seen += seen;
    wait->bytes += bytes;
    int sent = send_full(o, signal, err);
    return rc ? rc : sent;
}

static int add_span(struct otlp *o, const struct model_span *s, struct oriel_err *err)
{
    const struct otlp_site *site = otlp_site_of(o, s->site, OTLP_TRACES);
    if (!site)
        return no_memory(o, otlp_is_seen(s->site), err);
    struct otlp_group *g = &o->groups.items[site->group - 1];
    const size_t before = begin_item(o, g);
    otlp_put_span(o, s, site);
    return end_item(o, g, before, otlp_is_seen(s->site), err);
}

static int add_event(struct otlp *o, const struct model_event *e, struct oriel_err *err)
{
    const bool of_span = e->span_id && !e->told_log; /* other programs told which it is */
    if (o->options.span_events && of_span && wanted(o, OTLP_TRACES))
        otlp_held_add(o, e);
    if (!wanted(o, OTLP_LOGS) || (of_span && e->site->flags & ORIEL_SITE_TOLD))
        return 0;
    const struct otlp_site *site = otlp_site_of(o, e->site, OTLP_LOGS);
    if (!site)
        return no_memory(o, otlp_is_seen(e->site), err);
    struct otlp_group *g = &o->groups.items[site->group - 1];
    const size_t before = begin_item(o, g);
    otlp_put_log(o, e, site);
    return end_item(o, g, before, otlp_is_seen(e->site), err);
}

static int add_loss(struct otlp *o, const struct model_loss *l, struct oriel_err *err)
{
    uint32_t process = l->thread ? l->thread->process : 0;
    if (o->env.catalog->process_count == 0)
        return 0; /* nobody to say it of; the totals have it */
    const uint32_t group = otlp_group_of(o, process, MODEL_STR("oriel"), 0, OTLP_LOGS);
    if (group == UINT32_MAX)
        return no_memory(o, false, err);
    struct otlp_group *g = &o->groups.items[group];
    const size_t before = begin_item(o, g);
    otlp_put_loss(o, l);
    return end_item(o, g, before, false, err);
}

static int add_item(struct otlp *o, const struct model_item *item, struct oriel_err *err)
{
    switch (item->kind) {
    case MODEL_ITEM_SPAN:
        return wanted(o, OTLP_TRACES) ? add_span(o, &item->u.span, err) : 0;
    case MODEL_ITEM_EVENT:
        return add_event(o, &item->u.event, err);
    case MODEL_ITEM_LOSS:
        return wanted(o, OTLP_LOGS) ? add_loss(o, &item->u.loss, err) : 0;
    default:
        return 0;
    }
}

/* What cannot be written is counted one by one: the rest of the batch has its chance. */
static int otlp_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    struct otlp *o = state;
    const bool plain = !o->json && wanted(o, OTLP_TRACES);
    int rc = 0;
    for (size_t i = 0, n = 0; i < batch->item_count; i += n) {
        struct oriel_err *e = rc ? NULL : err;
        n = plain ? otlp_add_plain(o, batch->items + i, batch->item_count - i) : 0;
        int one = n ? send_full(o, OTLP_TRACES, e) : add_item(o, &batch->items[i], e);
        n += n == 0;
        rc = rc ? rc : one;
    }
    return rc;
}

static int otlp_flush(void *state, struct oriel_err *err)
{
    struct otlp *o = state;
    int traces = send(o, OTLP_TRACES, err);
    int logs = send(o, OTLP_LOGS, traces ? NULL : err);
    return traces ? traces : logs;
}

/* What waits goes out once it has waited for its delay, counted from the first time that
 * this saw it: rounds of a session are short beside a delay. */
static int otlp_tick(void *state, uint64_t now_ns, struct oriel_err *err)
{
    struct otlp *o = state;
    int rc = 0;
    for (int signal = 0; signal < OTLP_SIGNALS; signal++) {
        struct otlp_waiting *wait = &o->waiting[signal];
        if (wait->items && !wait->since_ns)
            wait->since_ns = now_ns;
        if (!wait->items || now_ns - wait->since_ns < o->options.delay[signal])
            continue;
        int one = send(o, (enum otlp_signal)signal, rc ? NULL : err);
        rc = rc ? rc : one;
    }
    return rc;
}

static uint64_t otlp_due(const void *state, uint64_t *out_delay_ns)
{
    const struct otlp *o = state;
    uint64_t due = UINT64_MAX;
    *out_delay_ns = UINT64_MAX;
    for (int signal = 0; signal < OTLP_SIGNALS; signal++) {
        const struct otlp_waiting *wait = &o->waiting[signal];
        const uint64_t delay = o->options.delay[signal];
        if (delay < *out_delay_ns)
            *out_delay_ns = delay;
        if (wait->items && wait->since_ns + delay < due)
            due = wait->since_ns + delay;
    }
    return due;
}

static int otlp_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct otlp *o = state;
    (void)end; /* losses have been said as they came */
    int rc = otlp_flush(o, err);
    for (size_t i = 0; i < o->groups.count; i++)
        buf_done(&o->groups.items[i].items);
    for (size_t i = 0; i < o->resources.count; i++)
        buf_done(&o->resources.items[i].bytes);
    for (size_t i = 0; i < o->threads.count; i++)
        buf_done(&o->threads.items[i].bytes);
    for (size_t i = 0; i < OTLP_TAILS; i++)
        buf_done(&o->tails[i].bytes);
    VEC_DONE(&o->threads);
    VEC_DONE(&o->groups);
    VEC_DONE(&o->resources);
    VEC_DONE(&o->sites);
    otlp_held_done(&o->held);
    arena_done(&o->arena);
    buf_done(&o->large);
    buf_done(&o->request);
    return rc;
}

static uint64_t otlp_unwritten(const void *state)
{
    const struct otlp *o = state;
    struct out_fate fate;
    out_fate(o->env.out, &fate);
    return o->unwritten + fate.lost;
}

static uint64_t otlp_unwritten_seen(const void *state)
{
    const struct otlp *o = state;
    struct out_fate fate;
    out_fate(o->env.out, &fate);
    return o->unwritten_seen + fate.lost_seen;
}

const struct exporter export_otlp = {
    .name = "otlp",
    .help = "OpenTelemetry protocol: spans, and events as log records",
    .suffix = ".jsonl",
    .wants = EXPORT_ITEMS,
    .options = otlp_option_defs,
    .options_size = sizeof(struct otlp_options),
    .state_size = sizeof(struct otlp),
    .open = otlp_open,
    .write = otlp_write,
    .flush = otlp_flush,
    .tick = otlp_tick,
    .due = otlp_due,
    .close = otlp_close,
    .unwritten = otlp_unwritten,
    .unwritten_seen = otlp_unwritten_seen,
    .destination = otlp_destination,
};
