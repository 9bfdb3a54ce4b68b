/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fills the artifact header from uname, /proc and /etc, and from the ELF file
 * that is recorded. Everything read here is small and bounded.
 */
#include "session/artifact.h"

#include <assert.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/err.h"
#include "base/os.h"
#include "secret/scrub.h"

int artifact_set(struct model_catalog *c, const char *key, const char *value)
{
    assert(c && key);
    if (!value || !value[0])
        return 0;
    return model_catalog_set_resource(c, (struct model_str){key, (uint32_t)strlen(key)},
                                      (struct model_str){value, (uint32_t)strlen(value)});
}

bool artifact_line_value(const char *text, const char *key, const char *seps, char *out, size_t n)
{
    size_t len = strlen(key);
    for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p != NULL) {
        if (strncmp(p, key, len) != 0 || !strchr(seps, p[len]) || !p[len])
            continue;
        const char *from = p + len + strspn(p + len, seps);
        size_t size = strcspn(from, "\n");
        if (size && *from == '"') {
            from++;
            size = strcspn(from, "\"\n");
        }
        snprintf(out, n, "%.*s", (int)size, from);
        return size > 0;
    }
    return false;
}

static int set_os(struct model_catalog *c)
{
    char text[4096], value[256];
    int rc = artifact_set(c, "os.type", "linux");
    if (os_read_file("/etc/os-release", text, sizeof text) < 0 &&
        os_read_file("/usr/lib/os-release", text, sizeof text) < 0)
        text[0] = 0;
    static const char *const keys[][2] = {
        {"PRETTY_NAME", "os.description"}, {"NAME", "os.name"}, {"VERSION_ID", "os.version"}};
    for (size_t i = 0; rc == 0 && i < sizeof keys / sizeof keys[0]; i++)
        if (artifact_line_value(text, keys[i][0], "=", value, sizeof value))
            rc = artifact_set(c, keys[i][1], value);
    return rc;
}

