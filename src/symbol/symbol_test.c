/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/symbol.h"

#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "symbol/elf_file.h"
#include "random.h"
#include "test.h"

/* ---- this program, as a module ---- */

__attribute__((noinline)) static uint64_t landmark(void)
{
    return (uint64_t)(uintptr_t)__builtin_return_address(0) - 1;
}

static int first_bias(struct dl_phdr_info *info, size_t size, void *out)
{
    *(uint64_t *)out = info->dlpi_addr;
    return 1;
}
static uint64_t bias(void)
{
    uint64_t value = 0;
    dl_iterate_phdr(first_bias, &value);
    return value;
}

struct self {
    struct bytes map;
    uint8_t id[64];
    size_t id_bytes;
};
static void open_self(struct self *s)
{
    struct stat st;
    struct elf_file f;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0 && fstat(fd, &st) == 0);
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    REQUIRE(p != MAP_FAILED);
    close(fd);
    s->map = (struct bytes){p, (size_t)st.st_size};
    REQUIRE(elf_file_open(&f, s->map, NULL) == 0);
    if (f.build_id.n == 0 || f.build_id.n > sizeof s->id)
        test_skip("the linker writes no build-id here");
    memcpy(s->id, f.build_id.p, f.build_id.n);
    s->id_bytes = f.build_id.n;
    elf_file_close(&f);
}

static const char *exe(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    REQUIRE(n > 0);
    path[n] = 0;
    return path;
}

static struct symbols *open_symbols(const char *cache)
{
    struct symbols *s;
    struct symbols_options o = {.size = sizeof o, .cache_dir = cache, .timeout_ms = 600000};
    REQUIRE(symbols_open(&o, &s) == 0);
    return s;
}

static struct symbols_result ask(struct symbols *s, const char *path, const struct self *self,
                                 const uint64_t *addresses, size_t n)
{
    struct symbols_result r;
    struct symbols_module m = {.path = path, .addresses = addresses, .count = n};
    if (self) {
        m.build_id = self->id;
        m.build_id_bytes = self->id_bytes;
    }
    REQUIRE(symbols_resolve(s, &m, 1, &r) == 0);
    return r;
}

static const struct symbols_line *line_of(const struct symbols_result *r, size_t address,
                                          uint32_t n)
{
    const struct symbols_answer *a = &r->modules[0].items[address];
    REQUIRE(n < a->count);
    return &r->lines.items[a->first + n];
}

static const char *name_of(const struct symbols_result *r, size_t address)
{
    return intern_get(&r->strings,
                      line_of(r, address, r->modules[0].items[address].count - 1)->name)
        .p;
}

static int called_at;
__attribute__((noinline)) static uint64_t caller(void)
{
    called_at = __LINE__ + 1;
    uint64_t at = landmark() - bias();
    __asm__ volatile("" : "+r"(at));
    return at;
}

