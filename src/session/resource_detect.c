/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Detectors that look at this machine: process, host, system, container, Kubernetes.
 * Every file is small or read to a bound. The command line is never told: it
 * holds what people type.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "session/artifact.h"
#include "session/resource.h"

enum { CONTAINER_ID = 64, MOUNTINFO_BYTES = 256 << 10 };

/* A small file below the root, as text; false: not there. */
static bool read_below(const struct resource_input *in, const char *path, char *out, size_t n)
{
    char full[PATH_MAX];
    int size = snprintf(full, sizeof full, "%s%s", in->root, path);
    return size > 0 && (size_t)size < sizeof full && os_read_file(full, out, n) > 0;
}

static bool first_line(const struct resource_input *in, const char *path, char *out, size_t n)
{
    if (!read_below(in, path, out, n))
        return false;
    out[strcspn(out, "\r\n")] = 0;
    return out[0] != 0;
}

static const char *variable(const struct resource_input *in, const char *name)
{
    size_t n = strlen(name);
    for (const char *const *e = in->environment; e && *e; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=' && (*e)[n + 1])
            return *e + n + 1;
    return NULL;
}

/* ---- process ---- */

/* Number behind "Key:\t" of proc's status; -1. */
static long status_number(const char *status, const char *key)
{
    char value[64];
    return artifact_line_value(status, key, ":\t ", value, sizeof value) ? strtol(value, NULL, 10)
                                                                         : -1;
}

/* Its name out of passwd, not of the name service: that would load libraries into the program. */
static void put_owner(struct resource *r, const struct resource_input *in, long uid)
{
    char text[16384], name[64], number[24];
    snprintf(number, sizeof number, "%ld", uid);
    if (!read_below(in, "/etc/passwd", text, sizeof text))
        return;
    for (char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        size_t n = strcspn(line, ":\n"), digits = strlen(number);
        const char *p = line[n] == ':' ? line + n + 1 : line;
        p += strcspn(p, ":\n");
        if (*p != ':' || strncmp(p + 1, number, digits) != 0 || p[1 + digits] != ':')
            continue;
        snprintf(name, sizeof name, "%.*s", (int)n, line);
        resource_set(r, "process.owner", name);
        return;
    }
}

void resource_find_process(struct resource *r, const struct resource_input *in)
{
    char path[PATH_MAX], exe[PATH_MAX], status[4096], number[24];
    snprintf(number, sizeof number, "%d", (int)in->pid);
    resource_set(r, "process.pid", number);
    snprintf(path, sizeof path, "%s/proc/%d/exe", in->root, (int)in->pid);
    ssize_t n = readlink(path, exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    const char *slash = strrchr(exe, '/');
    resource_set(r, "process.executable.path", exe);
    resource_set(r, "process.executable.name", slash ? slash + 1 : exe);
    snprintf(path, sizeof path, "/proc/%d/status", (int)in->pid);
    if (!read_below(in, path, status, sizeof status))
        return;
    long parent = status_number(status, "PPid"), uid = status_number(status, "Uid");
    if (parent > 0) {
        snprintf(number, sizeof number, "%ld", parent);
        resource_set(r, "process.parent_pid", number);
    }
    if (uid >= 0)
        put_owner(r, in, uid);
}

/* ---- host and system ---- */

void resource_find_host(struct resource *r, const struct resource_input *in)
{
    struct utsname u;
    char text[256];
    if (in->root[0] && first_line(in, "/proc/sys/kernel/hostname", text, sizeof text))
        resource_set(r, "host.name", text);
    else if (uname(&u) == 0)
        resource_set(r, "host.name", u.nodename);
    if (uname(&u) == 0)
        resource_set(r, "host.arch", artifact_arch(u.machine));
    if (first_line(in, "/etc/machine-id", text, sizeof text) ||
        first_line(in, "/var/lib/dbus/machine-id", text, sizeof text))
        resource_set(r, "host.id", text);
}

void resource_find_os(struct resource *r, const struct resource_input *in)
{
    static const char *const keys[][2] = {
        {"PRETTY_NAME", "os.description"}, {"NAME", "os.name"}, {"VERSION_ID", "os.version"}};
    char text[4096], value[256];
    resource_set(r, "os.type", "linux");
    if (!read_below(in, "/etc/os-release", text, sizeof text) &&
        !read_below(in, "/usr/lib/os-release", text, sizeof text))
        return;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (artifact_line_value(text, keys[i][0], "=", value, sizeof value))
            resource_set(r, keys[i][1], value);
}

/* ---- container ---- */

static bool is_hex(const char *p, size_t n)
{
    return strspn(p, "0123456789abcdef") >= n;
}

/* 64 hex digits, or 32 and the number of a task (AWS Fargate), and nothing behind. */
static bool container_id(const char *p, size_t n, char out[CONTAINER_ID + 1])
{
    bool plain = n == CONTAINER_ID && is_hex(p, n);
    bool task = n > 33 && n <= 48 && is_hex(p, 32) && p[32] == '-' &&
                strspn(p + 33, "0123456789") >= n - 33;
    if (!plain && !task)
        return false;
    memcpy(out, p, n);
    out[n] = 0;
    return true;
}

/* "/docker/<id>", "/kubepods/.../cri-containerd-<id>.scope", "/system.slice/docker-<id>.scope",
 * ".../libpod-<id>.scope/container": the last part that is one. */
static bool id_of_cgroup(const char *path, size_t n, char out[CONTAINER_ID + 1])
{
    bool found = false;
    for (size_t i = 0; i < n;) {
        size_t size = 0;
        while (i + size < n && path[i + size] != '/')
            size++;
        const char *part = path + i;
        size_t end = size > 6 && memcmp(part + size - 6, ".scope", 6) == 0 ? size - 6 : size;
        size_t start =
            end > CONTAINER_ID && part[end - CONTAINER_ID - 1] == '-' ? end - CONTAINER_ID : 0;
        found = container_id(part + start, end - start, out) || found;
        i += size + 1;
    }
    return found;
}

static bool find_in_cgroup(const char *text, char out[CONTAINER_ID + 1])
{
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        size_t n = strcspn(line, "\n");
        const char *path = memchr(line, ':', n);
        path = path ? memchr(path + 1, ':', (size_t)(line + n - path - 1)) : NULL;
        if (path && id_of_cgroup(path + 1, (size_t)(line + n - path - 1), out))
            return true;
    }
    return false;
}

/* With a cgroup namespace the path says nothing; what is mounted over /etc/hostname and its
 * like comes from the engine's folder of the container. Sandboxes are pods, not containers. */
static bool find_in_mounts(const char *text, char out[CONTAINER_ID + 1])
{
    static const char *const folders[] = {"/containers/", "/overlay-containers/"};
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        size_t n = strcspn(line, "\n");
        if (!memmem(line, n, " /etc/host", 10) && !memmem(line, n, " /etc/resolv.conf ", 18))
            continue;
        for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
            const char *p = memmem(line, n, folders[i], strlen(folders[i]));
            size_t size = p ? strcspn(p + strlen(folders[i]), "/ \n") : 0;
            if (size && container_id(p + strlen(folders[i]), size, out))
                return true;
        }
    }
    return false;
}