static int set_cpu(struct model_catalog *c)
{
    char text[4096], value[256];
    if (os_read_file("/proc/cpuinfo", text, sizeof text) < 0)
        text[0] = 0;
    int rc = 0;
    if (artifact_line_value(text, "model name", "\t :", value, sizeof value))
        rc = artifact_set(c, "host.cpu.model.name", value);
    if (rc == 0 && artifact_line_value(text, "vendor_id", "\t :", value, sizeof value))
        rc = artifact_set(c, "host.cpu.vendor.id", value);
    snprintf(value, sizeof value, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    return rc ? rc : artifact_set(c, "oriel.host.cpu.count", value);
}

const char *artifact_arch(const char *machine)
{
    return strcmp(machine, "x86_64") == 0    ? "amd64"
           : strcmp(machine, "aarch64") == 0 ? "arm64"
                                             : machine;
}

int artifact_host(struct model_catalog *c)
{
    struct utsname u;
    int rc = artifact_set(c, "telemetry.distro.name", "oriel");
    if (rc == 0)
        rc = artifact_set(c, "telemetry.distro.version", ORIEL_VERSION_TEXT);
    if (rc == 0 && uname(&u) == 0) {
        rc = artifact_set(c, "host.name", u.nodename);
        if (rc == 0)
            rc = artifact_set(c, "host.arch", artifact_arch(u.machine));
        if (rc == 0)
            rc = artifact_set(c, "oriel.kernel.release", u.release);
        if (rc == 0)
            rc = artifact_set(c, "os.build_id", u.version);
    }
    if (rc == 0)
        rc = set_os(c);
    return rc ? rc : set_cpu(c);
}

/* ---- the recorded program ---- */

/* JSON array, as OpenTelemetry's string[] attributes are printed. */
static void args_text(char *const argv[], char *out, size_t n)
{
    size_t at = 0;
    for (int i = 0; argv[i] && at + 8 < n; i++) {
        out[at++] = i ? ',' : '[';
        out[at++] = '"';
        for (const unsigned char *p = (const unsigned char *)argv[i]; *p && at + 10 < n; p++) {
            if (*p == '"' || *p == '\\')
                out[at++] = '\\';
            if (*p < 0x20)
                at += (size_t)snprintf(out + at, n - at, "\\u%04x", *p);
            else
                out[at++] = (char)*p;
        }
        out[at++] = '"';
    }
    assert(at + 2 <= n);
    if (at)
        out[at++] = ']';
    out[at] = 0;
}

enum { ARGS_BYTES = 4096, ARGS_MAX = 1024 };

/* A copy of the arguments, as far as they are told. */
static void without_secrets(char *const argv[], char joined[ARGS_BYTES], char *out[ARGS_MAX + 1])
{
    size_t n = 0, count = 0, at = 0;
    for (; argv[count] && count < ARGS_MAX; count++) {
        size_t size = strlen(argv[count]) + 1;
        if (n + size > ARGS_BYTES)
            break;
        memcpy(joined + n, argv[count], size);
        n += size;
    }
    (void)scrub_mask(joined, n, SCRUB_ALL);
    for (size_t i = 0; i < count; i++) {
        out[i] = joined + at;
        at += strlen(joined + at) + 1;
    }
    out[count] = NULL;
}

int artifact_command(struct model_catalog *c, const char *exe, char *const argv[])
{
    assert(argv && argv[0]);
    char text[4096], path[VCS_PATH_BYTES];
    const char *slash = strrchr(argv[0], '/');
    int rc = artifact_set(c, "service.name", slash && slash[1] ? slash + 1 : argv[0]);
    char joined[ARGS_BYTES], *args[ARGS_MAX + 1];
    without_secrets(argv, joined, args);
    args_text(args, text, sizeof text);
    if (rc == 0)
        rc = artifact_set(c, "process.command_args", text);
    if (rc == 0 && exe)
        rc = artifact_set(c, "process.executable.path", exe);
    if (rc == 0 && exe && artifact_compiler(exe, text, sizeof text) == 0)
        rc = artifact_set(c, "oriel.build.compiler", text);
    if (rc == 0 && getcwd(path, sizeof path))
        rc = artifact_set(c, "process.working_directory", path);
    return rc;
}

int artifact_vcs(struct model_catalog *c, const struct vcs *v, enum vcs_dirty dirty)
{
    int rc = artifact_set(c, "vcs.ref.head.revision", v->commit);
    if (rc == 0)
        rc = artifact_set(c, "vcs.ref.head.name", v->branch);
    if (rc == 0)
        rc = artifact_set(c, "oriel.vcs.dirty",
                          dirty == VCS_UNKNOWN ? "unknown"
                          : dirty              ? "true"
                                               : "false");
    return rc;
}

/* ---- .comment ---- */

static bool read_at(int fd, void *out, size_t n, uint64_t at)
{
    return at <= INT64_MAX && pread(fd, out, n, (off_t)at) == (ssize_t)n;
}

/* Header of section i, if the table has one of the size we know. */
static bool section(int fd, const Elf64_Ehdr *h, uint32_t i, Elf64_Shdr *out)
{
    return i < h->e_shnum && h->e_shentsize == sizeof *out &&
           read_at(fd, out, sizeof *out, h->e_shoff + (uint64_t)i * sizeof *out);
}

static int comment_of(int fd, char *out, size_t n)
{
    Elf64_Ehdr h;
    Elf64_Shdr names, s;
    if (!read_at(fd, &h, sizeof h, 0) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
        h.e_ident[EI_CLASS] != ELFCLASS64 || !section(fd, &h, h.e_shstrndx, &names))
        return ORIEL_EFORMAT;
    for (uint32_t i = 1; section(fd, &h, i, &s); i++) {
        char name[9] = {0};
        if (s.sh_name > names.sh_size || s.sh_type != SHT_PROGBITS ||
            !read_at(fd, name, sizeof name, names.sh_offset + s.sh_name) ||
            memcmp(name, ".comment", sizeof name) != 0)
            continue;
        size_t size = s.sh_size < n - 1 ? (size_t)s.sh_size : n - 1;
        if (!read_at(fd, out, size, s.sh_offset))
            return ORIEL_EFORMAT;
        out[size] = 0; /* the first of several NUL-terminated texts */
        return 0;
    }
    out[0] = 0;
    return 0;
}

int artifact_compiler(const char *exe, char *out, size_t n)
{
    assert(n > 0);
    int fd = open(exe, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return ORIEL_EIO;
    int rc = comment_of(fd, out, n);
    close(fd);
    return rc;
}
