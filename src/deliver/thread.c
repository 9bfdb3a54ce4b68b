/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sending thread, "oriel-send": one round after the other, and sleep between
 * them, which whoever has something to say ends at once. All signals are blocked
 * on it, so that the program's handlers never run there.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "deliver/inside.h"
#include "util/kept.h"

/* Who sleeps while the program closes all descriptors is woken by that: nobody can write into the
 * pipe any more. Unless a child has it still that was forked behind libc's back. */
enum { STACK_BYTES = 512 << 10, REST_MAX_MS = 500, REST_IDLE_MS = 60000 };
#define MS UINT64_C(1000000)

/* ---- the pipe ---- */

static bool is_wakes(const struct wake *w, int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == w->dev && st.st_ino == w->ino;
}

static int wake_open(struct wake *out)
{
    struct wake w;
    struct stat st;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return ORIEL_ENOMEM;
    w.read_fd = fds[0];
    w.write_fd = fds[1];
    if (fstat(w.read_fd, &st) != 0)
        memset(&st, 0, sizeof st);
    w.dev = st.st_dev;
    w.ino = st.st_ino;
    kept_note(w.read_fd, w.dev, w.ino);
    kept_note(w.write_fd, w.dev, w.ino);
    *out = w;
    return 0;
}

void wake_close(struct wake *w)
{
    kept_forget(w->read_fd, w->dev, w->ino);
    kept_forget(w->write_fd, w->dev, w->ino);
    if (is_wakes(w, w->read_fd))
        close(w->read_fd);
    if (is_wakes(w, w->write_fd))
        close(w->write_fd);
    w->read_fd = w->write_fd = -1;
}

/* A new one where the program took the old one away. The sending thread. */
static void wake_keep(struct deliver *d)
{
    struct wake w = d->wake; /* only this thread changes it */
    if (is_wakes(&w, w.read_fd) && is_wakes(&w, w.write_fd))
        return;
    wake_close(&w);
    (void)wake_open(&w); /* without one it looks by itself every now and then */
    pthread_mutex_lock(&d->lock);
    d->wake = w;
    pthread_mutex_unlock(&d->lock);
}

void sender_wake(struct deliver *d)
{
    char one = 1;
    pthread_mutex_lock(&d->lock);
    d->calls++;
    bool asleep = d->asleep;
    d->asleep = false;
    struct wake w = d->wake;
    pthread_mutex_unlock(&d->lock);
    /* Full: it is awake anyway. */
    if (asleep && is_wakes(&w, w.write_fd) && write(w.write_fd, &one, sizeof one) < 0)
        assert(errno == EAGAIN || errno == EINTR || errno == EBADF);
}

static int rest_ms(const struct deliver *d, uint64_t now_ns, uint64_t wake_ns)
{
    if (wake_ns <= now_ns)
        return 0;
    if (d->now) /* a clock of the caller's: nobody tells when it moves */
        return 1;
    if (wake_ns == UINT64_MAX)
        return REST_IDLE_MS;
    uint64_t ns = wake_ns - now_ns;
    return ns > REST_MAX_MS * MS ? REST_MAX_MS : (int)((ns + MS - 1) / MS);
}

/* Sleeps unless something was said since `calls` was read. */
static void rest(struct deliver *d, struct transport_wait *w, uint64_t calls)
{
    char heard[64];
    wake_keep(d);
    pthread_mutex_lock(&d->lock);
    bool sleep = d->calls == calls;
    d->asleep = sleep;
    pthread_mutex_unlock(&d->lock);
    if (!sleep)
        return;
    assert(w->count < TRANSPORT_POLL_MAX);
    w->fds[w->count++] = (struct pollfd){.fd = d->wake.read_fd, .events = POLLIN};
    (void)poll(w->fds, w->count, rest_ms(d, deliver_now(d), w->wake_ns));
    pthread_mutex_lock(&d->lock);
    d->asleep = false;
    pthread_mutex_unlock(&d->lock);
    bool woken = w->fds[w->count - 1].revents && is_wakes(&d->wake, d->wake.read_fd);
    if (woken && read(d->wake.read_fd, heard, sizeof heard) < 0)
        assert(errno == EAGAIN || errno == EINTR || errno == EBADF);
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
    struct wake w;
    if (wake_open(&w) != 0)
        return ORIEL_ENOMEM;
    pthread_mutex_lock(&d->lock); /* whoever flushes looks */
    d->wake = w;
    pthread_mutex_unlock(&d->lock);
    pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all); /* a new thread inherits the mask */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&d->thread, &attr, run, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        pthread_mutex_lock(&d->lock);
        wake_close(&d->wake);
        pthread_mutex_unlock(&d->lock);
        return ORIEL_ENOMEM;
    }
    pthread_mutex_lock(&d->lock);
    d->running = true;
    pthread_mutex_unlock(&d->lock);
    return 0;
}
