/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Addresses of one module to lines, once without and once with the disk cache.
 * Wall clock and processor time, the confined child included.
 *
 *   usage: symbol_bench MODULE CACHE-FOLDER < ADDRESSES (hexadecimal, sorted)
 */
#include "bench.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbol/elf_file.h"
#include "symbol/symbol.h"

enum { ASKED_MAX = 1 << 20 };
static uint64_t addresses[ASKED_MAX];

static double processor_ms(void)
{
    struct rusage self, child;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &child);
    const struct timeval all[] = {self.ru_utime, self.ru_stime, child.ru_utime, child.ru_stime};
    double ms = 0;
    for (size_t i = 0; i < 4; i++)
        ms += (double)all[i].tv_sec * 1e3 + (double)all[i].tv_usec / 1e3;
    return ms;
}

/* The module's own build-id, or none. */
static size_t read_id(const char *path, uint8_t *out, size_t n)
{
    struct stat st;
    struct elf_file f;
    size_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        exit(2);
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p != MAP_FAILED && elf_file_open(&f, (struct bytes){p, (size_t)st.st_size}, NULL) == 0 &&
        f.build_id.n <= n) {
        memcpy(out, f.build_id.p, f.build_id.n);
        got = f.build_id.n;
    }
    if (p != MAP_FAILED) {
        elf_file_close(&f);
        munmap(p, (size_t)st.st_size);
    }
    close(fd);
    return got;
}

static void measure(const char *name, const struct symbols_module *m, const char *cache)
{
    struct symbols_options o = {.size = sizeof o, .cache_dir = cache, .timeout_ms = 60000};
    struct symbols_result r;
    struct symbols *s;
    double processor = processor_ms(), begin = bench_now();
    if (symbols_open(&o, &s) != 0 || symbols_resolve(s, m, 1, &r) != 0)
        exit(1);
    double wall = (bench_now() - begin) / 1e6;
    printf(
        "{\"name\":\"%s\",\"wall_ms\":%.3f,\"cpu_ms\":%.3f,\"known\":%llu,\"from_cache\":%llu}\n",
        name, wall, processor_ms() - processor,
        (unsigned long long)(m->count - symbols_stats(s)->unknown),
        (unsigned long long)symbols_stats(s)->from_cache);
    symbols_result_done(&r);
    symbols_close(s);
}

int main(int argc, char **argv)
{
    uint8_t id[64];
    char line[64];
    size_t n = 0;
    if (argc != 3)
        return 2;
    while (n < ASKED_MAX && fgets(line, sizeof line, stdin))
        addresses[n++] = strtoull(line, NULL, 16);
    struct symbols_module m = {.path = argv[1], .addresses = addresses, .count = n, .build_id = id};
    m.build_id_bytes = read_id(argv[1], id, sizeof id);
    if (m.build_id_bytes == 0)
        return 2;
    measure("cold", &m, argv[2]);
    measure("warm", &m, argv[2]);
    return 0;
}
