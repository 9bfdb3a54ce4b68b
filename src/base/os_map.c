/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Memory that is shared with a reader or wiped by a fork, and the directory
 * where region files live. Pages are allocated before they are mapped, so a
 * full disk is an error code here and never a SIGBUS in a stranger's process.
 * Same rules as os.c: errno kept, no allocation, any thread.
 */
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* musl 1.2.3 does not know it; the kernel since 5.17. */
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

/* Younger than some of the headers we are built with. */
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#endif
enum { OS_MFD_CLOEXEC = 1, OS_MFD_ALLOW_SEALING = 2, OS_MFD_NOEXEC_SEAL = 8 };
#define TMPFS_KIND 0x01021994L
#define RAMFS_KIND 0x858458f6L

static int open_retry(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

static int map_shared(int fd, size_t size, void **out)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    *out = p;
    return 0;
}

/* Somebody else's file could be truncated under us: only our own, or root's. */
static int check_region_file(const struct stat *st)
{
    if (!S_ISREG(st->st_mode))
        return -EINVAL;
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return -EPERM;
    if (st->st_size <= 0 || (uint64_t)st->st_size > PTRDIFF_MAX)
        return -EINVAL;
    return 0;
}

/* An open region file and its size, or -errno. */
static int open_region_file(const char *path, size_t *out_size)
{
    struct stat st;
    /* /proc/PID/fd/N, the way to another process's memfd, is a link by nature. */
    int nofollow = strncmp(path, "/proc/", 6) == 0 ? 0 : O_NOFOLLOW;
    int fd = open_retry(path, O_RDWR | O_NONBLOCK | nofollow, 0);
    if (fd < 0)
        return fd;
    int rc = fstat(fd, &st) != 0 ? -errno : check_region_file(&st);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    *out_size = (size_t)st.st_size;
    return fd;
}

int os_map_file(const char *path, size_t *out_size, void **out)
{
    int kept = errno, rc;
    size_t size;
    int fd = rc = open_region_file(path, &size);
    if (fd >= 0) {
        rc = map_shared(fd, size, out);
        close(fd);
    }
    if (rc == 0)
        *out_size = size;
    errno = kept;
    return rc;
}

void os_unmap(void *p, size_t size)
{
    int kept = errno;
    if (p)
        munmap(p, size);
    errno = kept;
}

int os_map_blank(void *at, size_t size)
{
    int kept = errno, rc = 0;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
    if (size && mmap(at, size, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
        rc = -errno;
    errno = kept;
    return rc;
}

int os_map_move(void *at, void *from, size_t size)
{
    int kept = errno, rc = 0;
    if (mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED)
        rc = -errno;
    errno = kept;
    return rc;
}

static int map_fresh(size_t size, int kind, void **out)
{
    int kept = errno, rc = 0;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        rc = -errno;
    else
        *out = p;
    errno = kept;
    return rc;
}

int os_map_private(size_t size, void **out)
{
    return map_fresh(size, MAP_PRIVATE, out);
}

int os_map_shared(size_t size, void **out)
{
    return map_fresh(size, MAP_SHARED, out);
}

int os_map_wiped(size_t size, void **out)
{
    int kept = errno, rc = 0;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        rc = -errno;
    } else if (madvise(p, size, MADV_WIPEONFORK) != 0) {
        rc = -errno; /* EINVAL before Linux 4.14 */
        munmap(p, size);
    } else {
        *out = p;
    }
    errno = kept;
    return rc;
}

/* In steps, because tmpfs gives up a whole call when a signal arrives, and a
 * busy timer would then never let a large one finish. */
static int allocate_file(int fd, size_t bytes)
{
    const size_t step = (size_t)4 << 20;
    for (size_t at = 0; at < bytes;) {
        size_t n = bytes - at < step ? bytes - at : step;
        int e = posix_fallocate(fd, (off_t)at, (off_t)n);
        if (e == EINTR)
            continue;
        if (e)
            return -e;
        at += n;
    }
    return 0;
}

int os_fill_file(const char *path)
{
    int kept = errno, rc;
    size_t size;
    int fd = rc = open_region_file(path, &size);
    if (fd >= 0) {
        rc = allocate_file(fd, size);
        close(fd);
    }
    errno = kept;
    return rc;
}

/* Beyond a limit of file sizes (ulimit -f), which counts on tmpfs, too, the call would
 * end the process by SIGXFSZ. */
static int set_size(int fd, size_t size)
{
    struct rlimit limit;
    int rc;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && size > limit.rlim_cur)
        return -EFBIG;
    do
        rc = ftruncate(fd, (off_t)size);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : -errno;
}

