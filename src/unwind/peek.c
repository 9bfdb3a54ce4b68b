/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reading memory that may not be there: the kernel copies it, and a fault is an
 * error code. One system call for each block of the stack. Async-signal-safe.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "unwind/modules.h"

static uint32_t fill(struct unwind_peek *p, uint64_t start)
{
    struct iovec to = {p->block, sizeof p->block};
    struct iovec from = {(void *)(uintptr_t)start, sizeof p->block};
    int saved = errno;
    ssize_t got = process_vm_readv(p->pid, &to, 1, &from, 1, 0);
    errno = saved;
    p->start = start;
    p->size = got > 0 ? (uint32_t)got : 0;
    return p->size;
}

bool unwind_peek_read(void *peek, uint64_t address, void *out, size_t n)
{
    struct unwind_peek *p = peek;
    assert(n <= UNWIND_PEEK_BYTES / 2);
    if (p->size < n || address - p->start > p->size - n) {
        /* Blocks are aligned, so none crosses into a page that is not there;
         * what crosses a block's end is read on its own. */
        uint64_t start = address & ~(uint64_t)(UNWIND_PEEK_BYTES - 1);
        if (address + n - start > UNWIND_PEEK_BYTES)
            start = address;
        if (fill(p, start) < n || address - p->start > p->size - n)
            return false;
    }
    memcpy(out, p->block + (address - p->start), n);
    return true;
}