TEST(an_address_becomes_function_file_and_line)
{
    struct symbols *s = open_symbols(NULL);
    uint64_t at = caller();
    struct symbols_result r = ask(s, exe(), NULL, &at, 1);
    const struct symbols_line *l = line_of(&r, 0, 0);
    CHECK_STR(intern_get(&r.strings, l->name).p, "caller");
    CHECK_EQ(l->line, called_at);
    CHECK(strstr(intern_get(&r.strings, l->file).p, "symbol_test.c") != NULL);
    CHECK_EQ(intern_get(&r.strings, l->file).p[0], '/');
    CHECK(l->start_line > 0 && l->start_line < l->line);
    CHECK(!l->inlined);
    CHECK_EQ(r.modules[0].items[0].how, SYMBOLS_BY_DWARF);
    CHECK_STR(r.modules[0].text, "");
    symbols_result_done(&r);
    symbols_close(s);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(the_second_time_the_cache_answers_the_same_without_a_file)
{
    struct self self;
    open_self(&self);
    uint64_t at[] = {caller(), UINT64_MAX - 5};
    struct symbols *s = open_symbols(test_tmpdir());
    struct symbols_result a = ask(s, exe(), &self, at, 2);
    struct symbols_result b = ask(s, "/no/such/file", &self, at, 2);
    CHECK_EQ(symbols_stats(s)->from_cache, 1);
    CHECK_EQ(a.modules[0].items[1].count, 0);
    CHECK_EQ(b.modules[0].items[1].count, 0);
    CHECK_STR(name_of(&a, 0), "caller");
    CHECK_STR(name_of(&b, 0), "caller");
    CHECK_EQ(line_of(&a, 0, 0)->line, line_of(&b, 0, 0)->line);
    CHECK_EQ(symbols_stats(s)->missing, 0);
    symbols_result_done(&a);
    symbols_result_done(&b);
    symbols_close(s);
}

TEST(new_addresses_are_added_to_what_the_cache_knows)
{
    struct self self;
    open_self(&self);
    uint64_t first = caller(), second = (uint64_t)(uintptr_t)open_symbols - bias();
    struct symbols *s = open_symbols(test_tmpdir());
    struct symbols_result r = ask(s, exe(), &self, &first, 1);
    symbols_result_done(&r);
    r = ask(s, exe(), &self, &second, 1);
    CHECK_STR(name_of(&r, 0), "open_symbols");
    symbols_result_done(&r);
    CHECK_EQ(symbols_stats(s)->from_cache, 0);
    uint64_t both[] = {first < second ? first : second, first < second ? second : first};
    r = ask(s, "/no/such/file", &self, both, 2);
    CHECK_EQ(symbols_stats(s)->from_cache, 1);
    CHECK_STR(name_of(&r, first < second ? 0 : 1), "caller");
    symbols_result_done(&r);
    symbols_close(s);
}

static void damage(const char *dir, const char *name, long at)
{
    char path[5000];
    snprintf(path, sizeof path, "%s/%s.symbols", dir, name);
    int fd = open(path, O_RDWR);
    REQUIRE(fd >= 0 && pwrite(fd, "\x55\xaa\x55", 3, at) == 3);
    close(fd);
}

TEST(a_damaged_cache_file_is_made_anew_without_a_word)
{
    struct self self;
    open_self(&self);
    char hex[140] = "";
    for (size_t i = 0; i < self.id_bytes; i++)
        snprintf(hex + i * 2, 3, "%02x", self.id[i]);
    uint64_t at = caller();
    struct symbols *s = open_symbols(test_tmpdir());
    static const long places[] = {0, 9, 20, 60, 120, 300};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct symbols_result r = ask(s, exe(), &self, &at, 1);
        CHECK_STR(name_of(&r, 0), "caller");
        CHECK_STR(r.modules[0].text, "");
        symbols_result_done(&r);
        damage(test_tmpdir(), hex, places[i]);
    }
    CHECK_EQ(symbols_stats(s)->from_cache, 0);
    symbols_close(s);
}

TEST(another_build_of_the_file_is_not_used_and_told)
{
    static const char *const no_dirs[] = {NULL};
    struct self self = {.id = {1, 2, 3, 4}, .id_bytes = 4};
    struct symbols_options o = {.size = sizeof o, .debug_dirs = no_dirs};
    struct symbols *s;
    REQUIRE(symbols_open(&o, &s) == 0);
    uint64_t at = caller();
    struct symbols_result r = ask(s, exe(), &self, &at, 1);
    CHECK_EQ(r.modules[0].items[0].count, 0);
    CHECK_EQ(r.modules[0].items[0].how, SYMBOLS_UNKNOWN);
    CHECK(strstr(r.modules[0].text, "another build") != NULL);
    CHECK(strncmp(r.modules[0].text, exe(), strlen(exe())) == 0);
    CHECK_EQ(symbols_stats(s)->mismatched, 1);
    CHECK_EQ(symbols_stats(s)->unknown, 1);
    symbols_result_done(&r);
    symbols_close(s);
}

TEST(files_that_are_missing_or_no_elf_cost_themselves_only)
{
    char empty[5000], words[5000];
    snprintf(empty, sizeof empty, "%s/empty", test_tmpdir());
    snprintf(words, sizeof words, "%s/words", test_tmpdir());
    close(open(empty, O_CREAT | O_WRONLY, 0600));
    int fd = open(words, O_CREAT | O_WRONLY, 0600);
    CHECK_EQ(write(fd, "no elf file at all", 18), 18);
    close(fd);
    uint64_t at = caller();
    struct symbols_module m[] = {{.path = "/no/such/file", .addresses = &at, .count = 1},
                                 {.path = empty, .addresses = &at, .count = 1},
                                 {.path = words, .addresses = &at, .count = 1},
                                 {.path = "/dev/zero", .addresses = &at, .count = 1},
                                 {.path = exe(), .addresses = &at, .count = 1}};
    struct symbols *s = open_symbols(NULL);
    struct symbols_result r;
    REQUIRE(symbols_resolve(s, m, 5, &r) == 0);
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(r.modules[i].items[0].count, 0);
        CHECK(r.modules[i].code != 0 && r.modules[i].text[0] != 0);
    }
    CHECK(strstr(r.modules[2].text, "is no ELF file") != NULL);
    CHECK(r.modules[4].items[0].count > 0);
    CHECK_EQ(symbols_stats(s)->missing, 3);
    CHECK_EQ(symbols_stats(s)->by_dwarf, 1);
    symbols_result_done(&r);
    symbols_close(s);
}