/* Size, pages and permissions of a fresh file. */
static int furnish(int fd, size_t size, size_t allocate)
{
    if (fchmod(fd, 0600) != 0)
        return -errno;
    int rc = set_size(fd, size);
    if (rc != 0)
        return rc;
    return allocate_file(fd, allocate < size ? allocate : size);
}

int os_create_file(const char *path, size_t size, size_t allocate, int *out_fd, void **out)
{
    int kept = errno;
    assert(size > 0);
    int fd = open_retry(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0) {
        errno = kept;
        return fd;
    }
    int rc = furnish(fd, size, allocate);
    if (rc == 0)
        rc = map_shared(fd, size, out);
    if (rc == 0) {
        *out_fd = fd;
    } else {
        unlink(path);
        close(fd);
    }
    errno = kept;
    return rc;
}

static int open_memfd(const char *name)
{
    unsigned flags = OS_MFD_CLOEXEC | OS_MFD_ALLOW_SEALING;
    long fd = syscall(SYS_memfd_create, name, flags | OS_MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) /* no NOEXEC_SEAL before Linux 6.3 */
        fd = syscall(SYS_memfd_create, name, flags);
    return fd < 0 ? -errno : (int)fd;
}

int os_create_memfd(const char *name, size_t size, size_t allocate, int *out_fd, void **out)
{
    int kept = errno;
    assert(size > 0);
    int fd = open_memfd(name);
    if (fd < 0) {
        errno = kept;
        return fd;
    }
    int rc = furnish(fd, size, allocate);
    /* Sealed, no other holder of the descriptor can shrink it under a writer. */
    if (rc == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        rc = -errno;
    if (rc == 0)
        rc = map_shared(fd, size, out);
    if (rc == 0)
        *out_fd = fd;
    else
        close(fd);
    errno = kept;
    return rc;
}

/* A directory of ours on a memory file system, closed to others' writes. */
static bool is_private_tmpfs(const char *path)
{
    struct statfs fs;
    struct stat st;
    if (path[0] != '/' || lstat(path, &st) != 0 || statfs(path, &fs) != 0)
        return false;
    return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 022) == 0 &&
           ((unsigned long)fs.f_type == TMPFS_KIND || (unsigned long)fs.f_type == RAMFS_KIND);
}

/* Make it if it is missing; then it must be a directory of ours, no link. */
static int own_directory(const char *path)
{
    struct stat st;
    int rc = 0;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return -errno;
    int fd = open_retry(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0)
        return fd == -ELOOP || fd == -ENOTDIR ? -EPERM : fd;
    if (fstat(fd, &st) != 0)
        rc = -errno;
    else if (st.st_uid != geteuid())
        rc = -EPERM;
    else if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) != 0)
        rc = -errno;
    close(fd);
    return rc;
}

int os_runtime_dir(char *out, size_t n)
{
    int kept = errno, len;
    /* secure_: a set-uid program does not let its caller choose. */
    const char *xdg = secure_getenv("XDG_RUNTIME_DIR");
    if (xdg && is_private_tmpfs(xdg))
        len = snprintf(out, n, "%s/oriel", xdg);
    else
        len = snprintf(out, n, "/dev/shm/oriel-%u", (unsigned)geteuid());
    int rc = len < 0 || (size_t)len >= n ? -ENAMETOOLONG : own_directory(out);
    errno = kept;
    return rc;
}

void os_prefault(void *p, size_t size)
{
    int kept = errno;
    char nothing = 0;
    /* Hidden from the compiler, which would make a plain load of "or 0". */
    __asm__ volatile("" : "+r"(nothing));
    if (size && madvise(p, size, MADV_POPULATE_WRITE) != 0) /* from Linux 5.14 */
        for (size_t at = 0; at < size; at += 4096)
            __atomic_fetch_or((char *)p + at, nothing, __ATOMIC_RELAXED);
    errno = kept;
}

int os_map_published(const char *name, size_t size, void **out)
{
    int kept = errno, rc = 0, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    int fd = (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC);
    if (fd >= 0 && set_size(fd, size) == 0)
        flags = MAP_SHARED;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, flags == MAP_SHARED ? fd : -1, 0);
    if (p == MAP_FAILED) {
        rc = -errno;
    } else if (madvise(p, size, MADV_DONTFORK) != 0) {
        rc = -errno;
        munmap(p, size);
    } else {
        *out = p;
    }
    if (fd >= 0)
        close(fd);
    errno = kept;
    return rc;
}

void os_name_mapping(const char *name, void *p, size_t size)
{
    int kept = errno;
    prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (unsigned long)p, size, (unsigned long)name);
    errno = kept;
}
