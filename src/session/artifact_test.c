/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The artifact header, and the ELF reader behind it on good and bad files.
 */
#include "session/artifact.h"

#include <elf.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/err.h"
#include "test.h"

static struct model_catalog c;

static const char *get(const char *key)
{
    static char text[5000];
    struct model_str s = model_catalog_resource(&c, key);
    snprintf(text, sizeof text, "%.*s", (int)s.n, s.p ? s.p : "");
    return text;
}

TEST(artifact_host_tells_the_machine)
{
    struct utsname u;
    model_catalog_init(&c);
    CHECK_EQ(artifact_host(&c), 0);
    uname(&u);
    CHECK_STR(get("host.name"), u.nodename);
    CHECK_STR(get("oriel.kernel.release"), u.release);
    CHECK_STR(get("os.type"), "linux");
    CHECK_STR(get("telemetry.distro.name"), "oriel");
    CHECK_STR(get("telemetry.distro.version"), ORIEL_VERSION_TEXT);
#ifdef __x86_64__
    CHECK_STR(get("host.arch"), "amd64");
    CHECK(get("host.cpu.model.name")[0] != 0);
#endif
    model_catalog_done(&c);
}

TEST(artifact_command_quotes_arguments)
{
    char a[] = "/bin/pro\"gram", b[] = "line\nbreak", d[] = "\\";
    char *argv[] = {a, b, d, NULL};
    model_catalog_init(&c);
    CHECK_EQ(artifact_command(&c, NULL, argv), 0);
    CHECK_STR(get("process.command_args"), "[\"/bin/pro\\\"gram\",\"line\\u000abreak\",\"\\\\\"]");
    CHECK_STR(get("service.name"), "pro\"gram");
    CHECK_STR(get("oriel.build.compiler"), "");
    model_catalog_done(&c);
}

TEST(artifact_command_bounds_a_huge_command_line)
{
    static char big[20000];
    memset(big, '"', sizeof big - 1);
    char *argv[] = {big, big, NULL};
    model_catalog_init(&c);
    CHECK_EQ(artifact_command(&c, NULL, argv), 0);
    CHECK(strlen(get("process.command_args")) < 4096);
    model_catalog_done(&c);
}

TEST(artifact_vcs_tells_what_is_known)
{
    struct vcs v = {.commit = "abc", .branch = "main"};
    model_catalog_init(&c);
    CHECK_EQ(artifact_vcs(&c, &v, VCS_UNKNOWN), 0);
    CHECK_STR(get("oriel.vcs.dirty"), "unknown");
    CHECK_EQ(artifact_vcs(&c, &v, VCS_DIRTY), 0);
    CHECK_STR(get("vcs.ref.head.revision"), "abc");
    CHECK_STR(get("vcs.ref.head.name"), "main");
    CHECK_STR(get("oriel.vcs.dirty"), "true");
    model_catalog_done(&c);
}

TEST(artifact_compiler_reads_this_very_test)
{
    char text[200];
    REQUIRE(artifact_compiler("/proc/self/exe", text, sizeof text) == 0);
    CHECK(strstr(text, "GCC") || strstr(text, "clang"));
    char small[4];
    REQUIRE(artifact_compiler("/proc/self/exe", small, sizeof small) == 0);
    CHECK_EQ(strlen(small), 3);
}

static const char *write_file(const void *bytes, size_t n)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/file", test_tmpdir());
    FILE *f = fopen(path, "w");
    REQUIRE(f && fwrite(bytes, 1, n, f) == n);
    fclose(f);
    return path;
}

TEST(artifact_compiler_refuses_what_is_no_elf)
{
    char text[100];
    CHECK_EQ(artifact_compiler("/nonexistent", text, sizeof text), ORIEL_EIO);
    CHECK_EQ(artifact_compiler("/", text, sizeof text), ORIEL_EFORMAT);
    CHECK_EQ(artifact_compiler(write_file("#!/bin/sh\n", 10), text, sizeof text), ORIEL_EFORMAT);
    CHECK_EQ(artifact_compiler(write_file("", 0), text, sizeof text), ORIEL_EFORMAT);
}

TEST(artifact_compiler_survives_every_cut_and_hostile_offsets)
{
    char text[100];
    Elf64_Ehdr h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64}, .e_shentsize = 64};
    static const uint64_t nasty[] = {0, 1, 64, UINT64_MAX, UINT64_MAX - 63, INT64_MAX, 1u << 31};
    for (size_t i = 0; i < sizeof nasty / sizeof nasty[0]; i++) {
        h.e_shoff = nasty[i];
        h.e_shnum = 0xffff;
        h.e_shstrndx = (Elf64_Half)i;
        (void)artifact_compiler(write_file(&h, sizeof h), text, sizeof text);
    }
    /* A file whose only section header is itself, full of large numbers. */
    struct {
        Elf64_Ehdr h;
        Elf64_Shdr s[2];
    } file;
    memset(&file, 0xff, sizeof file);
    file.h = h;
    file.h.e_shoff = sizeof h;
    file.h.e_shnum = 2;
    file.h.e_shstrndx = 0;
    file.s[1].sh_type = SHT_PROGBITS;
    for (size_t cut = 0; cut <= sizeof file; cut += 8)
        (void)artifact_compiler(write_file(&file, cut), text, sizeof text);
    CHECK_EQ(artifact_compiler(write_file(&file, sizeof file), text, sizeof text), 0);
    CHECK_STR(text, "");
}

TEST_MAIN()