TEST(unsorted_addresses_are_refused)
{
    uint64_t at[] = {5, 4};
    struct symbols_module m = {.path = "/x", .addresses = at, .count = 2};
    struct symbols_result r;
    struct symbols *s = open_symbols(NULL);
    CHECK_EQ(symbols_resolve(s, &m, 1, &r), ORIEL_EINVAL);
    symbols_close(s);
}

TEST(an_older_and_shorter_options_struct_is_taken)
{
    struct symbols *s;
    struct symbols_options *old = mem_calloc(1, sizeof old->size);
    REQUIRE(old);
    old->size = sizeof old->size;
    CHECK_EQ(symbols_open(old, &s), 0);
    symbols_close(s);
    mem_free(old);
    struct symbols_options larger = {.size = sizeof larger + 8};
    CHECK_EQ(symbols_open(&larger, &s), ORIEL_EINVAL);
}

TEST(the_cache_lies_where_the_desktop_rules_say)
{
    char dir[100];
    CHECK(symbols_cache_dir("/x/cache", "/h/u", dir, sizeof dir));
    CHECK_STR(dir, "/x/cache/oriel/symbols");
    CHECK(symbols_cache_dir("relative", "/h/u", dir, sizeof dir));
    CHECK_STR(dir, "/h/u/.cache/oriel/symbols");
    CHECK(!symbols_cache_dir(NULL, NULL, dir, sizeof dir));
    CHECK(!symbols_cache_dir("/x/cache", NULL, dir, 10));
}

/* ---- hostile files ---- */

static uint64_t seed = 1;
static size_t below(size_t n)
{
    return (size_t)(random_next(&seed) % n);
}

/* The file with some bytes of its headers and debug sections changed. */
static void mutate(const struct self *self, const struct elf_file *f, int fd)
{
    REQUIRE(ftruncate(fd, 0) == 0);
    REQUIRE(pwrite(fd, self->map.p, self->map.n, 0) == (ssize_t)self->map.n);
    for (size_t k = 1 + below(20); k > 0; k--) {
        const struct elf_section *s = &f->sections[below(f->section_count)];
        uint64_t from = s->offset, size = s->size;
        if (below(8) == 0) {
            from = below(2) ? 0 : self->map.n - 64 * f->section_count;
            size = self->map.n - from < 4096 ? self->map.n - from : 4096;
        } else if (strncmp(s->name, ".debug", 6) != 0 && below(4)) {
            continue;
        }
        static const uint8_t bytes[] = {0, 1, 0x7f, 0x80, 0xff, 0x11, 0x1d, 0x2e};
        if (size && from + size <= self->map.n)
            REQUIRE(pwrite(fd, &bytes[below(8)], 1, (off_t)(from + below(size))) == 1);
    }
    if (below(10) == 0)
        REQUIRE(ftruncate(fd, (off_t)below(self->map.n)) == 0);
}

/* ORIEL_MUTATIONS raises the number. */
TEST_T(mutated_files_cost_their_own_symbols_only, 600)
{
    struct self self;
    struct elf_file f;
    char path[5000];
    const char *more = getenv("ORIEL_MUTATIONS");
    int n = more ? (int)strtol(more, NULL, 10) : 150;
    open_self(&self);
    REQUIRE(elf_file_open(&f, self.map, NULL) == 0);
    struct elf_section *text = elf_file_find(&f, ".text");
    REQUIRE(text);
    uint64_t at[200];
    for (size_t i = 0; i < 200; i++)
        at[i] = text->addr + text->size * i / 200;
    snprintf(path, sizeof path, "%s/mutated", test_tmpdir());
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    struct symbols *s = open_symbols(NULL);
    for (int i = 0; i < n; i++) {
        mutate(&self, &f, fd);
        struct symbols_result r = ask(s, path, NULL, at, 200);
        symbols_result_done(&r);
        test_stop_if_failed();
    }
    /* The reader itself is sound: the child's bounds are the second wall. */
    CHECK_EQ(symbols_stats(s)->failed, 0);
    CHECK(symbols_stats(s)->by_dwarf > 0);
    symbols_close(s);
    elf_file_close(&f);
    close(fd);
}

TEST_MAIN()
