/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The functions that a program calls. operator new and delete reach them
 * through malloc. Each does what the allocator behind us does, counts usable
 * bytes, and leaves for slower code once in many calls. realloc is a free and an
 * allocation. errno is the allocator's.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hook/alloc/alloc.h"

#define EXPORT __attribute__((visibility("default")))

/* Usable bytes; false: it was given out before there was an allocator, and does not count. */
static inline bool size_of(void *p, size_t *out)
{
    if (__builtin_expect(alloc_sizes_inline, 1)) {
        *out = alloc_inline_size(p);
        return true;
    }
    *out = alloc_is_early(p) ? 0 : alloc_next.usable(p);
    return !alloc_is_early(p);
}

/* Counts it. NULL: that is all; else alloc_slow_new has to see it. */
static inline struct alloc_thread *came(void *p, size_t *bytes)
{
    if (__builtin_expect(!p, 0) || !size_of(p, bytes))
        return NULL;
    struct alloc_thread *t = alloc_thread_here();
    if (__builtin_expect(t->inside, 0)) {
        alloc_aside_new(t, p, *bytes);
        return NULL;
    }
    alloc_count(&t->heap.allocations, 1);
    alloc_count(&t->heap.bytes, *bytes);
    t->left -= (int64_t)*bytes;
    return __builtin_expect(t->left < 0, 0) ? t : NULL;
}

/* Of one that is not early. */
static inline void goes(void *p)
{
    struct alloc_thread *t = alloc_thread_here();
    size_t n = alloc_size_of(p);
    if (__builtin_expect(t->inside, 0)) {
        alloc_aside_gone(t, p, n);
        return;
    }
    alloc_count(&t->heap.frees, 1);
    alloc_count(&t->heap.freed_bytes, n);
    if (__builtin_expect(alloc_filter_has(p), 0))
        alloc_slow_gone(t, p);
}

EXPORT void *malloc(size_t size)
{
    size_t n;
    void *p = alloc_next.malloc(size);
    struct alloc_thread *t = came(p, &n);
    if (__builtin_expect(t != NULL, 0))
        alloc_slow_new(t, p, n, HOOK_CALLER);
    return p;
}

EXPORT void free(void *p)
{
    if (__builtin_expect(!p || alloc_is_early(p), 0))
        return;
    goes(p);
    alloc_next.free(p);
}

EXPORT void *calloc(size_t n, size_t size)
{
    size_t bytes;
    void *p = alloc_next.calloc(n, size);
    struct alloc_thread *t = came(p, &bytes);
    if (__builtin_expect(t != NULL, 0))
        alloc_slow_new(t, p, bytes, HOOK_CALLER);
    return p;
}

/* The less frequent ones. */
static void came_there(void *p, const struct unwind_caller *caller)
{
    size_t n;
    struct alloc_thread *t = came(p, &n);
    if (t)
        alloc_slow_new(t, p, n, caller);
}

/* Of a block that was given out before the allocator was known. */
static void *move_early(void *p, size_t size)
{
    void *new = alloc_next.malloc(size);
    size_t old = alloc_early_size(p);
    if (new)
        memcpy(new, p, old < size ? old : size);
    return new;
}

/* The block may be somebody else's before we hear of it again, so what is known
 * of it is taken out before, and put back should it stay. */
static void *resize(void *p, size_t size, const struct unwind_caller *caller)
{
    struct alloc_thread *t = alloc_thread_here();
    struct alloc_known known = {0};
    size_t before = alloc_size_of(p);
    bool counted = t->shared || !t->inside;
    if (counted && __builtin_expect(alloc_filter_has(p), 0))
        alloc_slow_take(t, p, &known);
    void *new = alloc_next.realloc(p, size);
    if (!new &&size) { /* it stays */
        alloc_slow_back(p, &known);
        return NULL;
    }
    if (counted)
        alloc_slow_went(t, p, before, &known);
    came_there(new, caller);
    return new;
}

static inline void *reallocate(void *p, size_t size, const struct unwind_caller *caller)
{
    if (p && !alloc_is_early(p))
        return resize(p, size, caller);
    void *new = p ? move_early(p, size) : alloc_next.malloc(size);
    came_there(new, caller);
    return new;
}

EXPORT void *realloc(void *p, size_t size)
{
    return reallocate(p, size, HOOK_CALLER);
}

EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return reallocate(p, bytes, HOOK_CALLER);
}

static inline void *aligned(size_t align, size_t size, const struct unwind_caller *caller)
{
    void *p = alloc_next.memalign(align, size);
    came_there(p, caller);
    return p;
}

EXPORT void *memalign(size_t align, size_t size)
{
    return aligned(align, size, HOOK_CALLER);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    return aligned(align, size, HOOK_CALLER);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
    int kept = errno;
    if (align % sizeof(void *) || align == 0 || (align & (align - 1)))
        return EINVAL;
    void *p = aligned(align, size, HOOK_CALLER);
    errno = kept;
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

EXPORT void *valloc(size_t size)
{
    return aligned((size_t)sysconf(_SC_PAGESIZE), size, HOOK_CALLER);
}

EXPORT void *pvalloc(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole;
    if (__builtin_add_overflow(size, page - 1, &whole)) {
        errno = ENOMEM;
        return NULL;
    }
    return aligned(page, whole & ~(page - 1), HOOK_CALLER);
}

EXPORT size_t malloc_usable_size(void *p)
{
    if (!p)
        return 0;
    return alloc_is_early(p) ? alloc_early_size(p) : alloc_next.usable(p);
}

/* The one function that allocates while it holds a lock which a walk needs as well. */
EXPORT int pthread_getattr_np(pthread_t thread, pthread_attr_t *attr)
{
    static int (*real)(pthread_t, pthread_attr_t *); /* atomic */
    int (*fn)(pthread_t, pthread_attr_t *) = __atomic_load_n(&real, __ATOMIC_RELAXED);
    struct alloc_thread *t = alloc_thread_here();
    if (!fn) {
        fn = (int (*)(pthread_t, pthread_attr_t *))(uintptr_t)alloc_look_up("pthread_getattr_np");
        __atomic_store_n(&real, fn, __ATOMIC_RELAXED);
    }
    if (!fn)
        return ENOSYS;
    t->asking++;
    int rc = fn(thread, attr);
    t->asking--;
    return rc;
}
