/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The kernels and who executes them. A span of each execution, "kernel:<id>",
 * with its stages; the next kernel's is its child, because the message that
 * starts it says so.
 */
#define ORIEL_TARGET "kernels"
#include "kernels.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <oriel/oriel.h>
#include <oriel/unit.h>

struct kernel {
    const char *id;
    void (*work)(double *numbers, size_t count);
    struct channel channel;
};

/* The end of a chain, for who waits for it. */
struct done {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    int result;
};

static void scale(double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] *= 2;
}

static void smooth(double *numbers, size_t count)
{
    for (size_t i = 1; i < count; i++)
        numbers[i] = (numbers[i - 1] + numbers[i]) / 2;
}

static void square(double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] *= numbers[i];
}

static struct kernel kernels[] = {
    {.id = "scale", .work = scale},
    {.id = "smooth", .work = smooth},
    {.id = "square", .work = square},
};
enum { KERNELS = sizeof kernels / sizeof kernels[0] };

static struct kernel *find_kernel(const char *id)
{
    for (size_t i = 0; i < KERNELS; i++)
        if (strcmp(kernels[i].id, id) == 0)
            return &kernels[i];
    return NULL;
}

static bool validate(const struct message *m)
{
    ORIEL_SPAN("validate");
    for (size_t i = 0; i < m->count; i++)
        if (!isfinite(m->numbers[i]))
            return false;
    return true;
}

/* Its stages, as every kernel has them. */
static int execute(const struct kernel *k, struct message *m)
{
    ORIEL_UNIT("kernel", k->id, "elements", m->count);
    size_t bytes = m->count * sizeof *m->numbers;
    if (!validate(m)) {
        oriel_span_status(ORIEL_CURRENT, ORIEL_STATUS_ERROR, "a number is not finite");
        return -1;
    }
    double *device = malloc(bytes ? bytes : 1);
    if (!device)
        return -1;
    {
        ORIEL_SPAN("prepare_input", "bytes", bytes);
        memcpy(device, m->numbers, bytes);
    }
    struct device_times times = device_execute(k->work, device, m->count);
    ORIEL_EXTERNAL("gpu_execute", times.start_ns, times.end_ns, ORIEL_CURRENT);
    {
        ORIEL_SPAN("collect_output", "bytes", bytes);
        memcpy(m->numbers, device, bytes);
    }
    free(device);
    if (m->route[0]) /* within the span: what comes next was caused by it */
        channel_send(&find_kernel(m->route++[0])->channel, m);
    return 0;
}

static void finish(struct done *d, int result)
{
    pthread_mutex_lock(&d->lock);
    d->done = true;
    d->result = result;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static void *run_kernel(void *arg)
{
    struct kernel *k = arg;
    for (;;) {
        struct message *m = channel_receive(&k->channel);
        struct oriel_context sender =
            m->context; /* it is the next kernel's when this one is done */
        struct done *done = m->done;
        bool last = !m->route[0];
        ORIEL_CONTEXT(&sender);
        int result = execute(k, m);
        if (last || result < 0)
            finish(done, result);
    }
    return NULL;
}

static pthread_once_t started = PTHREAD_ONCE_INIT;
static int start_result;

static void start(void)
{
    pthread_t thread;
    for (size_t i = 0; i < KERNELS && start_result == 0; i++) {
        channel_init(&kernels[i].channel);
        start_result = pthread_create(&thread, NULL, run_kernel, &kernels[i]);
        if (start_result == 0)
            pthread_detach(thread);
    }
}

int kernels_run(const char *traceparent, const char *const *ids, double *numbers, size_t count)
{
    struct oriel_context caller;
    memset(&caller, 0, sizeof caller);
    if (traceparent)
        oriel_traceparent_parse(traceparent, strlen(traceparent), &caller);
    pthread_once(&started, start);
    for (size_t i = 0; ids[i]; i++)
        if (!find_kernel(ids[i]))
            return -1;
    if (start_result != 0)
        return -1;
    if (!ids[0])
        return 0;
    struct done done = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    struct message m = {.numbers = numbers, .count = count, .route = ids + 1, .done = &done};
    ORIEL_CONTEXT(&caller);
    ORIEL_SPAN("kernels.run", "elements", count);
    channel_send(&find_kernel(ids[0])->channel, &m);
    pthread_mutex_lock(&done.lock);
    while (!done.done)
        pthread_cond_wait(&done.changed, &done.lock);
    pthread_mutex_unlock(&done.lock);
    return done.result;
}
