/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The one floor to the operating system for code that lives in a stranger's
 * process. Each call retries EINTR, keeps errno of the caller, and returns 0
 * or a negative errno value (not an ORIEL_ code).
 */
#ifndef ORIEL_BASE_OS_H
#define ORIEL_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int32_t os_getpid(void);
int32_t os_getppid(void);
int32_t os_gettid(void);
void os_yield(void);
/* No handler runs on this thread until os_signals_restore. */
void os_signals_block(uint64_t *out_before);
void os_signals_restore(uint64_t before);
/* Path of the running executable, NUL-terminated; -errno when unknown. */
int os_exe_path(char *out, size_t n);
/* A text on standard error; whether anybody reads it is not known. */
void os_complain(const char *text);
int os_random(void *out, size_t n);
/* Start time in clock ticks since boot of a thread (tid 0: the process); 0 if gone. */
uint64_t os_start_time(int32_t pid, int32_t tid);
/* True while the thread exists and, when start_time != 0, is the same one. */
bool os_thread_alive(int32_t pid, int32_t tid, uint64_t start_time);
/* Known not to exist: without /proc, and also where it is not ours to signal. A main thread that
 * nobody has waited for exists. Async-signal-safe. */
bool os_task_gone(int32_t pid, int32_t tid);
int os_thread_name(char *out, size_t n);
/* Read a whole small file (proc, sys) and add a NUL: at most n - 1 bytes, the
 * rest is left out. Returns bytes read or -errno. */
long os_read_file(const char *path, char *out, size_t n);
uint32_t os_boot_tag(void);

/* Map an existing region file shared and writable. It must be a regular file
 * of ours or root's (-EPERM) and no link, except below /proc. */
int os_map_file(const char *path, size_t *out_size, void **out);
void os_unmap(void *p, size_t size);
/* In one step, so that whoever touches [at, at + size) meets memory at any
 * time: fresh zeroed private pages there, or the pages of `from`, which leave
 * their place. -errno: everything is as it was. */
int os_map_blank(void *at, size_t size);
int os_map_move(void *at, void *from, size_t size);
/* Private zeroed pages. */
int os_map_private(size_t size, void **out);
/* Private pages whose content a fork wipes; -EINVAL where the kernel cannot. */
int os_map_wiped(size_t size, void **out);
/* Fresh zero pages that a fork child and its parent have in common. */
int os_map_shared(size_t size, void **out);
/* Create `path` (0600, O_EXCL, O_NOFOLLOW), allocate `size` bytes of it, map. */
int os_create_file(const char *path, size_t size, size_t allocate, int *out_fd, void **out);
/* Allocate what is not yet there of a file like those os_map_file takes, so that no write
 * to a mapping of it meets a full file system. -ENOSPC, ... */
int os_fill_file(const char *path);
/* Create a sealed memfd of `size` bytes with `allocate` bytes preallocated. */
int os_create_memfd(const char *name, size_t size, size_t allocate, int *out_fd, void **out);
/* Per-user runtime directory for rings: $XDG_RUNTIME_DIR/oriel when it is a
 * tmpfs of ours, else /dev/shm/oriel-UID. Made 0700; refused if it belongs to
 * somebody else or is a link. */
int os_runtime_dir(char *out, size_t n);
/* Zeroed pages that show up in /proc/PID/maps under `name` (memfd, or anonymous
 * where that is forbidden) and that a fork child does not have. */
int os_map_published(const char *name, size_t size, void **out);
/* Name an anonymous mapping; kernels without that are passed over. */
void os_name_mapping(const char *name, void *p, size_t size);
void os_prefault(void *p, size_t size);

/* os_signal.c. A guarded stack for signal handlers of this thread, unless it has
 * one: -EEXIST. os_signal_stack_drop takes it away and unmaps it; -EPERM while
 * the thread runs on it, -EEXIST when the thread has another by now. */
int os_signal_stack(size_t size, void **out);
int os_signal_stack_drop(void *stack, size_t size);
/* Bytes left on the signal stack under `here`; SIZE_MAX when not on one.
 * `context` is the handler's third argument. */
size_t os_signal_stack_left(const void *context, const void *here);
/* Where the interrupted code was; 0 where that is not known. */
uint64_t os_signal_ip(const void *context);
/* Send this thread the signal it is handling once more, as it came: it arrives
 * when the handler returns. */
int os_signal_again(int number, void *siginfo);

#endif
