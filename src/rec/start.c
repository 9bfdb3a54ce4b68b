/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * In-process export: loads liboriel when somebody asks for it, so that a
 * program that never does pays for none of it.
 */
#include "rec/hooks.h"
#include "rec/rec.h"

#include <dlfcn.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/instance.h"
#include "base/os.h"
#include "base/own.h"

typedef int start_fn(const struct oriel_options *options, int (*attach)(const char *ring_path));
typedef int stop_fn(unsigned timeout_ms);
typedef int house_fn(const struct oriel_sampler *sampler, bool entries);
typedef void sampler_fn(house_fn *told);
typedef int inherit_fn(bool makes);
typedef void published_fn(instance_told_fn *told);
typedef void context_fn(const char **out_propagators, uint64_t *out_threshold);

/* Longest wait for calls that are at work on a region; they take microseconds. */
enum { LEAVE_MS = 100 };

static void *library(void)
{
    static void *handle; /* pairs with itself: whoever comes second gets the same one */
    void *known = __atomic_load_n(&handle, __ATOMIC_ACQUIRE);
    if (!known) {
        known = dlopen("liboriel.so.0", RTLD_NOW | RTLD_LOCAL);
        __atomic_store_n(&handle, known, __ATOMIC_RELEASE);
    }
    return known;
}

bool rec_has_no_library(void)
{
    return !library();
}

void *rec_library_symbol(const char *name)
{
    return library() ? dlsym(library(), name) : NULL;
}

/* What the record path has to know of the configuration, which liboriel has read. */
static void take_configuration(void)
{
    context_fn *context = (context_fn *)(uintptr_t)dlsym(library(), "oriel_inprocess_context");
    const char *propagators = NULL;
    uint64_t threshold = 0;
    if (!context)
        return; /* an older one */
    context(&propagators, &threshold);
    sampler_fn *sampler = (sampler_fn *)(uintptr_t)dlsym(library(), "oriel_inprocess_sampler");
    if (sampler)
        sampler(rec_house_told);
    rec_threshold_told(threshold);
    if (propagators)
        rec_propagators_told(propagators);
}

/* Starting and stopping take turns. */
static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static int32_t started_by; /* process that started what is on now; 0: nobody */

static inherit_fn *inherit; /* of the library, for fork children; nobody asks the loader there */

void rec_start_forked(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    start_lock = unlocked;
    __atomic_store_n(&rec_runtime.served, started_by && inherit, __ATOMIC_RELAXED);
}

bool rec_start_inherit(void)
{
    /* A child by vfork is in its parent's memory, and in no state to have a thread. */
    if (os_getpid() != __atomic_load_n(&rec_runtime.own->pid, __ATOMIC_RELAXED) ||
        pthread_mutex_trylock(&start_lock) != 0) /* a start or a stop is under way */
        return false;
    bool over = inherit(true) != ORIEL_EBUSY;
    pthread_mutex_unlock(&start_lock);
    return over;
}

/* The lock is held. Is what is on exported by this process? */
static bool exports_here(void)
{
    const int32_t pid = os_getpid();
    if (started_by && started_by != pid && inherit && inherit(false) == 0)
        started_by = pid; /* taken over meanwhile */
    return started_by == pid;
}

static unsigned left_ms(uint64_t deadline_ns)
{
    uint64_t now = clock_mono_ns();
    return now < deadline_ns ? (unsigned)((deadline_ns - now) / 1000000u) : 0;
}

/* What is on, and was started by a call here, has come to an end: nobody reads
 * it any more, or only the process that we were forked from does. */
static bool is_past(void)
{
    if (!started_by || !rec_enter())
        return false;
    bool past = !exports_here() || __atomic_load_n(&rec_runtime.shared->closed, __ATOMIC_ACQUIRE);
    rec_leave();
    return past;
}

/* False: a call is still at work on the region of before. */
static bool make_way(void)
{
    if (!is_past() && __atomic_load_n(&rec_runtime.state, __ATOMIC_ACQUIRE) != REC_LEAVING)
        return true;
    if (!rec_region_leave(LEAVE_MS))
        return false;
    rec_region_drop();
    return true;
}

