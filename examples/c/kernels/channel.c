/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A channel that takes the trace along: whoever sends and receives through it
 * has nothing to do for it. Two lines, one on each side.
 */
#include "kernels.h"

#include <time.h>

#include <oriel/unit.h>

void channel_init(struct channel *c)
{
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->not_empty, NULL);
    c->first = NULL;
    c->last = &c->first;
}

void channel_send(struct channel *c, struct message *m)
{
    oriel_context_carry(&m->context); /* the first of the two; the other is where it is received */
    m->next = NULL;
    pthread_mutex_lock(&c->lock);
    *c->last = m;
    c->last = &m->next;
    pthread_cond_signal(&c->not_empty);
    pthread_mutex_unlock(&c->lock);
}

struct message *channel_receive(struct channel *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->first)
        pthread_cond_wait(&c->not_empty, &c->lock);
    struct message *m = c->first;
    c->first = m->next;
    if (!c->first)
        c->last = &c->first;
    pthread_mutex_unlock(&c->lock);
    return m;
}

static uint64_t unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct device_times device_execute(void (*work)(double *numbers, size_t count), double *numbers,
                                   size_t count)
{
    struct device_times times = {unix_ns(), 0};
    work(numbers, count);
    times.end_ns = unix_ns();
    return times;
}