void resource_find_container(struct resource *r, const struct resource_input *in)
{
    char path[64], cgroup[8192], id[CONTAINER_ID + 1];
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)in->pid);
    bool found = read_below(in, path, cgroup, sizeof cgroup) && find_in_cgroup(cgroup, id);
    char *mounts = found ? NULL : mem_alloc(MOUNTINFO_BYTES);
    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)in->pid);
    if (mounts && read_below(in, path, mounts, MOUNTINFO_BYTES))
        found = find_in_mounts(mounts, id);
    mem_free(mounts);
    if (found)
        resource_set(r, "container.id", id);
}

/* ---- Kubernetes ---- */

/* The names people give to what the downward API hands in; those that say Kubernetes count
 * anywhere, the others only in a pod. */
static const struct {
    const char *variable, *key;
    bool anywhere;
} downward[] = {
    {"POD_NAME", "k8s.pod.name", false},
    {"K8S_POD_NAME", "k8s.pod.name", true},
    {"POD_UID", "k8s.pod.uid", false},
    {"K8S_POD_UID", "k8s.pod.uid", true},
    {"POD_NAMESPACE", "k8s.namespace.name", false},
    {"K8S_NAMESPACE_NAME", "k8s.namespace.name", true},
    {"NODE_NAME", "k8s.node.name", false},
    {"K8S_NODE_NAME", "k8s.node.name", true},
    {"CONTAINER_NAME", "k8s.container.name", false},
    {"K8S_CONTAINER_NAME", "k8s.container.name", true},
    {"K8S_CLUSTER_NAME", "k8s.cluster.name", true},
    {"K8S_DEPLOYMENT_NAME", "k8s.deployment.name", true},
};

void resource_find_k8s(struct resource *r, const struct resource_input *in)
{
    char space[256];
    bool account = first_line(in, "/var/run/secrets/kubernetes.io/serviceaccount/namespace", space,
                              sizeof space);
    bool pod = account || variable(in, "KUBERNETES_SERVICE_HOST");
    if (account)
        resource_set(r, "k8s.namespace.name", space);
    for (size_t i = 0; i < sizeof downward / sizeof *downward; i++)
        if (pod || downward[i].anywhere)
            resource_set(r, downward[i].key, variable(in, downward[i].variable));
}