static int start_locked(const struct oriel_options *options)
{
    static const struct oriel_options none = {.size = sizeof none};
    if (!make_way())
        return ORIEL_EBUSY;
    if (rec_is_on())
        return 0;
    start_fn *start =
        library() ? (start_fn *)(uintptr_t)dlsym(library(), "oriel_inprocess_start") : NULL;
    if (!start)
        return ORIEL_ENOTFOUND;
    published_fn *published =
        (published_fn *)(uintptr_t)dlsym(library(), "oriel_inprocess_published");
    if (published) /* before there is anything to publish */
        published(rec_context_told);
    int rc = start(options ? options : &none, oriel_attach);
    if (rc)
        return rc;
    started_by = os_getpid();
    inherit = (inherit_fn *)(uintptr_t)dlsym(library(), "oriel_inprocess_inherit");
    __atomic_store_n(&rec_runtime.served, 0, __ATOMIC_RELAXED);
    take_configuration();
    return 0;
}

int oriel_start(const struct oriel_options *options)
{
    if (options && options->size < sizeof options->size)
        return ORIEL_EINVAL;
    if (own_thread_here()) /* an exporter of the program, which would wait for itself */
        return ORIEL_EBUSY;
    own_work_begin();
    pthread_mutex_lock(&start_lock);
    int rc = start_locked(options);
    pthread_mutex_unlock(&start_lock);
    own_work_end();
    return rc;
}

static bool started_here(void)
{
    pthread_mutex_lock(&start_lock);
    const bool here = exports_here();
    pthread_mutex_unlock(&start_lock);
    return here;
}

int oriel_stop(unsigned timeout_ms)
{
    uint64_t deadline = clock_mono_ns() + (uint64_t)timeout_ms * 1000000u;
    int rc = 0;
    if (own_thread_here())
        return ORIEL_EBUSY;
    const unsigned leave_ms = timeout_ms < LEAVE_MS ? timeout_ms : LEAVE_MS;
    if (started_here())
        rec_hooks_stop(clock_mono_ns() + leave_ms * UINT64_C(1000000));
    own_work_begin();
    pthread_mutex_lock(&start_lock);
    if (started_by) {
        bool left = rec_region_leave(leave_ms);
        stop_fn *stop = (stop_fn *)(uintptr_t)dlsym(library(), "oriel_inprocess_stop");
        rc = stop ? stop(left_ms(deadline)) : 0;
        if (left) {
            rec_region_drop();
            started_by = 0;
        } else if (rc == 0) {
            rc = ORIEL_EBUSY;
        }
    }
    pthread_mutex_unlock(&start_lock);
    own_work_end();
    return rc;
}

int oriel_flush(unsigned timeout_ms)
{
    typedef int flush_fn(unsigned ms);
    if (own_thread_here())
        return ORIEL_EBUSY;
    rec_hooks_flush(timeout_ms);
    pthread_mutex_lock(&start_lock);
    flush_fn *flush =
        exports_here() ? (flush_fn *)(uintptr_t)dlsym(library(), "oriel_inprocess_flush") : NULL;
    pthread_mutex_unlock(&start_lock);
    own_work_begin();
    int rc = flush ? flush(timeout_ms) : 0;
    own_work_end();
    return rc;
}

int oriel_reload(void)
{
    typedef int reload_fn(void);
    if (own_thread_here())
        return ORIEL_EBUSY;
    own_work_begin();
    pthread_mutex_lock(&start_lock);
    reload_fn *reload =
        exports_here() ? (reload_fn *)(uintptr_t)dlsym(library(), "oriel_inprocess_reload") : NULL;
    int rc = reload ? reload() : ORIEL_ENOTFOUND;
    if (rc == 0)
        take_configuration();
    pthread_mutex_unlock(&start_lock);
    own_work_end();
    return rc;
}

int oriel_resource_get(const char *key, char *out, size_t size)
{
    typedef int resource_fn(const char *key, char *out, size_t size);
    if (!key || (!out && size))
        return ORIEL_EINVAL;
    pthread_mutex_lock(&start_lock);
    resource_fn *get = exports_here()
                           ? (resource_fn *)(uintptr_t)dlsym(library(), "oriel_inprocess_resource")
                           : NULL;
    int rc = get ? get(key, out, size) : ORIEL_ENOTFOUND;
    pthread_mutex_unlock(&start_lock);
    return rc;
}
