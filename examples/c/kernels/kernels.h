/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A library that runs chains of kernels, each on a thread of its own, with
 * messages between them: for a C program (main.c) and for a Python script
 * (examples/python/kernels.py) alike.
 */
#ifndef KERNELS_H
#define KERNELS_H

#include <pthread.h>
#include <stddef.h>

#include <oriel/propagation.h>

/* What goes from kernel to kernel: numbers to work on, and in whose trace. */
struct message {
    struct oriel_context context; /* of who sent it; the channel's business */
    struct message *next;
    double *numbers;
    size_t count;
    const char *const *route; /* ids of the kernels that come after this one, NULL at its end */
    struct done *done;
};

/* Messages of one kernel, in order. */
struct channel {
    pthread_mutex_t lock;
    pthread_cond_t not_empty;
    struct message *first, **last;
};

void channel_init(struct channel *c);
/* The context that is current goes along. */
void channel_send(struct channel *c, struct message *m);
/* Waits for one. */
struct message *channel_receive(struct channel *c);

/* A device that computes by itself and says afterwards when it did. Unix nanoseconds. */
struct device_times {
    uint64_t start_ns, end_ns;
};
struct device_times device_execute(void (*work)(double *numbers, size_t count), double *numbers,
                                   size_t count);

/* Run kernels by their ids ("scale", "smooth", "square"; NULL at the end) on `count` numbers, in
 * place, one after the other. traceparent: whose trace it is (W3C), NULL: what is current. 0; -1:
 * no such kernel, no memory, or no thread. */
__attribute__((visibility("default"))) int
kernels_run(const char *traceparent, const char *const *ids, double *numbers, size_t count);

#endif
