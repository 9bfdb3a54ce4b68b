/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs a fuzz target without libFuzzer: over every file of its corpus and a
 * fixed number of mutations of each, the same ones on every machine. The input
 * is an exact-length heap copy, so that a sanitizer sees one byte too many.
 * An input that crashes is left in ./fuzz-crash.input.
 *
 *   usage: TARGET [-n MUTATIONS] CORPUS-FOLDER-OR-FILE...
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20, MUTATIONS_DEFAULT = 2000, EXIT_SKIPPED = 77 };

static uint64_t state;
static unsigned long runs, files, mutations = MUTATIONS_DEFAULT;
static const uint8_t *current;
static size_t current_size;

/* xorshift64*: only has to be the same everywhere. */
static uint64_t next_random(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(0x2545f4914f6cdd1d);
}

static size_t below(size_t n)
{
    return n ? (size_t)(next_random() % n) : 0;
}

static void save_input(void)
{
    int fd = open("fuzz-crash.input", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, current, current_size) == (ssize_t)current_size) {
        static const char text[] = "the input is in fuzz-crash.input\n";
        if (write(2, text, sizeof text - 1) < 0)
            errno = 0;
    }
}

/* Present under a sanitizer, which reports deadly signals better than we do. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* Dies of the signal it came for. */
static void on_signal(int sig)
{
    save_input();
    signal(sig, SIG_DFL);
    raise(sig);
}

static void save_before_death(void)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(save_input);
        return;
    }
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        signal(deadly[i], on_signal);
}

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    current = copy;
    current_size = size;
    LLVMFuzzerTestOneInput(copy, size);
    current_size = 0;
    free(copy);
    runs++;
}

/* What breaks decoders: lengths and offsets that are too large, off by one,
 * or negative. */
static const uint64_t interesting[] = {0,
                                       1,
                                       7,
                                       8,
                                       0x7f,
                                       0x80,
                                       0xff,
                                       0x100,
                                       0x7fff,
                                       0xffff,
                                       0x10000,
                                       0x7fffffff,
                                       0x80000000,
                                       0xffffffff,
                                       0x100000000,
                                       INT64_MAX,
                                       (uint64_t)INT64_MIN,
                                       UINT64_MAX};

static size_t mutate_once(uint8_t *data, size_t size)
{
    size_t at = below(size), width = (size_t)1 << below(4), n;
    uint64_t value;
    switch (below(7)) {
    case 0: /* flip a bit */
        if (size)
            data[at] ^= (uint8_t)(1u << below(8));
        return size;
    case 1: /* any byte */
        if (size)
            data[at] = (uint8_t)next_random();
        return size;
    case 2: /* an interesting number, mostly where numbers lie */
        value = interesting[below(sizeof interesting / sizeof *interesting)];
        if (below(4))
            at &= ~(width - 1);
        if (at + width <= size)
            memcpy(data + at, &value, width);
        return size;
    case 3: /* a number slightly changed */
        at &= ~(width - 1);
        if (at + width <= size) {
            value = 0;
            memcpy(&value, data + at, width);
            value += below(17) - UINT64_C(8);
            memcpy(data + at, &value, width);
        }
        return size;
    case 4: /* cut off the end */
        return below(size + 1);
    case 5: /* take bytes out */
        n = below(size - at < 64 ? size - at : 64);
        memmove(data + at, data + at + n, size - at - n);
        return size - n;
    default: /* repeat bytes */
        n = below(size - at < 64 ? size - at : 64);
        if (size + n > INPUT_MAX)
            return size;
        memmove(data + at + n, data + at, size - at);
        return size + n;
    }
}

static void replay(const uint8_t *data, size_t size)
{
    static uint8_t work[INPUT_MAX];
    files++;
    run(data, size);
    state = UINT64_C(0x9e3779b97f4a7c15) ^ size ^ (uint64_t)files << 32;
    for (unsigned long i = 0; i < mutations; i++) {
        size_t n = size;
        memcpy(work, data, size);
        for (size_t k = 1 + below(4); k > 0; k--)
            n = mutate_once(work, n);
        run(work, n);
    }
}

static void replay_file(const char *path)
{
    static uint8_t data[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(2);
    }
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    replay(data, size);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void replay_path(const char *path)
{
    struct dirent **names;
    struct stat st;
    if (stat(path, &st) != 0)
        return; /* no corpus yet: the empty input and its mutations still run */
    if (!S_ISDIR(st.st_mode)) {
        replay_file(path);
        return;
    }
    int n = scandir(path, &names, NULL, by_name); /* the same order everywhere */
    for (int i = 0; i < n; i++) {
        char sub[4096];
        if (names[i]->d_name[0] != '.') {
            snprintf(sub, sizeof sub, "%s/%s", path, names[i]->d_name);
            replay_path(sub);
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

int main(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "n:")) != -1) {
        if (option != 'n')
            return 2;
        mutations = strtoul(optarg, NULL, 10);
    }
    save_before_death();
    for (int i = optind; i < argc; i++)
        replay_path(argv[i]);
    unsigned long from_corpus = files;
    replay((const uint8_t *)"", 0);
    static const uint8_t zeros[512];
    replay(zeros, sizeof zeros);
    printf("%lu inputs from the corpus, %lu runs\n", from_corpus, runs);
    if (from_corpus == 0)
        printf("no corpus in %s: only mutations of nothing ran\n", argc > 1 ? argv[argc - 1] : "-");
    return from_corpus ? 0 : EXIT_SKIPPED;
}
