/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sending thread, "oriel-send": one round after the other, and sleep between
 * them, which whoever has something to say ends at once. All signals are blocked
 * on it, so that the program's handlers never run there.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/own.h"
#include "deliver/inside.h"

enum { STACK_BYTES = 512 << 10 };
#define MS UINT64_C(1000000)

void sender_wake(struct deliver *d)
{
    uint64_t one = 1;
    pthread_mutex_lock(&d->lock);
    d->calls++;
    bool asleep = d->asleep;
    d->asleep = false;
    pthread_mutex_unlock(&d->lock);
    /* Full: it is awake anyway. */
    if (asleep && write(d->wake_fd, &one, sizeof one) < 0)
        assert(errno == EAGAIN || errno == EINTR);
}

static int rest_ms(const struct deliver *d, uint64_t now_ns, uint64_t wake_ns)
{
    if (wake_ns <= now_ns)
        return 0;
    if (d->now) /* a clock of the caller's: nobody tells when it moves */
        return 1;
    if (wake_ns == UINT64_MAX)
        return -1;
    uint64_t ms = (wake_ns - now_ns + MS - 1) / MS;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Sleeps unless something was said since `calls` was read. */
static void rest(struct deliver *d, struct transport_wait *w, uint64_t calls)
{
    uint64_t heard;
    pthread_mutex_lock(&d->lock);
    bool sleep = d->calls == calls;
    d->asleep = sleep;
    pthread_mutex_unlock(&d->lock);
    if (!sleep)
        return;
    assert(w->count < TRANSPORT_POLL_MAX);
    w->fds[w->count++] = (struct pollfd){.fd = d->wake_fd, .events = POLLIN};
    (void)poll(w->fds, w->count, rest_ms(d, deliver_now(d), w->wake_ns));
    pthread_mutex_lock(&d->lock);
    d->asleep = false;
    pthread_mutex_unlock(&d->lock);
    if (w->fds[w->count - 1].revents && read(d->wake_fd, &heard, sizeof heard) < 0)
        assert(errno == EAGAIN || errno == EINTR);
}

static void *run(void *arg)
{
    struct deliver *d = arg;
    bool closing = false;
    own_thread_begin(OWN_SEND); /* before anything else */
    while (!closing) {
        struct transport_wait w = {.wake_ns = UINT64_MAX};
        pthread_mutex_lock(&d->lock);
        uint64_t calls = d->calls;
        closing = d->closing;
        pthread_mutex_unlock(&d->lock);
        if (closing)
            break;
        sender_step(d, deliver_now(d), &w);
        rest(d, &w, calls);
    }
    sender_end(d);
    return NULL;
}

int sender_start(struct deliver *d)
{
    pthread_attr_t attr;
    sigset_t all, before;
    if (d->running)
        return 0;
    d->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (d->wake_fd < 0)
        return ORIEL_ENOMEM;
    pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all); /* a new thread inherits the mask */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&d->thread, &attr, run, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        close(d->wake_fd);
        d->wake_fd = -1;
        return ORIEL_ENOMEM;
    }
    pthread_mutex_lock(&d->lock); /* whoever flushes looks, too */
    d->running = true;
    pthread_mutex_unlock(&d->lock);
    return 0;
}
