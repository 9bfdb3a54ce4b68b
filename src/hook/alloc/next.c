/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The allocator behind us: the next malloc in the order of the loader, libc's
 * or one that was preloaded or linked. Asking the loader may allocate, on the
 * same thread; such requests are served from static memory that is never given
 * back, and known by its address ever after.
 */
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hook/alloc/alloc.h"

enum { EARLY_BYTES = ALLOC_EARLY_BYTES, EARLY_HEADER = 16, EARLY_ALIGN_MAX = 4096, PAGE = 4096 };

_Alignas(64) char alloc_early[EARLY_BYTES];
static size_t early_used; /* atomic */

size_t alloc_early_size(const void *p)
{
    size_t size;
    memcpy(&size, (const char *)p - EARLY_HEADER, sizeof size);
    return size;
}

static void *early_memalign(size_t align, size_t size)
{
    size_t a = align < EARLY_HEADER ? EARLY_HEADER : align;
    size_t n = (size + EARLY_HEADER - 1) & ~(size_t)(EARLY_HEADER - 1);
    size_t at = n;
    if (size <= EARLY_BYTES / 2 && a <= EARLY_ALIGN_MAX)
        at = __atomic_fetch_add(&early_used, n + a + EARLY_HEADER, __ATOMIC_RELAXED);
    else
        at = EARLY_BYTES;
    if (at > EARLY_BYTES - (EARLY_BYTES / 2 + EARLY_ALIGN_MAX + EARLY_HEADER) &&
        at + n + a + EARLY_HEADER > EARLY_BYTES) {
        errno = ENOMEM;
        return NULL;
    }
    uintptr_t p = ((uintptr_t)alloc_early + at + EARLY_HEADER + a - 1) & ~(uintptr_t)(a - 1);
    /* And as glibc has it: a thread may just have found that out. */
    const size_t header[2] = {n, n + sizeof n};
    memcpy((char *)p - EARLY_HEADER, header, sizeof header);
    return (void *)p;
}

/* ---- finding it ---- */

static void find(void);

/* Each of these is called at most a few times: by those who come while the
 * loader is being asked, we ourselves among them. */
static void *first_malloc(size_t size)
{
    find();
    return alloc_next.malloc != first_malloc ? alloc_next.malloc(size)
                                             : early_memalign(EARLY_HEADER, size);
}

static void first_free(void *p)
{
    find();
    if (alloc_next.free != first_free)
        alloc_next.free(p);
}

static void *first_calloc(size_t n, size_t size)
{
    size_t bytes;
    find();
    if (alloc_next.calloc != first_calloc)
        return alloc_next.calloc(n, size);
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return early_memalign(EARLY_HEADER, bytes); /* static memory is zero, and used once */
}

static void *first_realloc(void *p, size_t size)
{
    find();
    if (alloc_next.realloc != first_realloc)
        return alloc_next.realloc(p, size);
    return p ? NULL : early_memalign(EARLY_HEADER, size); /* early blocks never come here */
}

static void *first_memalign(size_t align, size_t size)
{
    find();
    return alloc_next.memalign != first_memalign ? alloc_next.memalign(align, size)
                                                 : early_memalign(align, size);
}

static size_t first_usable(void *p)
{
    find();
    return alloc_next.usable != first_usable ? alloc_next.usable(p) : 0;
}

struct alloc_next alloc_next = {.malloc = first_malloc,
                                .free = first_free,
                                .calloc = first_calloc,
                                .realloc = first_realloc,
                                .memalign = first_memalign,
                                .usable = first_usable};
bool alloc_sizes_inline;

static size_t no_size(void *p)
{
    (void)p;
    return 0;
}

/* For allocators that have only the function of the standard. */
static int (*standard_memalign)(void **, size_t, size_t);
static void *memalign_by_standard(size_t align, size_t size)
{
    void *p = NULL;
    int rc = standard_memalign(&p, align, size);
    if (rc)
        errno = rc;
    return rc ? NULL : p;
}

/* The sizes of glibc's blocks stand in front of them. Believed only of libc's
 * own malloc, and after it has shown that it does. */
static bool sizes_are_inline(const struct alloc_next *next)
{
    static const size_t tried[] = {1, 24, 25, 1000, 5000, 100000, 1 << 20};
    Dl_info theirs, libc;
    if (sizeof(size_t) != 8 || !dladdr((void *)(uintptr_t)next->malloc, &theirs) ||
        !dladdr((void *)(uintptr_t)&getpid, &libc) || theirs.dli_fbase != libc.dli_fbase)
        return false;
    bool same = true;
    for (size_t i = 0; same && i < sizeof tried / sizeof tried[0]; i++) {
        size_t *p = next->malloc(tried[i]);
        if (!p)
            return false;
        same = alloc_inline_size(p) == next->usable(p) && next->usable(p) >= tried[i];
        next->free(p);
    }
    return same;
}

void *alloc_look_up(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void find(void)
{
    static uint32_t state; /* atomic; 1: somebody asks, or has asked */
    uint32_t no = 0;
    struct alloc_next found;
    int kept = errno;
    if (!__atomic_compare_exchange_n(&state, &no, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    found.malloc = (void *(*)(size_t))(uintptr_t)alloc_look_up("malloc");
    found.free = (void (*)(void *))(uintptr_t)alloc_look_up("free");
    found.calloc = (void *(*)(size_t, size_t))(uintptr_t)alloc_look_up("calloc");
    found.realloc = (void *(*)(void *, size_t))(uintptr_t)alloc_look_up("realloc");
    found.memalign = (void *(*)(size_t, size_t))(uintptr_t)alloc_look_up("memalign");
    found.usable = (size_t(*)(void *))(uintptr_t)alloc_look_up("malloc_usable_size");
    standard_memalign =
        (int (*)(void **, size_t, size_t))(uintptr_t)alloc_look_up("posix_memalign");
    if (!found.memalign)
        found.memalign = memalign_by_standard;
    if (!found.usable)
        found.usable = no_size;
    if (found.malloc && found.free && found.calloc && found.realloc) {
        alloc_sizes_inline = sizes_are_inline(&found);
        alloc_next = found;
    }
    errno = kept;
}

bool alloc_is_first(void)
{
    Dl_info ours, theirs;
    void *seen = dlsym(RTLD_DEFAULT, "malloc");
    return seen && dladdr(seen, &theirs) && dladdr((void *)(uintptr_t)&alloc_is_first, &ours) &&
           ours.dli_fbase == theirs.dli_fbase;
}
