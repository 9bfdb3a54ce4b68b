/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program without Oriel that loads a plugin with it: once, to end in one of
 * the ways of exits.cpp, or over and over again (B12), to see what stays.
 *
 *   exits_host PLUGIN PAGE_FILE HOW
 *   exits_host PLUGIN PAGE_FILE cycles N
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long private_kib(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtoul(line + 8, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

static int cycles(const char *plugin, const char *page, uint64_t count)
{
    unsigned long before = 0;
    for (uint64_t i = 0; i < count; i++) {
        void *library = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
        int (*tick)(const char *, uint64_t) = NULL;
        if (library)
            *(void **)&tick = dlsym(library, "exits_tick");
        if (!tick || tick(page, i) != 0)
            return 3;
        dlclose(library);
        if (i == count / 10)
            before = private_kib();
    }
    printf("cycles %lu grew_kib %ld\n", (unsigned long)count, (long)(private_kib() - before));
    return 0;
}

int main(int argc, char **argv)
{
    int (*run)(const char *, int) = NULL;
    if (argc == 5)
        return cycles(argv[1], argv[2], strtoull(argv[4], NULL, 10));
    void *library = argc == 4 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library)
        *(void **)&run = dlsym(library, "exits_run");
    return run ? run(argv[2], atoi(argv[3])) : 2;
}
