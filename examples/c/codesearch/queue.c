/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The bounded queue between two stages. Waiting is a span of its own, so that
 * a trace shows which stage holds up the others.
 */
#define ORIEL_TARGET "codesearch.queue"
#include "codesearch.h"

#include <stdlib.h>

#include <oriel/oriel.h>

int queue_init(struct queue *q, const char *name, size_t capacity, unsigned producers)
{
    q->items = calloc(capacity, sizeof *q->items);
    q->capacity = capacity;
    q->head = q->count = 0;
    q->producers = producers;
    q->name = name;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->not_empty, NULL);
    pthread_cond_init(&q->not_full, NULL);
    return q->items ? 0 : -1;
}

void queue_push(struct queue *q, void *item)
{
    pthread_mutex_lock(&q->lock);
    if (q->count == q->capacity) {
        ORIEL_SPAN("queue.wait_for_room", "queue", q->name);
        while (q->count == q->capacity)
            pthread_cond_wait(&q->not_full, &q->lock);
    }
    q->items[(q->head + q->count++) % q->capacity] = item;
    ORIEL_PLOT("queue.depth", q->count);
    pthread_cond_signal(&q->not_empty);
    pthread_mutex_unlock(&q->lock);
}

void *queue_pop(struct queue *q)
{
    void *item = NULL;
    pthread_mutex_lock(&q->lock);
    if (q->count == 0 && q->producers) {
        ORIEL_SPAN("queue.wait_for_work", "queue", q->name);
        while (q->count == 0 && q->producers)
            pthread_cond_wait(&q->not_empty, &q->lock);
    }
    if (q->count) {
        item = q->items[q->head];
        q->head = (q->head + 1) % q->capacity;
        q->count--;
        pthread_cond_signal(&q->not_full);
    }
    pthread_mutex_unlock(&q->lock);
    return item;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    if (q->producers && --q->producers == 0)
        pthread_cond_broadcast(&q->not_empty);
    pthread_mutex_unlock(&q->lock);
}

void queue_done(struct queue *q)
{
    free(q->items);
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->not_empty);
    pthread_cond_destroy(&q->not_full);
}
