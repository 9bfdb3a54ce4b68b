/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef LOCKED_MALLOC_H
#define LOCKED_MALLOC_H

/* Called with the allocator's lock held, in each call; NULL: nothing. Not there: no such one. */
extern void (*locked_malloc_calls)(void) __attribute__((weak, visibility("default")));

#endif
